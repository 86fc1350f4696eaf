"""OpenAI's answers: chat completions, completions, embeddings, responses; whole and as streams."""

from dataclasses import dataclass, field
from typing import Any

from modeltraces.gateway.reading.outcome import Outcome, count_of, event_of, member, text_of

_DELTA_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


def read_whole(status: int, body: Any) -> Outcome:
    """The outcome of a response that came in one piece. `body`: its JSON, or its text where it is none."""
    outcome = Outcome(response=body, has_content=status < 400)
    if status >= 400:
        read_error(outcome, body)
        return outcome
    _read_head(outcome, body)
    read_usage(outcome, member(body, "usage"))
    outcome.finish_reasons = _finish_reasons(body)
    if member(body, "status") == "failed" or (member(body, "error") and not member(body, "choices")):
        # OpenRouter says so with a status of 200.
        read_error(outcome, body)
        outcome.error_type = outcome.error_type or "error"
    return outcome


def read_error(outcome: Outcome, body: Any) -> None:
    error = member(body, "error")
    if isinstance(error, dict):
        outcome.error_type = text_of(error.get("type"))
        outcome.error_message = text_of(error.get("message"))
        code = error.get("code")
        outcome.error_code = str(code) if isinstance(code, str | int) else ""
    elif isinstance(error, str):
        outcome.error_message = error
    elif isinstance(body, dict):
        outcome.error_message = text_of(body.get("message")) or text_of(body.get("detail"))
    elif isinstance(body, str):
        outcome.error_message = body


@dataclass(slots=True)
class ChatStream:
    """Chunks of chat completions and completions → the completion that they amount to."""

    outcome: Outcome = field(default_factory=lambda: Outcome(is_complete=False))
    _head: dict[str, Any] = field(default_factory=dict)
    _choices: dict[int, dict[str, Any]] = field(default_factory=dict)
    _calls: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    _call_texts: dict[tuple[int, int, str], list[str]] = field(default_factory=dict)
    _texts: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    """By choice and member, in pieces: joined once, as a long answer has tens of thousands."""
    _usage: Any = None

    def event(self, name: str, data: bytes) -> None:
        if data.strip() == b"[DONE]":
            self.outcome.is_complete = True
            return
        chunk = event_of(data)
        if chunk is None:
            return
        if chunk.get("error") is not None:
            read_error(self.outcome, chunk)
            self.outcome.error_type = self.outcome.error_type or "stream_error"
            return
        for key in ("id", "created", "model", "system_fingerprint", "service_tier"):
            if chunk.get(key) is not None:
                self._head.setdefault(key, chunk[key])
        if isinstance(chunk.get("object"), str):
            self._head.setdefault("object", chunk["object"].removesuffix(".chunk"))
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._choice(choice)

    def _choice(self, choice: dict[str, Any]) -> None:
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        if self.outcome.is_cut:
            if index in self._choices and choice.get("finish_reason") is not None:
                self._choices[index]["finish_reason"] = choice["finish_reason"]
            return
        made = self._choices.setdefault(index, {"index": index})
        if isinstance(choice.get("text"), str):
            self._texts.setdefault((index, "text"), []).append(choice["text"])
            self.outcome.has_content = self.outcome.has_content or bool(choice["text"])
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._delta(index, made.setdefault("message", {"role": "assistant", "content": None}), delta)
        if choice.get("finish_reason") is not None:
            made["finish_reason"] = choice["finish_reason"]

    def _delta(self, index: int, message: dict[str, Any], delta: dict[str, Any]) -> None:
        if isinstance(delta.get("role"), str):
            message["role"] = delta["role"]
        for key in _DELTA_TEXTS:
            text = delta.get(key)
            if isinstance(text, str):
                self._texts.setdefault((index, key), []).append(text)
                self.outcome.has_content = self.outcome.has_content or bool(text)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self.outcome.has_content = True
                place = call.get("index")
                place = place if isinstance(place, int) else 0
                made = self._calls.setdefault(index, {}).setdefault(
                    place, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                )  # fmt: skip
                made["id"] = made["id"] or text_of(call.get("id"))
                made["type"] = text_of(call.get("type")) or made["type"]
                for part in ("name", "arguments"):
                    if text := text_of(member(call, "function", part)):
                        self._call_texts.setdefault((index, place, part), []).append(text)
        function = delta.get("function_call")
        if isinstance(function, dict):
            self.outcome.has_content = True
            made = message.setdefault("function_call", {"name": "", "arguments": ""})
            for part in ("name", "arguments"):
                made[part] += text_of(function.get(part))

    def end(self) -> Outcome:
        for (index, key), pieces in self._texts.items():
            made = self._choices[index]
            (made if key == "text" else made["message"])[key] = "".join(pieces)
        for (index, place, part), pieces in self._call_texts.items():
            self._calls[index][place]["function"][part] = "".join(pieces)
        for index, calls in self._calls.items():
            self._choices[index]["message"]["tool_calls"] = [calls[place] for place in sorted(calls)]
        choices = [self._choices[index] for index in sorted(self._choices)]
        if self._head or choices:
            self.outcome.response = {**self._head, "choices": choices}
            if self._usage is not None:
                self.outcome.response["usage"] = self._usage
        _read_head(self.outcome, self._head)
        read_usage(self.outcome, self._usage)
        self.outcome.finish_reasons = [text_of(one["finish_reason"]) for one in choices if one.get("finish_reason")]
        # Servers that end without [DONE] have said of every choice why it ended.
        if choices and all(choice.get("finish_reason") for choice in choices):
            self.outcome.is_complete = True
        return self.outcome


