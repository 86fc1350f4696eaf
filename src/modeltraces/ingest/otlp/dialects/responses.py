"""The response's payload, put together from wherever a dialect keeps its pieces.

Where the emitter gives the payload that really came over the wire (OpenInference's `output.value`), that is taken as it
is, with all its keys; else it is assembled as `{id, model, messages, finish_reasons, usage}`.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from modeltraces.ingest.otlp.dialects.reading import Reading
from modeltraces.ingest.otlp.dialects.requests import Payload
from modeltraces.ingest.otlp.dialects.shapes import messages_of, unwrapped
from modeltraces.ingest.otlp.messages import output_text
from modeltraces.ingest.otlp.payloads import structure

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


@dataclass(slots=True)
class Answer:
    """What the attributes say of a response."""

    payload: Payload = field(default_factory=dict)
    response_id: str = ""
    """The provider's id, if it stands inside the payload."""
    was_streamed: bool = False
    """The payload shows that it was put together from chunks."""


def answer_of(reading: Reading) -> Answer:
    """The response's payload without what only other attributes say (finish reasons, usage), and what it shows."""
    answer = Answer()
    given = structure(reading.found.get("output_value"))
    _put_response(answer.payload, given, reading)
    if type(given) is dict:
        answer.response_id = _id_in(given)
        answer.was_streamed = _langchain_message(given).get("type") == "AIMessageChunk"
    else:
        answer.response_id = _id_in(answer.payload)
    return answer


def _put_response(response: Payload, given: Any, reading: Reading) -> None:
    found, listed = reading.found, reading.spelled_out
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


def _id_in(payload: Payload) -> str:
    """The provider's id inside a response, where an emitter keeps it only there."""
    for holder in (payload, payload.get("llm_output"), payload.get("response_metadata")):
        if type(holder) is dict and type(holder.get("id")) is str:
            return str(holder["id"])
    message = _langchain_message(payload)
    metadata = message.get("response_metadata")
    # A LangChain message's own `id` is LangChain's; the provider's stands in the metadata.
    if type(metadata) is dict and type(metadata.get("id")) is str:
        return str(metadata["id"])
    return ""


def _langchain_message(payload: Payload) -> dict[str, Any]:
    """The first message of LangChain's result, or {}."""
    generation = payload.get("generations")
    while type(generation) is list and generation:
        generation = generation[0]
    message = generation.get("message") if type(generation) is dict else None
    if type(message) is not dict:
        return {}
    inner = message.get("kwargs", message)
    return inner if type(inner) is dict else {}


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
