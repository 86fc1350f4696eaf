"""What the OpenAPI document says beyond what the routes' code says: the selection's parameters and the run's shape."""

from typing import Any, Final

from modeltraces.query.fields import FIELDS, SORTABLE
from modeltraces.query.selection import DEFAULT_LIMIT, MAX_LIMIT
from modeltraces.query.times import DEFAULT_PERIOD, PERIODS


def parameter(name: str, description: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema, **more}


SELECTION: Final = [
    parameter("model", "A model's name; repeat it for several. Absent: all models.", {"type": "array", "items": {"type": "string"}},
              style="form", explode=True),
    parameter("period", "Reckoned back from now; `all` is since the first run. Not together with `from` and `to`.",
              {"type": "string", "enum": list(PERIODS), "default": DEFAULT_PERIOD}),
    parameter("from", "RFC 3339 with an offset; inclusive.", {"type": "string", "format": "date-time"}),
    parameter("to", "RFC 3339 with an offset; exclusive.", {"type": "string", "format": "date-time"}),
    parameter("filter", "The filter language, e.g. `status:failed response_time>2s`. Fields: "
              + ", ".join(f"`{field.name}`" for field in FIELDS) + ".", {"type": "string"}),
]  # fmt: skip
ORDER: Final = [
    parameter("sort", "The field to sort by.", {"type": "string", "enum": list(SORTABLE), "default": "executed_on"}),
    parameter("order", "", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
]
PAGE: Final = [
    parameter(
        "limit", "Runs of a page.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    ),
    parameter("cursor", "`next_cursor` of the page before.", {"type": "string"}),
]


def takes(*parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its query string as a selection."""
    return {"parameters": [one for group in parameters for one in group]}
