"""OTLP's key-value lists as Python values, and those as text.

Protobuf messages are read field by field: `MessageToDict` costs a hundred times as much.
"""

import base64
from collections.abc import Iterable
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from modeltraces.ingest.otlp.payloads import clean, dump

MAX_DEPTH: Final = 32
"""Levels of an attribute's value that are read; what is deeper is replaced by a word that says so."""
TOO_DEEP: Final = "[nested too deeply]"


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """The attributes by name, those without a value left out. Of a name that stands twice, the last one counts."""
    attributes: dict[str, Any] = {}
    for pair in pairs:
        value = pair.value
        # Most are non-empty strings: asking for the string first saves the look at which kind it is.
        text = value.string_value
        if text:
            attributes[pair.key] = clean(text) if "\0" in text else text
        else:
            read = python_value(value)
            if read is not None:
                attributes[pair.key] = read
    if "\0" in "".join(attributes):
        return {clean(name): value for name, value in attributes.items()}
    return attributes


def python_value(value: AnyValue, depth: int = 0) -> Any:
    """A str, int, float, bool, list or dict; None for a value that is not set. Bytes come as base64 text."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "string_value":
        return clean(value.string_value)
    if kind == "array_value":
        if depth >= MAX_DEPTH:
            return TOO_DEEP
        return [python_value(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        if depth >= MAX_DEPTH:
            return TOO_DEEP
        return {clean(pair.key): python_value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode("ascii")
    return getattr(value, kind)


def text_of(value: Any) -> str:
    """An attribute's value as text: strings as they are, everything else as JSON."""
    if type(value) is str:
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is int:
        return str(value)
    return dump(value)


def unflatten(pairs: Iterable[tuple[str, Any]]) -> Any:
    """The value that was spelled out as `0.role`, `0.contents.1.text`, …: numbers are places in a list.

    The places' order counts and not their size, so an index of a billion makes a list of one. Where one name is
    both a value and the parent of others, the value stands under ''.
    """
    root: dict[str, Any] = {}
    for path, value in pairs:
        steps = path.split(".", MAX_DEPTH)
        node = root
        for step in steps[:-1]:
            child = node.get(step)
            if type(child) is not dict:
                child = {} if child is None else {"": child}
                node[step] = child
            node = child
        last = steps[-1]
        there = node.get(last)
        if type(there) is dict:
            there[""] = value
        else:
            node[last] = value
    return _with_lists(root)


def _with_lists(node: dict[str, Any]) -> Any:
    for name, child in node.items():
        if type(child) is dict:
            node[name] = _with_lists(child)
    if node and all(name.isascii() and name.isdigit() and len(name) < 19 for name in node):
        return [node[name] for name in sorted(node, key=int)]
    return node
