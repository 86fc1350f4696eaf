"""What the OpenAPI document says beyond what the routes' code says: the selection's parameters and the run's shape."""

from typing import Any, Final

from modeltraces.api.identity import KEY_HEADERS
from modeltraces.api.schemas import SCHEMAS, content
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


# call → (schema of its body, schema of its answer)
CATALOG_CALLS: Final[dict[str, tuple[str, str]]] = {
    "GET /api/v1/models": ("", "Models"),
    "POST /api/v1/models": ("NewModel", "Model"),
    "GET /api/v1/models/{name}": ("", "Model"),
    "PATCH /api/v1/models/{name}": ("ModelChange", "Model"),
    "DELETE /api/v1/models/{name}": ("", ""),
    "POST /api/v1/models/{name}/merge": ("MergeInto", "Model"),
    "POST /api/v1/models/{name}/unmerge": ("", "Model"),
    "GET /api/v1/models/{name}/deployments": ("", "Deployments"),
    "POST /api/v1/models/{name}/deployments": ("NewDeployment", "Deployment"),
    "GET /api/v1/models/{name}/deployments/{version}": ("", "Deployment"),
    "PATCH /api/v1/models/{name}/deployments/{version}": ("DeploymentChange", "Deployment"),
    "DELETE /api/v1/models/{name}/deployments/{version}": ("", ""),
    "GET /api/v1/models/{name}/deployments/{version}/events": ("", "DeploymentEvents"),
    "POST /api/v1/models/{name}/deployments/{version}/events": ("NewDeploymentEvent", "DeploymentEvent"),
    "DELETE /api/v1/models/{name}/deployments/{version}/events/{event_id}": ("", ""),
    "POST /api/v1/models/{name}/deployments/{version}/test": ("", "ConnectionTest"),
    "GET /api/v1/connections": ("", "Connections"),
    "POST /api/v1/connections": ("NewConnection", "Connection"),
    "GET /api/v1/connections/{name}": ("", "Connection"),
    "PATCH /api/v1/connections/{name}": ("ConnectionChange", "Connection"),
    "DELETE /api/v1/connections/{name}": ("", ""),
    "POST /api/v1/connections/{name}/test": ("", "ConnectionTest"),
    "GET /api/v1/hardware": ("", "PriceList"),
    "POST /api/v1/hardware": ("NewPrice", "Hardware"),
    "PATCH /api/v1/hardware/{name}": ("PriceChange", "Hardware"),
    "DELETE /api/v1/hardware/{name}": ("", ""),
    "GET /api/v1/matching/rules": ("", "MatchRules"),
    "POST /api/v1/matching/rules": ("NewMatchRule", "MatchRule"),
    "PATCH /api/v1/matching/rules/{name}": ("MatchRuleChange", "MatchRule"),
    "DELETE /api/v1/matching/rules/{name}": ("", ""),
    "POST /api/v1/matching/test": ("MatchFacts", "MatchOutcome"),
    "GET /api/v1/matching/preview": ("", "MatchDifferences"),
    "POST /api/v1/matching/apply": ("", "Job"),
    "GET /api/v1/matching/jobs/{job_id}": ("", "Job"),
    "GET /api/v1/retention": ("", "Retention"),
    "PATCH /api/v1/retention": ("RetentionChange", "ChangedRetention"),
    "PATCH /api/v1/retention/models/{name}": ("RetentionChange", "ChangedRetention"),
    "POST /api/v1/retention/sweep": ("", "Retention"),
    "GET /api/v1/keys": ("", "ApiKeys"),
    "POST /api/v1/keys": ("NewApiKey", "MadeApiKey"),
    "PATCH /api/v1/keys/{key_id}": ("ApiKeyChange", "ChangedApiKey"),
    "DELETE /api/v1/keys/{key_id}": ("", ""),
}

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_PLAIN: Final = {"text/plain": {"schema": {"type": "string"}}}
_OTLP: Final = {"application/x-protobuf": _BINARY, "application/json": {"schema": {"type": "object"}}}
_RUNS_BODY: Final = {
    "application/json": {
        "schema": {
            "oneOf": [
                {"$ref": "#/components/schemas/NewRun"},
                {"type": "array", "items": {"$ref": "#/components/schemas/NewRun"}},
            ]
        }
    },
    "application/x-ndjson": {"schema": {"type": "string"}},
}
_FILES: Final = {
    "text/csv": {"schema": {"type": "string"}},
    "application/x-ndjson": {"schema": {"type": "string"}},
    "application/vnd.apache.parquet": _BINARY,
}
_ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "GET /healthz": _PLAIN,
    "GET /readyz": _PLAIN,
    "GET /metrics": _PLAIN,
    "POST /v1/traces": _OTLP,
    "POST /v1/logs": _OTLP,
    "POST /api/public/otel/v1/traces": _OTLP,
    "POST /api/v1/runs": content("Accepted"),
    **{name: content(answer) for name, (_, answer) in CATALOG_CALLS.items() if answer},
    "GET /api/v1/metrics": content("Metrics"),
    "GET /api/v1/metrics/series": content("Series"),
    "GET /api/v1/audit-log": content("AuditLogPage"),
    "GET /api/v1/audit-log/export": {name: _FILES[name] for name in ("text/csv", "application/x-ndjson")},
    "GET /api/v1/runs": content("RunPage"),
    "GET /api/v1/runs/export": _FILES,
    "GET /api/v1/runs/stream": {"text/event-stream": {"schema": {"type": "string"}}},
    "GET /api/v1/runs/{request_id}": content("Run"),
}
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "POST /v1/traces": _OTLP,
    "POST /v1/logs": _OTLP,
    "POST /api/public/otel/v1/traces": _OTLP,
    "POST /api/v1/runs": _RUNS_BODY,
    **{name: content(sent) for name, (sent, _) in CATALOG_CALLS.items() if sent},
}
_MADE: Final = {"POST /api/v1/hardware": ("201",)}
"""Calls that make something or change it: what else a success is."""
_OPEN: Final = ("GET /healthz", "GET /readyz")
_KEYS: Final[list[dict[str, list[str]]]] = [{name: []} for name in ("bearer", *KEY_HEADERS)]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what the routes' signatures do not say: credentials, bodies, answers, problems."""
    components = document.setdefault("components", {})
    components["schemas"] = dict(SCHEMAS)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A key of ours: `mt_…`."},
        **{name: {"type": "apiKey", "in": "header", "name": name} for name in KEY_HEADERS},
        "basic": {"type": "http", "scheme": "basic", "description": "Any user name, a key of ours for the password."},
    }
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            _complete_operation(f"{verb.upper()} {path}", operation)
    return document


