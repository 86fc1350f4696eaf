"""What the demo's upstream calls tools with fits their schemas."""

from typing import Any

import pytest

from modeltraces.demo.arguments import fitting


def required(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (required(city={"type": "string"}, street_name={}), {"city": "city", "street_name": "street name"}),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
        ({"properties": {"a": {"type": "boolean"}}, "required": ["a", "unknown"]}, {"a": True, "unknown": "unknown"}),
        ({"const": 4, "type": "string"}, 4),
        ({"default": "x"}, "x"),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "string", "examples": ["Lisbon"]}, "Lisbon"),
        ({"type": ["null", "integer"]}, 1),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"oneOf": [{"type": "null"}]}, None),
        ({"type": "null"}, None),
        ({"allOf": [required(a={"type": "integer"}), {"properties": {"b": {}}, "required": ["b"]}]}, {"a": 1, "b": "b"}),
        ({"type": "array", "items": {"type": "integer", "minimum": 3}, "minItems": 2}, [3, 3]),
        ({"type": "array"}, ["text"]),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "number", "exclusiveMinimum": 5, "maximum": 6}, 5.5),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "format": "date"}, "2026-01-15"),
        ({"$defs": {"a~b/c": {"type": "boolean"}}, "$ref": "#/$defs/a~0b~1c"}, True),
    ],
)  # fmt: skip
def test_a_value_fits_its_schema(schema: Any, value: Any) -> None:
    assert fitting(schema) == value


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    node = required(next={"$ref": "#"})
    assert str(fitting(node)).count("next") < 10
