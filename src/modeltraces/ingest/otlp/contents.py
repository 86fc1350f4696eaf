"""Content that came as events: read from span events and log records alike, and put into a run's payloads.

Two forms are in use. The older has one event a message (`gen_ai.user.message`, …, `gen_ai.choice`), the newer one event
a call (`gen_ai.client.inference.operation.details`) with the content in attributes. Either may come with its content
left out, and must then blank nothing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from modeltraces.ingest.otlp.attributes import attributes_of
from modeltraces.ingest.otlp.dialects.reading import read
from modeltraces.ingest.otlp.dialects.requests import Payload, put_input
from modeltraces.ingest.otlp.payloads import dump, load, structure

DETAILS: Final = "gen_ai.client.inference.operation.details"
CHOICE: Final = "gen_ai.choice"
_ROLES: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_PROMPT: Final = "gen_ai.content.prompt"
_COMPLETION: Final = "gen_ai.content.completion"
EXCEPTION: Final = "gen_ai.client.operation.exception"
NAMES: Final = frozenset({*_ROLES, CHOICE, DETAILS, _PROMPT, _COMPLETION, EXCEPTION})
_DETAIL_FIELDS: Final = {
    "input_messages": "input",
    "output_messages": "output",
    "system": "system",
    "tools": "tools",
}
_MESSAGE_ATTRIBUTES: Final[tuple[str, ...]] = (
    "role",
    "content",
    "tool_calls",
    "id",
    "index",
    "finish_reason",
    "message",
    "name",
)
_NO_CONTENT: Final[tuple[Any, ...]] = (None, "", [], {})


@dataclass(slots=True)
class Piece:
    """What one event says."""

    at_ns: int
    order: int
    """Its place among the events that came with it, for clocks that give several one time."""
    input: Any = None
    """One message of the input, or a whole input in `inputs`; `output` and `outputs` likewise."""
    inputs: Any = None
    output: Any = None
    outputs: Any = None
    index: int = 0
    """Which choice the output is."""
    finish_reasons: list[str] = field(default_factory=list)
    system: Any = None
    tools: Any = None
    error: dict[str, str] = field(default_factory=dict)
    input_size: int = 0
    """Bytes of the input's text, where the text itself is not kept; `output_size` likewise."""
    output_size: int = 0
    was_cut: bool = False


_FIELDS: Final = tuple(Piece.__dataclass_fields__)


def piece_of(name: str, body: Any, attributes: dict[str, Any], at_ns: int, order: int) -> Piece | None:
    """What the event says of a call's content, or None for an event that is about something else."""
    piece = Piece(at_ns=at_ns, order=order)
    if name in _ROLES or name == CHOICE:
        if type(body) is not dict or not body:
            inner = structure(attributes.get("gen_ai.event.content"))
            body = (
                inner
                if type(inner) is dict
                else (_from_attributes(attributes) if body in _NO_CONTENT else {"content": body})
            )
        if name == CHOICE:
            _read_choice(piece, body)
        else:
            piece.input = _message(body, _ROLES[name])
    elif name == DETAILS:
        merged = attributes | body if type(body) is dict else attributes
        reading = read(merged)
        for concept, field_name in _DETAIL_FIELDS.items():
            value = structure(reading.found.get(concept))
            if value not in _NO_CONTENT:
                setattr(piece, f"{field_name}s" if field_name in ("input", "output") else field_name, value)
        reasons = structure(reading.found.get("finish_reasons"))
        if type(reasons) is list:
            piece.finish_reasons = [reason for reason in reasons if type(reason) is str and reason]
    elif name == _PROMPT:
        piece.inputs = structure(attributes.get("gen_ai.prompt", body))
    elif name == _COMPLETION:
        piece.outputs = structure(attributes.get("gen_ai.completion", body))
    elif name == EXCEPTION:
        piece.error = {
            target: value
            for source, target in (("exception.type", "type"), ("exception.message", "message"))
            if type(value := attributes.get(source)) is str and value
        }
    else:
        return None
    return piece


def _from_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """The message of an event that spells it out in attributes (JSON text where it is structured)."""
    return {name: structure(attributes[name]) for name in _MESSAGE_ATTRIBUTES if name in attributes}