def _complete_operation(name: str, operation: dict[str, Any]) -> None:
    found = operation["responses"]
    if name in _ANSWERS:
        answer = {"description": "OK", "content": _ANSWERS[name]}
        found = dict.fromkeys((next(iter(found)), *_MADE.get(name, ())), answer)
    statuses = {503: "The store or the catalog is away, or more waits than fits; `Retry-After` says when to ask again."}
    if name not in _OPEN:
        statuses |= {401: "No valid key or session.", 403: "The key's scopes or the person's role do not allow it."}
        operation["security"] = [*_KEYS, {"basic": []}] if "/public/otel/" in name else _KEYS
    if name in CATALOG_CALLS and not name.startswith("GET "):
        statuses |= {409: "It contradicts what is there; `detail` says what to do.", 422: "A value cannot be taken."}
    if name in _BODIES:
        operation["requestBody"] = {"required": True, "content": _BODIES[name]}
        statuses |= {
            400: "The body cannot be read.",
            408: "The body stopped coming.",
            413: "The body is too large, decompressed.",
            415: "Its Content-Type or Content-Encoding is not read here.",
        }
    if "{" in name:
        statuses[404] = "This account has none of that name."
    if operation.get("parameters") and "{" not in name:
        statuses[400] = "A parameter cannot be used: `parameter` names it, and for a filter `position` says where."
    if name == "POST /api/v1/runs":
        statuses[422] = "The single run cannot be taken."
    if name.endswith("/runs/export"):
        statuses[429] = "As many exports run as may."
    problem = content("Problem", "application/problem+json")
    for status in sorted(statuses):
        found[str(status)] = {"description": statuses[status], "content": problem}
    operation["responses"] = found