@dataclass(slots=True)
class ResponsesStream:
    """Events of the Responses API: its last one bears the whole response."""

    outcome: Outcome = field(default_factory=lambda: Outcome(is_complete=False))
    _latest: Any = None
    _texts: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    def event(self, name: str, data: bytes) -> None:
        event = event_of(data)
        if event is None:
            return
        kind = text_of(event.get("type")) or name
        if isinstance(event.get("response"), dict):
            self._latest = event["response"]
        if kind.endswith(".delta"):
            self.outcome.has_content = True
        if kind == "response.output_text.delta" and not self.outcome.is_cut:
            place = (count_of(event.get("output_index")) or 0, count_of(event.get("content_index")) or 0)
            self._texts.setdefault(place, []).append(text_of(event.get("delta")))
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self.outcome.is_complete = True
        elif kind == "error":
            read_error(self.outcome, event if "error" in event else {"error": event})
            self.outcome.error_type = self.outcome.error_type or "stream_error"

    def end(self) -> Outcome:
        body = self._latest
        if self._texts and not member(body, "output"):
            texts = ["".join(self._texts[place]) for place in sorted(self._texts)]
            content = [{"type": "output_text", "text": text} for text in texts]
            body = {**(body or {}), "output": [{"type": "message", "role": "assistant", "content": content}]}
        self.outcome.response = body
        _read_head(self.outcome, body)
        read_usage(self.outcome, member(body, "usage"))
        self.outcome.finish_reasons = _finish_reasons(body)
        if member(body, "status") == "failed":
            read_error(self.outcome, body)
        return self.outcome


def _read_head(outcome: Outcome, body: Any) -> None:
    outcome.response_id = text_of(member(body, "id"))
    outcome.served_model = text_of(member(body, "model"))


def read_usage(outcome: Outcome, usage: Any) -> None:
    outcome.input_tokens = _first(usage, ("prompt_tokens",), ("input_tokens",))
    outcome.output_tokens = _first(usage, ("completion_tokens",), ("output_tokens",))
    outcome.cached_input_tokens = _first(
        usage, ("prompt_tokens_details", "cached_tokens"), ("input_tokens_details", "cached_tokens")
    )
    outcome.reasoning_tokens = _first(
        usage,
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
    )


def _first(value: Any, *paths: tuple[str, ...]) -> int | None:
    for path in paths:
        if (found := count_of(member(value, *path))) is not None:
            return found
    return None


def _finish_reasons(body: Any) -> list[str]:
    choices = member(body, "choices")
    if isinstance(choices, list):
        return [
            text_of(member(choice, "finish_reason")) for choice in choices if text_of(member(choice, "finish_reason"))
        ]
    status = text_of(member(body, "status"))
    if status == "incomplete":
        return [text_of(member(body, "incomplete_details", "reason")) or status]
    return [status] if status else []