def _message(body: dict[str, Any], role: str) -> dict[str, Any] | None:
    content = {name: value for name, value in body.items() if value not in _NO_CONTENT}
    # Who spoke and under which id is not yet content: it is all there is when the content was left out.
    if not content.keys() - {"role", "id", "name", "finish_reason", "index", "type"}:
        return None
    return {"role": role, **content}


def _read_choice(piece: Piece, body: dict[str, Any]) -> None:
    index = body.get("index")
    piece.index = index if type(index) is int else 0
    reason = body.get("finish_reason")
    if type(reason) is str and reason:
        piece.finish_reasons = [reason]
    message = structure(body.get("message"))
    if type(message) is str:
        message = {"content": message}
    elif type(message) is not dict:
        message = {}
    beside = {name: body[name] for name in ("content", "tool_calls", "role") if body.get(name) not in _NO_CONTENT}
    spoken = _message({**beside, **{k: v for k, v in message.items() if v not in _NO_CONTENT}}, "assistant")
    if spoken is not None:
        piece.output = spoken


def parts_of_events(events: Iterable[Span.Event]) -> list[Piece]:
    """The pieces of a span's own events, in their order."""
    pieces = []
    for order, event in enumerate(events):
        if event.name in NAMES:
            piece = piece_of(event.name, None, attributes_of(event.attributes), event.time_unix_nano, order)
            if piece is not None:
                pieces.append(piece)
    return pieces


def body_of(piece: Piece) -> str:
    """The piece as the JSON text of a content part."""
    values = {name: getattr(piece, name) for name in _FIELDS}
    return dump({name: value for name, value in values.items() if value not in _NO_CONTENT and value is not False})


def piece_of_body(body: str) -> Piece:
    """The piece that `body_of` wrote. Raises ValueError for another text."""
    values = load(body)
    if type(values) is not dict or not values.keys() <= set(_FIELDS):
        raise ValueError("This is not the body of a content part.")
    return Piece(**{"at_ns": 0, "order": 0, **values})


def part_id_of(trace_id: str, span_id: str, name: str, piece: Piece) -> str:
    """A digest of what was sent. The place among its neighbours is left out: a batch may be split when sent again."""
    order, piece.order = piece.order, 0
    text = f"{trace_id}:{span_id}:{name}:{body_of(piece)}"
    piece.order = order
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def add_to_payloads(request: Payload, response: Payload, pieces: Iterable[Piece], *, replace: bool = False) -> None:
    """Put the pieces, which must be in order, into payloads that lack what they hold (or, `replace`, instead of it)."""
    inputs: list[Any] = []
    outputs: dict[int, list[Any]] = {}
    whole_input = whole_output = system = tools = None
    reasons: dict[int, str] = {}
    for piece in pieces:
        if piece.input is not None:
            inputs.append(piece.input)
        if piece.output is not None:
            outputs.setdefault(piece.index, []).append(piece.output)
        if piece.inputs is not None:
            whole_input = piece.inputs
        if piece.outputs is not None:
            whole_output = piece.outputs
        system = piece.system if piece.system is not None else system
        tools = piece.tools if piece.tools is not None else tools
        for number, reason in enumerate(piece.finish_reasons):
            reasons[piece.index + number] = reason
    if replace or not any(key in request for key in ("messages", "input", "contents", "prompt")):
        if whole_input is not None:
            put_input(request, whole_input)
        elif inputs:
            request["messages"] = inputs
    if system is not None and (replace or "system_instructions" not in request):
        request["system_instructions"] = system
    if tools is not None and (replace or "tools" not in request):
        request["tools"] = tools
    if replace or not any(key in response for key in ("messages", "choices", "output", "content", "candidates")):
        if whole_output is not None:
            response["messages"] = whole_output if type(whole_output) is list else [whole_output]
        elif outputs:
            # One choice may come in pieces; each choice's last word comes last.
            response["messages"] = [
                message | ({"finish_reason": reasons[index]} if index in reasons else {})
                for index in sorted(outputs)
                for message in outputs[index]
            ]
    if reasons and "finish_reasons" not in response:
        response["finish_reasons"] = [reasons[index] for index in sorted(reasons)]
