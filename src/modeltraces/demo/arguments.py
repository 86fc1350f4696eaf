"""Values that fit a JSON schema, as a model would fill a tool's arguments: no more than what is required."""

import math
from typing import Any, Final

_MOST_DEEP: Final = 8
"""A schema may hold itself."""
_MOST_ITEMS: Final = 20
_MOST_CHARACTERS: Final = 2_000
_OF_FORMAT: Final = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T09:30:00Z",
    "time": "09:30:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "www.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://www.example.com/",
    "url": "https://www.example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def fitting(schema: Any, name: str = "text") -> Any:
    """A value of that schema. `name`: of the property, which a text says for want of better."""
    return _fitting(schema, name, schema, 0)


def _fitting(schema: Any, name: str, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _MOST_DEEP:
        return None
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    for listed in ("enum", "examples"):
        if schema.get(listed):
            return schema[listed][0]
    if "$ref" in schema:
        return _fitting(_referred(str(schema["$ref"]), root), name, root, depth + 1)
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            some = [one for one in schema[choice] if one.get("type") != "null"]
            return _fitting((some or schema[choice])[0], name, root, depth + 1)
    if schema.get("allOf"):
        return _fitting(_joined(schema, root), name, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind == "object":
        known = schema.get("properties") or {}
        return {
            str(one): _fitting(known.get(one, {}), str(one), root, depth + 1) for one in schema.get("required") or ()
        }
    if kind == "array":
        number = min(max(int(schema.get("minItems", 1)), 1), _MOST_ITEMS)
        return [_fitting(schema.get("items", {}), name, root, depth + 1) for _ in range(number)]
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    return {"boolean": True, "null": None}.get(str(kind)) if kind in ("boolean", "null") else _text(schema, name)


def _referred(place: str, root: Any) -> Any:
    """What `#/$defs/Name` leads to. Raises LookupError."""
    found = root
    for part in place.removeprefix("#").strip("/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")] if part else found
    return found


def _joined(schema: dict[str, Any], root: Any) -> dict[str, Any]:
    """All that `allOf` lists as one schema."""
    joined: dict[str, Any] = {}
    for one in ({name: value for name, value in schema.items() if name != "allOf"}, *schema["allOf"]):
        part = _referred(str(one["$ref"]), root) if "$ref" in one else one
        joined = {
            **joined,
            **part,
            "properties": {**joined.get("properties", {}), **part.get("properties", {})},
            "required": [*joined.get("required", ()), *part.get("required", ())],
        }
    return joined


def _number(schema: dict[str, Any], *, whole: bool) -> int | float:
    step = schema.get("multipleOf") or (1 if whole else 0)
    low = schema.get("minimum", -math.inf)
    above = schema.get("exclusiveMinimum", -math.inf)
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    value = max(1, low)
    if value <= above:
        value = above + (step or 0.5)
    if step:
        value = math.ceil(value / step) * step
    if value > high or value == schema.get("exclusiveMaximum"):
        value = high - (step or 0.5) if high == schema.get("exclusiveMaximum") else high
    return int(value) if whole else value


def _text(schema: dict[str, Any], name: str) -> str:
    text = _OF_FORMAT.get(str(schema.get("format")), name.replace("_", " "))
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", _MOST_CHARACTERS))
    return text.ljust(min(least, _MOST_CHARACTERS), "x")[:most]
