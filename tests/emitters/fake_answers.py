"""What the fake provider answers: the wire forms of OpenAI's and Anthropic's APIs, with known contents and counts."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ANSWER = "It is 18 degrees and sunny in Lisbon."
FINAL_ANSWER = "Lisbon: 18 degrees."
"""Said once a tool's result is in the messages."""
REASONING_TOKENS = 5
INPUT_TOKENS = 42
"""Cached ones included. Anthropic's wire splits it into 30 fresh, 8 written to the cache and 4 read from it."""
OUTPUT_TOKENS = 17
CACHED_TOKENS = 4
CACHE_WRITE_TOKENS = 8
EMBEDDING_TOKENS = 6


@dataclass(frozen=True)
class Scenario:
    name: str
    body: dict[str, Any]

    @property
    def model(self) -> str:
        """The served model: not the requested one, as with the real providers' aliases."""
        return f"{self.body['model']}-2026-07-18"

    @property
    def tool(self) -> str:
        """The tool to call, or '': the first one offered, in a tool scenario that has no tool's result yet."""
        tools = self.body.get("tools") or []
        if not tools or self.name != "tool" or self._tool_answered():
            return ""
        first = tools[0]
        return str(first.get("name") or first["function"]["name"])

    @property
    def answer(self) -> str:
        return FINAL_ANSWER if self._tool_answered() else ANSWER

    def _tool_answered(self) -> bool:
        messages = self.body.get("messages") or self.body.get("input")
        for message in messages if isinstance(messages, list) else []:
            if message.get("role") == "tool" or message.get("type") == "function_call_output":
                return True
            content = message.get("content")
            if isinstance(content, list) and any(part.get("type") == "tool_result" for part in content):
                return True
        return False


ARGUMENTS = json.dumps({"city": "Lisbon"})
USAGE = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": REASONING_TOKENS, "audio_tokens": 0},
}
RESPONSES_USAGE = {
    "input_tokens": INPUT_TOKENS,
    "input_tokens_details": {"cached_tokens": CACHED_TOKENS, "cache_write_tokens": 0},
    "output_tokens": OUTPUT_TOKENS,
    "output_tokens_details": {"reasoning_tokens": REASONING_TOKENS},
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}
ANTHROPIC_USAGE = {
    "input_tokens": INPUT_TOKENS - CACHED_TOKENS - CACHE_WRITE_TOKENS,
    "cache_creation_input_tokens": CACHE_WRITE_TOKENS,
    "cache_read_input_tokens": CACHED_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "service_tier": "standard",
}


def _sse(data: dict[str, Any], event: str = "") -> bytes:
    return ((f"event: {event}\n" if event else "") + f"data: {json.dumps(data)}\n\n").encode()


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word if number == 0 else f" {word}" for number, word in enumerate(words)]


