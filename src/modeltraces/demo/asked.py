"""What a request to the demo's upstream asks for, whichever API it speaks, and what it is answered."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from uuid import uuid4

from modeltraces.demo.arguments import fitting
from modeltraces.demo.texts import answer_to

_MARK: Final = "(The demo's own upstream wrote this; no model stands behind it.)"
_PIECE: Final = re.compile(r"\S+\s*")
_OF_A_MESSAGE: Final = 3
"""Tokens that its frame takes."""


class Unfit(ValueError):
    """A request that can be read, and asks for what cannot be; the text says what and what to do."""


@dataclass(frozen=True, slots=True)
class Call:
    """Of a tool."""

    name: str
    arguments: dict[str, Any]
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class Asked:
    model: str
    input_tokens: int
    pieces: Sequence[str]
    """Of the answer, as a stream brings them: words, or those of a call's arguments."""
    is_cut: bool = False
    call: Call | None = None
    streams: bool = False
    tells_usage: bool = False
    """Of a stream that must be asked to."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def chat(body: Any) -> Asked:
    """These four raise Unfit, ValueError, TypeError, LookupError or AttributeError for what is no such request."""
    tools = {one["function"]["name"]: one["function"].get("parameters") for one in _listed(body, "tools", "function")}
    choice = body.get("tool_choice")
    named = choice["function"]["name"] if _is(choice, "function") else None
    said = [text_of(one) for one in body["messages"]]
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    return _asked(body, said, most, _call(tools, named, any_one=choice == "required"))


def message(body: Any) -> Asked:
    tools = {one["name"]: one["input_schema"] for one in body.get("tools") or () if "input_schema" in one}
    choice = body.get("tool_choice")
    named = choice["name"] if _is(choice, "tool") else None
    said = [text_of(one) for one in body["messages"]]
    call = _call(tools, named, any_one=_is(choice, "any"))
    return _asked(body, said, body.get("max_tokens"), call, text_of(body.get("system")))


def response(body: Any) -> Asked:
    tools = {one["name"]: one.get("parameters") for one in _listed(body, "tools", "function")}
    choice = body.get("tool_choice")
    named = choice["name"] if _is(choice, "function") else None
    given = body["input"]
    said = [given] if isinstance(given, str) else [text_of(one) for one in given]
    call = _call(tools, named, any_one=choice == "required")
    return _asked(body, said, body.get("max_output_tokens"), call, text_of(body.get("instructions")))


def completions(body: Any) -> list[Asked]:
    """One for each prompt."""
    prompts = texts(body["prompt"])
    if not prompts:
        raise Unfit("prompt is empty: give a text, or a list of texts.")
    return [_asked(body, [one], body.get("max_tokens"), None) for one in prompts]


def texts(given: Any) -> list[str]:
    """A text, or several, each as it is or as its tokens: of those, words that nobody can read."""
    is_one = isinstance(given, str) or (isinstance(given, list) and bool(given) and isinstance(given[0], int))
    return [
        one if isinstance(one, str) else " ".join(str(int(token)) for token in one)
        for one in ([given] if is_one else given)
    ]


def text_of(value: Any) -> str:
    """The text of a message, of its content, or of a part of it."""
    if isinstance(value, list):
        return " ".join(text_of(part) for part in value)
    if isinstance(value, dict):
        return text_of(
            next((value[name] for name in ("text", "content", "output", "arguments") if value.get(name)), "")
        )
    if value is not None and not isinstance(value, str):
        raise TypeError(value)
    return value or ""


def _asked(body: Any, said: Sequence[str], most: Any, call: Call | None, system: str = "") -> Asked:
    tokens = len(" ".join([system, *said]).split()) + _OF_A_MESSAGE * len(said)
    streams = bool(body.get("stream"))
    tells = bool((body.get("stream_options") or {}).get("include_usage"))
    if call is not None:
        pieces = _PIECE.findall(json.dumps(call.arguments, ensure_ascii=False))
        return Asked(str(body["model"]), tokens, pieces, False, call, streams, tells)
    whole = _PIECE.findall(f"{answer_to(Random(), said[-1])} {_MARK}")
    pieces = whole[: max(int(most or len(whole)), 1)]
    return Asked(str(body["model"]), tokens, pieces, len(pieces) < len(whole), None, streams, tells)


def _call(tools: Mapping[str, Any], named: str | None, *, any_one: bool) -> Call | None:
    """Only what is demanded: a model that was free to choose might as well have answered."""
    if named is None and not any_one:
        return None
    if not tools:
        raise Unfit("tool_choice demands a tool, and the request has none: add tools.")
    name = next(iter(tools)) if named is None else named
    if name not in tools:
        has = ", ".join(tools)
        raise Unfit(f"tool_choice names the tool {name[:100]!r}, which the request does not have. It has: {has}.")
    arguments = fitting(tools[name] or {"type": "object"})
    return Call(name, arguments if isinstance(arguments, dict) else {})


def _listed(body: Any, name: str, kind: str) -> list[Any]:
    return [one for one in body.get(name) or () if one.get("type") == kind]


def _is(choice: Any, kind: str) -> bool:
    return isinstance(choice, dict) and choice.get("type") == kind
