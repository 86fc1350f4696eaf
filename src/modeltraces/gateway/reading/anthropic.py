"""Anthropic's answers: messages, whole and as streams."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from modeltraces.gateway.reading.outcome import Outcome, count_of, member, text_of

_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def read_whole(status: int, body: Any) -> Outcome:
    """The outcome of a response that came in one piece. `body`: its JSON, or its text where it is none."""
    outcome = Outcome(response=body, has_content=status < 400)
    if status >= 400:
        read_error(outcome, body)
        return outcome
    _read_message(outcome, body)
    if member(body, "type") == "error":
        read_error(outcome, body)
        outcome.error_type = outcome.error_type or "error"
    return outcome


def read_error(outcome: Outcome, body: Any) -> None:
    outcome.error_type = text_of(member(body, "error", "type"))
    outcome.error_message = text_of(member(body, "error", "message")) or (body if isinstance(body, str) else "")


@dataclass(slots=True)
class MessageStream:
    """Events → the message that they amount to."""

    outcome: Outcome = field(default_factory=lambda: Outcome(is_complete=False))
    _message: dict[str, Any] = field(default_factory=dict)
    _blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    _inputs: dict[int, list[str]] = field(default_factory=dict)
    _texts: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    """By block and member, in pieces: joined once, as a long answer has tens of thousands."""

    def event(self, name: str, data: bytes) -> None:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        kind = text_of(member(event, "type")) or name
        index = member(event, "index")
        place = index if isinstance(index, int) else 0
        match kind:
            case "message_start":
                message = member(event, "message")
                self._message = dict(message) if isinstance(message, dict) else {}
            case "content_block_start" | "content_block_delta" if self.outcome.is_cut:
                pass
            case "content_block_start":
                block = member(event, "content_block")
                self._blocks[place] = dict(block) if isinstance(block, dict) else {}
                self.outcome.has_content = self.outcome.has_content or member(block, "type") == "tool_use"
            case "content_block_delta":
                self._delta(self._blocks.setdefault(place, {}), place, member(event, "delta"))
            case "message_delta":
                delta = member(event, "delta")
                self._message.update(delta if isinstance(delta, dict) else {})
                usage = member(event, "usage")
                if isinstance(usage, dict):
                    known = self._message.get("usage")
                    self._message["usage"] = {**(known if isinstance(known, dict) else {}), **usage}
            case "message_stop":
                self.outcome.is_complete = True
            case "error":
                read_error(self.outcome, event)
                self.outcome.error_type = self.outcome.error_type or "stream_error"

    def _delta(self, block: dict[str, Any], place: int, delta: Any) -> None:
        kind = text_of(member(delta, "type"))
        if kind == "input_json_delta":
            self._inputs.setdefault(place, []).append(text_of(member(delta, "partial_json")))
            self.outcome.has_content = True
        elif (key := _DELTAS.get(kind)) is not None:
            text = text_of(member(delta, key))
            self._texts.setdefault((place, key), [text_of(block.get(key))]).append(text)
            self.outcome.has_content = self.outcome.has_content or (bool(text) and key != "signature")

    def end(self) -> Outcome:
        for (place, key), pieces in self._texts.items():
            self._blocks[place][key] = "".join(pieces)
        for place, pieces in self._inputs.items():
            text = "".join(pieces)
            try:
                self._blocks[place]["input"] = orjson.loads(text) if text else {}
            except orjson.JSONDecodeError:
                # Broken off in the middle: kept as far as it came.
                self._blocks[place]["input"] = text
        if self._message or self._blocks:
            self._message["content"] = [self._blocks[place] for place in sorted(self._blocks)]
            self.outcome.response = self._message
        _read_message(self.outcome, self._message)
        return self.outcome


def _read_message(outcome: Outcome, body: Any) -> None:
    outcome.response_id = text_of(member(body, "id"))
    outcome.served_model = text_of(member(body, "model"))
    fresh = count_of(member(body, "usage", "input_tokens"))
    cached = count_of(member(body, "usage", "cache_read_input_tokens"))
    written = count_of(member(body, "usage", "cache_creation_input_tokens"))
    # Anthropic counts what comes from the cache apart; everybody else counts it with the input.
    outcome.input_tokens = None if fresh is None else fresh + (cached or 0) + (written or 0)
    outcome.cached_input_tokens, outcome.cache_write_input_tokens = cached, written
    outcome.output_tokens = count_of(member(body, "usage", "output_tokens"))
    reason = text_of(member(body, "stop_reason"))
    outcome.finish_reasons = [reason] if reason else []