def openai_completion(scenario: Scenario, ident: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": scenario.answer, "refusal": None, "annotations": []}
    finish = "stop"
    if scenario.tool:
        function = {"name": scenario.tool, "arguments": ARGUMENTS}
        calls = [{"id": "call_" + ident[9:], "type": "function", "function": function}]
        message |= {"content": None, "tool_calls": calls}
        finish = "tool_calls"
    return {
        "id": ident,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": scenario.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def openai_chunks(scenario: Scenario, ident: str) -> Iterator[bytes]:
    def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: object) -> bytes:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        base = {"id": ident, "object": "chat.completion.chunk", "created": int(time.time()), "model": scenario.model}
        return _sse(base | {"choices": choices} | more)

    yield chunk({"role": "assistant", "content": "" if not scenario.tool else None, "refusal": None})
    if scenario.tool:
        function = {"name": scenario.tool, "arguments": ""}
        head = {"index": 0, "id": "call_" + ident[9:], "type": "function", "function": function}
        yield chunk({"tool_calls": [head]})
        for piece in _pieces(ARGUMENTS):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        yield chunk({}, "tool_calls")
    else:
        for piece in _pieces(scenario.answer):
            yield chunk({"content": piece})
        yield chunk({}, "stop")
    if (scenario.body.get("stream_options") or {}).get("include_usage"):
        yield chunk(None, usage=USAGE)
    yield b"data: [DONE]\n\n"


def responses_answer(scenario: Scenario, ident: str) -> dict[str, Any]:
    return _response(scenario, ident, "completed", [_responses_item(scenario, ident)], RESPONSES_USAGE)


def _responses_item(scenario: Scenario, ident: str) -> dict[str, Any]:
    if scenario.tool:
        call = {"type": "function_call", "id": "fc_" + ident[5:], "call_id": "call_" + ident[5:], "name": scenario.tool}
        return call | {"arguments": ARGUMENTS, "status": "completed"}
    content = [{"type": "output_text", "text": scenario.answer, "annotations": [], "logprobs": []}]
    item = {"type": "message", "id": "msg_" + ident[5:], "role": "assistant", "status": "completed"}
    return item | {"content": content}


def _response(
    scenario: Scenario, ident: str, status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None
) -> dict[str, Any]:
    body = scenario.body
    return {
        "id": ident,
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": scenario.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
        "metadata": {},
    }


def responses_events(scenario: Scenario, ident: str) -> Iterator[bytes]:
    number = -1

    def event(kind: str, **fields: object) -> bytes:
        nonlocal number
        number += 1
        return _sse({"type": kind, "sequence_number": number} | fields, kind)

    item = _responses_item(scenario, ident)
    started = _response(scenario, ident, "in_progress", [], None)
    yield event("response.created", response=started)
    yield event("response.in_progress", response=started)
    empty: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
    yield event("response.output_item.added", output_index=0, item=item | {"status": "in_progress"} | empty)
    place = {"item_id": item["id"], "output_index": 0}
    if item["type"] == "function_call":
        yield event("response.function_call_arguments.delta", **place, delta=ARGUMENTS)
        yield event("response.function_call_arguments.done", **place, arguments=ARGUMENTS, name=item["name"])
    else:
        part = item["content"][0]
        yield event("response.content_part.added", **place, content_index=0, part=part | {"text": ""})
        for piece in _pieces(part["text"]):
            yield event("response.output_text.delta", **place, content_index=0, delta=piece, logprobs=[])
        yield event("response.output_text.done", **place, content_index=0, text=part["text"], logprobs=[])
        yield event("response.content_part.done", **place, content_index=0, part=part)
    yield event("response.output_item.done", output_index=0, item=item)
    yield event("response.completed", response=responses_answer(scenario, ident))


def anthropic_message(scenario: Scenario, ident: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": scenario.answer}]
    stop = "end_turn"
    if scenario.tool:
        said = {"type": "text", "text": "I will look that up."}
        content = [
            said,
            {"type": "tool_use", "id": "toolu_" + ident[4:], "name": scenario.tool, "input": json.loads(ARGUMENTS)},
        ]
        stop = "tool_use"
    return {
        "id": ident,
        "type": "message",
        "role": "assistant",
        "model": scenario.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": ANTHROPIC_USAGE,
    }


def anthropic_events(scenario: Scenario, ident: str) -> Iterator[bytes]:
    whole = anthropic_message(scenario, ident)

    def event(kind: str, **fields: object) -> bytes:
        return _sse({"type": kind} | fields, kind)

    head = whole | {"content": [], "stop_reason": None, "usage": ANTHROPIC_USAGE | {"output_tokens": 1}}
    yield event("message_start", message=head)
    for index, block in enumerate(whole["content"]):
        if block["type"] == "tool_use":
            yield event("content_block_start", index=index, content_block=block | {"input": {}})
            pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_pieces(ARGUMENTS))]
        else:
            yield event("content_block_start", index=index, content_block={"type": "text", "text": ""})
            pieces = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        for piece in pieces:
            yield event("content_block_delta", index=index, delta=piece)
        yield event("content_block_stop", index=index)
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=delta, usage={"output_tokens": OUTPUT_TOKENS})
    yield event("message_stop")
