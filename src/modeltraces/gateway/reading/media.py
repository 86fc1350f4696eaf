"""Answers of what makes or reads sound and images: streams of pieces whose last event has the whole, and its usage."""

from dataclasses import dataclass, field
from typing import Any

from modeltraces.gateway.reading.openai import read_error, read_usage
from modeltraces.gateway.reading.outcome import Outcome, event_of, member, text_of

_ENDS = (".done", ".completed")


@dataclass(slots=True)
class MediaStream:
    """`transcript.text.delta` … `transcript.text.done`, `image_generation.partial_image` … `image_generation.completed`,
    `speech.audio.delta` … `speech.audio.done`."""

    outcome: Outcome = field(default_factory=lambda: Outcome(is_complete=False))
    _texts: list[str] = field(default_factory=list)
    _last: dict[str, Any] = field(default_factory=dict)

    def event(self, name: str, data: bytes) -> None:
        if data.strip() == b"[DONE]":
            self.outcome.is_complete = True
            return
        event = event_of(data)
        if event is None:
            return
        kind = text_of(event.get("type")) or name
        if event.get("error") is not None or kind == "error":
            read_error(self.outcome, event if "error" in event else {"error": event})
            self.outcome.error_type = self.outcome.error_type or "stream_error"
        elif kind.endswith(_ENDS):
            self._last = event
            self.outcome.is_complete = True
            self.outcome.has_content = True
        else:
            # Sound in pieces is no text, and is not kept.
            self.outcome.has_content = True
            if kind.endswith("text.delta") and not self.outcome.is_cut:
                self._texts.append(text_of(event.get("delta")))

    def end(self) -> Outcome:
        body = dict(self._last)
        if self._texts and "text" not in body:
            body["text"] = "".join(self._texts)
        self.outcome.response = body or None
        read_usage(self.outcome, member(body, "usage"))
        return self.outcome
