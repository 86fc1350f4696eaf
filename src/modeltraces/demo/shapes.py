"""Answers in the shapes of OpenAI's and Anthropic's APIs: whole, and as the events of a stream."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol
from uuid import uuid4

import orjson

from modeltraces.demo.asked import Asked

DONE = b"data: [DONE]\n\n"


class Shape(Protocol):
    def whole(self) -> dict[str, Any]: ...

    def events(self) -> Iterator[bytes]: ...


class Chat:
    """`chat/completions`."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": asked.model}
        self._reason = "tool_calls" if asked.call else "length" if asked.is_cut else "stop"
        self._usage = _usage([asked])

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self._asked.text}
        if self._asked.call:
            message |= {"content": None, "tool_calls": [self._call(self._asked.text)]}
        choice = {"index": 0, "message": message, "finish_reason": self._reason}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage}

    def events(self) -> Iterator[bytes]:
        call = self._asked.call
        yield self._event({"role": "assistant", "content": None if call else ""})
        if call:
            yield self._event({"tool_calls": [{"index": 0, **self._call("")}]})
        for piece in self._asked.pieces:
            given = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} if call else {"content": piece}
            yield self._event(given)
        yield self._event({}, self._reason)
        if self._asked.tells_usage:
            yield self._said({"choices": [], "usage": self._usage})
        yield DONE

    def _call(self, arguments: str) -> dict[str, Any]:
        call = self._asked.call
        assert call is not None
        return {"id": f"call_{call.id}", "type": "function", "function": {"name": call.name, "arguments": arguments}}

    def _event(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        return self._said({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    def _said(self, more: dict[str, Any]) -> bytes:
        return _data({**self._head, "object": "chat.completion.chunk", **more})


class Completions:
    """`completions`: an answer to each prompt."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._asked = asked
        self._head = {
            "id": f"cmpl-{uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": asked[0].model,
        }

    def whole(self) -> dict[str, Any]:
        choices = [_choice(index, one.text, _why(one)) for index, one in enumerate(self._asked)]
        return {**self._head, "choices": choices, "usage": _usage(self._asked)}

    def events(self) -> Iterator[bytes]:
        for index, one in enumerate(self._asked):
            for piece in one.pieces:
                yield _data({**self._head, "choices": [_choice(index, piece, None)]})
            yield _data({**self._head, "choices": [_choice(index, "", _why(one))]})
        if self._asked[0].tells_usage:
            yield _data({**self._head, "choices": [], "usage": _usage(self._asked)})
        yield DONE


class Response:
    """`responses`."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._id, self._number = uuid4().hex, -1
        self._status = "incomplete" if asked.is_cut else "completed"
        made = len(asked.pieces)
        self._usage = {
            "input_tokens": asked.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked.input_tokens + made,
        }
        self._created = int(time.time())

    def whole(self) -> dict[str, Any]:
        return self._response(self._status, [self._item(self._asked.text, self._status)])

    def events(self) -> Iterator[bytes]:
        started = self._response("in_progress", [])
        yield self._event("created", response=started)
        yield self._event("in_progress", response=started)
        item = self._item(self._asked.text, self._status)
        begun = self._item("", "in_progress")
        yield self._event(
            "output_item.added", output_index=0, item=begun if self._asked.call else {**begun, "content": []}
        )
        yield from self._arguments(item["id"]) if self._asked.call else self._text(item["id"])
        yield self._event("output_item.done", output_index=0, item=item)
        yield self._event(self._status, response=self.whole())

    def _arguments(self, item_id: str) -> Iterator[bytes]:
        place = {"item_id": item_id, "output_index": 0}
        for piece in self._asked.pieces:
            yield self._event("function_call_arguments.delta", **place, delta=piece)
        assert self._asked.call is not None
        name, arguments = self._asked.call.name, self._asked.text
        yield self._event("function_call_arguments.done", **place, name=name, arguments=arguments)

    def _text(self, item_id: str) -> Iterator[bytes]:
        place = {"item_id": item_id, "output_index": 0, "content_index": 0}
        yield self._event("content_part.added", **place, part=_part(""))
        for piece in self._asked.pieces:
            yield self._event("output_text.delta", **place, delta=piece, logprobs=[])
        yield self._event("output_text.done", **place, text=self._asked.text, logprobs=[])
        yield self._event("content_part.done", **place, part=_part(self._asked.text))

    def _item(self, text: str, status: str) -> dict[str, Any]:
        if call := self._asked.call:
            named = {"type": "function_call", "id": f"fc_{call.id}", "call_id": f"call_{call.id}", "name": call.name}
            return {**named, "arguments": text, "status": status}
        named = {"type": "message", "id": f"msg_{self._id}", "role": "assistant"}
        return {**named, "content": [_part(text)], "status": status}

    def _response(self, status: str, output: list[Any]) -> dict[str, Any]:
        return {
            "id": f"resp_{self._id}", "object": "response", "created_at": self._created, "status": status, "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": None, "metadata": {}, "model": self._asked.model, "output": output, "parallel_tool_calls": True,
            "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            "usage": None if status == "in_progress" else self._usage,
        }  # fmt: skip

    def _event(self, kind: str, /, **more: Any) -> bytes:
        self._number += 1
        return _named_event(f"response.{kind}", {"sequence_number": self._number, **more})


class Message:
    """Anthropic's `messages`."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._reason = "tool_use" if asked.call else "max_tokens" if asked.is_cut else "end_turn"
        self._head = {"id": f"msg_{uuid4().hex}", "type": "message", "role": "assistant", "model": asked.model}

    def whole(self) -> dict[str, Any]:
        call = self._asked.call
        block = self._block(call.arguments) if call else {"type": "text", "text": self._asked.text}
        return self._message([block], self._reason, len(self._asked.pieces))

    def events(self) -> Iterator[bytes]:
        yield self._event("message_start", message=self._message([], None, 1))
        call = self._asked.call
        begun = self._block({}) if call else {"type": "text", "text": ""}
        yield self._event("content_block_start", index=0, content_block=begun)
        kind, holds = ("input_json_delta", "partial_json") if call else ("text_delta", "text")
        for piece in self._asked.pieces:
            yield self._event("content_block_delta", index=0, delta={"type": kind, holds: piece})
        yield self._event("content_block_stop", index=0)
        end = {"stop_reason": self._reason, "stop_sequence": None}
        yield self._event("message_delta", delta=end, usage={"output_tokens": len(self._asked.pieces)})
        yield self._event("message_stop")

    def _block(self, given: dict[str, Any]) -> dict[str, Any]:
        call = self._asked.call
        assert call is not None
        return {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": given}

    def _message(self, content: list[Any], reason: str | None, output_tokens: int) -> dict[str, Any]:
        usage = {"input_tokens": self._asked.input_tokens, "output_tokens": output_tokens}
        return {**self._head, "content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}

    def _event(self, kind: str, /, **more: Any) -> bytes:
        return _named_event(kind, more)


def _usage(asked: Sequence[Asked]) -> dict[str, int]:
    given, made = sum(one.input_tokens for one in asked), sum(len(one.pieces) for one in asked)
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _why(asked: Asked) -> str:
    return "length" if asked.is_cut else "stop"


def _choice(index: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _data(value: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(value)


def _named_event(name: str, value: dict[str, Any]) -> bytes:
    return b"event: %b\n" % name.encode() + _data({"type": name, **value})
