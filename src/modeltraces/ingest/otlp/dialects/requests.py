"""The request's payload, put together from wherever a dialect keeps its pieces.

Where the emitter gives the payload that really went over the wire (OpenInference's `input.value`), that is taken as it
is, with all its keys; else it is assembled as `{model, system_instructions, messages, tools, parameters…}`.
"""

from typing import Any, Final

from modeltraces.ingest.otlp.dialects.reading import Reading
from modeltraces.ingest.otlp.dialects.shapes import messages_of, tools_of, unwrapped
from modeltraces.ingest.otlp.payloads import load, structure

Payload = dict[str, Any]

_INPUT_KEYS: Final = ("messages", "contents", "input", "prompt", "inputs", "texts", "query", "documents")


def request_of(reading: Reading, model: str) -> Payload:
    """The request's payload; only the model and parameters when the emitter gives no content."""
    found, listed = reading.found, reading.spelled_out
    request: Payload = {"model": model} if model else {}
    given = structure(found.get("input_value"))
    if type(given) is dict and _is_wire_request(given):
        request |= given
    elif "input_messages" in found:
        put_input(request, structure(found["input_messages"]))
    elif "input_messages" in listed:
        put_input(request, messages_of(reading.listed("input_messages"), "user"))
    elif "embeddings" in listed:
        texts = [item.get("text") for item in unwrapped(reading.listed("embeddings")) if type(item) is dict]
        request["input"] = texts
    elif "documents_in" in listed:
        request["documents"] = unwrapped(reading.listed("documents_in"))
    elif "prompt" in found:
        prompt = structure(found["prompt"])
        if type(prompt) is list:
            request["input"] = [_text_or_structure(item) for item in prompt]
        else:
            put_input(request, _text_or_structure(prompt))
    elif given is not None:
        put_input(request, given)
    system = found.get("system")
    if system is not None:
        request["system_instructions"] = structure(system)
    _add_tools(request, reading)
    parameters = structure(found.get("parameters"))
    if type(parameters) is dict:
        for name, value in parameters.items():
            request.setdefault(name, value)
    for name, value in reading.parameters.items():
        if name not in request:
            request[name] = value
    return request


def _text_or_structure(value: Any) -> Any:
    """The Vercel SDK gives each text of an embedding as JSON text, quotes and all."""
    if type(value) is str and value[:1] == '"':
        try:
            return load(value)
        except ValueError:
            return value
    return structure(value)


def put_input(request: Payload, value: Any) -> None:
    """Put into the request what is its input: messages, a payload, a list of texts, a text."""
    if type(value) is list and any(type(item) is dict for item in value):
        request["messages"] = value
    elif type(value) is dict and any(key in value for key in _INPUT_KEYS):
        for name, part in value.items():
            request.setdefault(name, structure(part) if name == "messages" else part)
    elif type(value) is dict and ("role" in value or "parts" in value):
        request["messages"] = [value]
    else:
        request["input"] = value


def _add_tools(request: Payload, reading: Reading) -> None:
    if "tools" in request:
        return
    tools = structure(reading.found.get("tools"))
    if tools is None and "tools" in reading.spelled_out:
        tools = tools_of(reading.listed("tools"))
    if type(tools) is list:
        # The Vercel SDK gives a list of JSON texts.
        request["tools"] = [structure(tool) for tool in tools]
    elif tools is not None:
        request["tools"] = tools


def _is_wire_request(payload: Payload) -> bool:
    messages = payload.get("messages")
    if messages is not None:
        return type(messages) is list and bool(messages) and type(messages[0]) is dict and "role" in messages[0]
    return any(key in payload for key in ("contents", "input", "prompt"))
