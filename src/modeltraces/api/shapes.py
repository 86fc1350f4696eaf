"""The building blocks of the JSON Schemas in this package."""

from typing import Any, Final

Schema = dict[str, Any]


def nullable(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


def shaped(properties: Schema, *, optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object whose members are all required but the optional ones."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        **more,
    }


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
MAYBE_INSTANT: Final = nullable("string", format="date-time")
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
MAYBE_COUNT: Final = nullable("integer", minimum=0)
MAYBE_MS: Final = nullable("number", minimum=0)
MAYBE_TEXT: Final = nullable("string")
AMOUNT: Final[Schema] = {"type": "string", "description": "A decimal, as text."}
MAYBE_AMOUNT: Final = nullable("string", description="A decimal, as text.")
KIND: Final[Schema] = {"type": "string", "enum": ["open_source", "fine_tuned", "external"]}
