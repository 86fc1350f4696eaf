"""The request's and the response's payload, put together from wherever a dialect keeps their pieces.

Where the emitter gives the payload that really went over the wire (OpenInference's `input.value`), that is taken as it
is, with all its keys; else it is assembled as `{model, system_instructions, messages, tools, parameters…}` and
`{id, model, messages, finish_reasons, usage}`.
"""

from typing import Any, Final

from modeltraces.ingest.otlp.dialects.reading import Reading
from modeltraces.ingest.otlp.dialects.shapes import messages_of, tools_of, unwrapped
from modeltraces.ingest.otlp.messages import output_text
from modeltraces.ingest.otlp.payloads import load, structure

Payload = dict[str, Any]

_INPUT_KEYS: Final = ("messages", "contents", "input", "prompt", "inputs", "texts", "query", "documents")
_OUTPUT_KEYS: Final = (
    "choices",
    "candidates",
    "content",
    "output",
    "message",
    "messages",
    "data",
    "embeddings",
    "results",
)
_NO_PARAMETERS: Final = frozenset({"model", "stream"})


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


def response_of(reading: Reading) -> Payload:
    """The response's payload, without what the run's fields add to it (see `complete_response`)."""
    found, listed = reading.found, reading.spelled_out
    response: Payload = {}
    given = structure(found.get("output_value"))
    if type(given) is dict and _is_wire_response(given):
        response |= given
    elif "output_messages" in found or "output_messages" in listed:
        messages = structure(found.get("output_messages"))
        if "output_messages" in listed and (messages is None or not output_text({"messages": messages})):
            # litellm gives both, and tool calls only in the older form.
            messages = messages_of(reading.listed("output_messages"), "assistant")
        put_output(response, messages)
    elif parts := _vercel_parts(found):
        response["messages"] = [{"role": "assistant", "content": parts}]
    elif "output_vectors" in found:
        vectors = structure(found["output_vectors"])
        vectors = [structure(vector) for vector in vectors] if type(vectors) is list else [vectors]
        if vectors and type(vectors[0]) in (int, float):
            vectors = [vectors]
        response["data"] = [{"embedding": vector} for vector in vectors]
    elif "embeddings" in listed:
        items = [item for item in unwrapped(reading.listed("embeddings")) if type(item) is dict and "vector" in item]
        if items:
            response["data"] = [{"embedding": structure(item["vector"])} for item in items]
    elif "documents_out" in listed:
        response["documents"] = unwrapped(reading.listed("documents_out"))
    elif given is not None:
        put_output(response, given)
    return response


def put_output(response: Payload, value: Any) -> None:
    """Put into the response what is its output: messages, a payload, a message, a text."""
    if type(value) is list and any(type(item) is dict for item in value):
        response["messages"] = value
    elif type(value) is dict and any(key in value for key in _OUTPUT_KEYS) and "role" not in value:
        for name, part in value.items():
            response.setdefault(name, part)
    elif type(value) is dict and ("role" in value or "parts" in value):
        response["messages"] = [value]
    elif value not in ("", None, [], {}):
        response["output"] = value


def _is_wire_response(payload: Payload) -> bool:
    return any(key in payload for key in ("choices", "candidates")) or (
        "id" in payload and any(key in payload for key in ("content", "output", "data"))
    )


def _vercel_parts(found: dict[str, Any]) -> list[Any]:
    parts: list[Any] = []
    if "output_reasoning" in found:
        reasoning = found["output_reasoning"]
        parts.append({"type": "reasoning", "text": reasoning if type(reasoning) is str else structure(reasoning)})
    if "output_text" in found:
        parts.append({"type": "text", "text": found["output_text"]})
    if "output_object" in found:
        whole = structure(found["output_object"])
        parts.append({"type": "text", "text": found["output_object"]} if type(whole) is str else whole)
    calls = structure(found.get("output_calls"))
    if type(calls) is list:
        for call in calls:
            if type(call) is dict:
                parts.append({"type": "tool-call", **call})
    return parts


def response_id_in(response: Payload) -> str:
    """The provider's id inside the response, where an emitter keeps it only there."""
    for holder in (response, response.get("llm_output"), response.get("response_metadata")):
        if type(holder) is dict and type(holder.get("id")) is str:
            return str(holder["id"])
    generations = response.get("generations")
    while type(generations) is list and generations:
        generations = generations[0]
    if type(generations) is not dict:
        return ""
    # LangChain's result: the provider's id stands in the metadata; `id` itself is LangChain's own.
    message = generations.get("message")
    if type(message) is dict:
        inner = message.get("kwargs", message)
        metadata = inner.get("response_metadata") if type(inner) is dict else None
        if type(metadata) is dict and type(metadata.get("id")) is str:
            return str(metadata["id"])
    return ""


def finish_reasons_in(response: Payload) -> list[str]:
    """Why each choice ended, as the response itself says."""
    reasons = []
    for key in ("choices", "messages", "candidates"):
        items = response.get(key)
        if type(items) is list:
            for item in items:
                if type(item) is dict:
                    reason = item.get("finish_reason") or item.get("finishReason")
                    if type(reason) is str and reason:
                        reasons.append(reason)
            if reasons:
                return reasons
    reason = response.get("stop_reason") or response.get("finish_reason")
    return [reason] if type(reason) is str and reason else []
