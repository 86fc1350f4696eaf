"""Requests and responses in the form that the providers' APIs have, with the plain text that a reader sees of them."""

from random import Random
from typing import Any, Final

import orjson

from modeltraces.demo.models import DemoModel
from modeltraces.demo.sources import Workload
from modeltraces.demo.texts import Exchange, ToolCall

_DIMENSIONS: Final = 256
_VECTOR_CHARACTERS: Final = 1368
"""Of base64, for 256 floats of 4 bytes."""
_BASE64: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TOOL_PARAMETERS: Final[dict[str, dict[str, str]]] = {
    "get_order": {"order_id": "string"},
    "track_parcel": {"order_id": "string", "carrier": "string"},
    "create_refund": {"order_id": "string", "amount": "number", "currency": "string"},
    "escalate": {"queue": "string", "reason": "string"},
}


def _schema(name: str) -> dict[str, Any]:
    properties = {argument: {"type": type_} for argument, type_ in _TOOL_PARAMETERS[name].items()}
    return {"type": "object", "properties": properties, "required": list(properties)}


_OPENAI_TOOLS: Final = [
    {"type": "function", "function": {"name": name, "parameters": _schema(name)}} for name in _TOOL_PARAMETERS
]
_ANTHROPIC_TOOLS: Final = [{"name": name, "input_schema": _schema(name)} for name in _TOOL_PARAMETERS]


def _vectors(rng: Random, count: int) -> list[str]:
    return ["".join(rng.choices(_BASE64, k=_VECTOR_CHARACTERS - 2)) + "==" for _ in range(count)]


# A vector's digits mean nothing to a reader, and cost the most to make: a few are enough.
_VECTORS: Final = _vectors(Random(7), 24)


def dump(value: Any) -> str:
    return orjson.dumps(value).decode()


def plain_input(exchange: Exchange) -> str:
    """The request as text: a lone message of the user as it is, else `role: text` blocks."""
    if not exchange.system and len(exchange.messages) == 1:
        return exchange.messages[0][1]
    blocks = [f"system: {exchange.system}"] if exchange.system else []
    return "\n\n".join(blocks + [f"{role}: {text}" for role, text in exchange.messages])


def plain_output(exchange: Exchange, operation: str) -> str:
    if operation == "embeddings":
        count = len(exchange.messages)
        return f"[{count} vector{'s' if count != 1 else ''}, {_VECTOR_CHARACTERS / 1024:.0f} KB each]"
    calls = [f"[tool call] {call.name}({call.arguments})" for call in exchange.tool_calls]
    return "\n".join([part for part in (exchange.output, *calls) if part])


def request_of(model: DemoModel, workload: Workload, exchange: Exchange, is_streamed: bool) -> dict[str, Any]:
    if workload.operation == "embeddings":
        texts = [text for _, text in exchange.messages]
        return {
            "model": model.name,
            "input": texts if len(texts) > 1 else texts[0],
            "dimensions": _DIMENSIONS,
            "encoding_format": "base64",
        }
    messages = [{"role": role, "content": text} for role, text in exchange.messages]
    request: dict[str, Any] = {"model": model.name, "max_tokens": workload.max_tokens}
    if model.wire == "anthropic":
        if exchange.system:
            request["system"] = exchange.system
        if exchange.tool_calls:
            request["tools"] = _ANTHROPIC_TOOLS
    else:
        if exchange.system:
            messages.insert(0, {"role": "system", "content": exchange.system})
        if exchange.tool_calls:
            request["tools"] = _OPENAI_TOOLS
        if exchange.json_output:
            request["response_format"] = {"type": "json_object"}
        if is_streamed:
            request["stream_options"] = {"include_usage": True}
    request["temperature"] = workload.temperature
    if is_streamed:
        request["stream"] = True
    request["messages"] = messages
    return request


def _tool_call_id(response_id: str, number: int, prefix: str) -> str:
    return f"{prefix}_{response_id[-20:]}{number}"


def _openai_message(text: str, calls: list[ToolCall], response_id: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [
            {
                "id": _tool_call_id(response_id, number, "call"),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for number, call in enumerate(calls)
        ]
    return message


def response_of(
    model: DemoModel,
    workload: Workload,
    exchange: Exchange,
    *,
    response_id: str,
    created: int,
    finish_reason: str,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_input_tokens: int | None = None,
    reasoning_tokens: int | None = None,
) -> dict[str, Any]:
    """The provider's answer. Counts that are None stay out of it, as they do when a stream says nothing of them."""
    if workload.operation == "embeddings":
        data = [
            {"object": "embedding", "index": index, "embedding": _VECTORS[(created + index) % len(_VECTORS)]}
            for index in range(len(exchange.messages))
        ]
        usage = {"prompt_tokens": input_tokens, "total_tokens": input_tokens}
        return {"object": "list", "data": data, "model": model.base_model, "usage": usage}
    if model.wire == "anthropic":
        content: list[dict[str, Any]] = [{"type": "text", "text": exchange.output}] if exchange.output else []
        content += [
            {
                "type": "tool_use",
                "id": _tool_call_id(response_id, number, "toolu"),
                "name": call.name,
                "input": orjson.loads(call.arguments),
            }
            for number, call in enumerate(exchange.tool_calls)
        ]
        response: dict[str, Any] = {
            "id": response_id,
            "type": "message",
            "role": "assistant",
            "model": model.base_model,
            "content": content,
            "stop_reason": finish_reason,
            "stop_sequence": None,
        }
        if input_tokens is not None:
            cached = cached_input_tokens or 0
            # Anthropic's own count leaves out what it read from its cache.
            response["usage"] = {
                "input_tokens": input_tokens - cached,
                "cache_read_input_tokens": cached,
                "output_tokens": output_tokens,
            }
        return response
    choice = {
        "index": 0,
        "message": _openai_message(exchange.output, exchange.tool_calls, response_id),
        "finish_reason": finish_reason,
    }
    response = {
        "id": response_id,
        "object": "chat.completion",
        "created": created,
        "model": model.base_model,
        "choices": [choice],
    }
    if input_tokens is not None and output_tokens is not None:
        usage_details: dict[str, Any] = {
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        }
        if cached_input_tokens is not None:
            usage_details["prompt_tokens_details"] = {"cached_tokens": cached_input_tokens}
        if reasoning_tokens is not None:
            usage_details["completion_tokens_details"] = {"reasoning_tokens": reasoning_tokens}
        response["usage"] = usage_details
    return response
