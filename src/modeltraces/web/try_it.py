"""Try it: one prompt to a model through the gateway, and its answer as events that the page's script shows as they come."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from modeltraces.api.identity import Identity
from modeltraces.catalog import keys
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.keys import ApiKey
from modeltraces.gateway.calls import call_of
from modeltraces.gateway.headers import Headers, value_of
from modeltraces.gateway.inside import BrokenOff, call_inside
from modeltraces.gateway.kept import Kept
from modeltraces.gateway.proxy import Gateway
from modeltraces.gateway.reading.outcome import Outcome, StreamReader, member, text_of
from modeltraces.gateway.sse import Splitter, data_of
from modeltraces.gateway.targets import Family
from modeltraces.ingest.otlp.messages import output_text
from modeltraces.parts import Parts
from modeltraces.run import now_us
from modeltraces.web.called_for import Task
from modeltraces.web.formatting import count, duration

SOURCE_TYPE: Final = "Playground"
MOST_CHARACTERS: Final = 100_000
"""Of a prompt: what somebody types or pastes, not what a program sends."""
_MOST_TOKENS: Final = 1024
"""Anthropic's API must be told; the others decide by themselves."""
_SHOWN_OF_ERROR: Final = 4_000
_PATHS: Final[dict[Family, str]] = {"openai": "chat/completions", "anthropic": "messages"}
_EMBEDDINGS: Final = "embeddings"
_NUMBERS_SHOWN: Final = 8


def may_try(identity: Identity) -> bool:
    """Viewers look; a call costs money."""
    return identity.role != "viewer"


def live_keys(parts: Parts, account_id: str) -> list[ApiKey]:
    """Those that may call models now, newest first."""
    now = now_us()
    return [
        key
        for key in keys.list_keys(parts.catalog, account_id)
        if "gateway" in key.scopes and (key.expires_on_us is None or key.expires_on_us > now)
    ]


@dataclass(slots=True)
class Trial:
    gateway: Gateway
    key: KeyIdentity
    family: Family
    task: Task
    model: str
    prompt: str
    streams: bool
    source: str
    request_id: str = ""
    """Of the run that records it; '' when there is none."""
    _began: float = field(default_factory=time.perf_counter)
    _first_ms: float | None = None
    _status: int = 0
    _reader: StreamReader | None = None
    _splitter: Splitter = field(default_factory=Splitter)
    _kept: Kept = field(default_factory=Kept)
    _said: bool = False
    """Whether any of the answer's text was shown."""

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """`{text}` as it comes; `{error, status, body}` as a program would get it; at the end `{done}`: time and tokens."""
        root = f"/gateway/{self.family}/v1/{self._path}"
        broken = False
        try:
            async for message in call_inside(self.gateway, self.key, root, self._headers(), self._body()):
                if message["type"] == "http.response.start":
                    self._begin(message["status"], message["headers"])
                    continue
                for text in self._read(message.get("body", b"")):
                    yield {"text": text}
        except BrokenOff:
            broken = True
        for event in self._end(broken):
            yield event

    def _headers(self) -> Headers:
        return [
            (b"content-type", b"application/json"),
            (b"x-source-type", SOURCE_TYPE.encode()),
            (b"x-source", self.source.encode()),
            *([(b"anthropic-version", b"2023-06-01")] if self.family == "anthropic" else []),
        ]

    @property
    def _path(self) -> str:
        return _EMBEDDINGS if self.task == "embeddings" else _PATHS[self.family]

    def _body(self) -> bytes:
        if self.task == "embeddings":
            return orjson.dumps({"model": self.model, "input": self.prompt})
        value: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": self.prompt}]}
        if self.family == "anthropic":
            value["max_tokens"] = _MOST_TOKENS
        if self.streams:
            value["stream"] = True
            if self.family == "openai":
                value["stream_options"] = {"include_usage": True}
        return orjson.dumps(value)

    def _begin(self, status: int, headers: Headers) -> None:
        self._status = status
        self.request_id = value_of(headers, "x-request-id")
        kind = value_of(headers, "content-type").partition(";")[0].strip().lower()
        self._kept = Kept(kind, value_of(headers, "content-encoding").strip().lower())
        call = call_of(self.family, "POST", self._path)
        if call is not None and status < 400 and kind == "text/event-stream":
            self._reader = call.stream()

    def _read(self, piece: bytes) -> list[str]:
        if self._reader is None:
            self._kept.add(piece)
            return []
        texts = []
        for event in self._splitter.feed(piece):
            name, data = data_of(event)
            if not data:
                continue
            self._reader.event(name, data)
            if self._reader.outcome.has_content and self._first_ms is None:
                self._first_ms = self._elapsed_ms
            if text := _text_in(self.family, data):
                texts.append(text)
        self._said = self._said or bool(texts)
        return texts

    def _end(self, broken: bool) -> list[dict[str, Any]]:
        elapsed = self._elapsed_ms
        outcome, body = self._outcome()
        events: list[dict[str, Any]] = []
        if not self._said and 0 < self._status < 300 and isinstance(outcome.response, dict):
            text = (_vector_words if self.task == "embeddings" else output_text)(outcome.response)
            self._said = bool(text)
            events += [{"text": text}] if text else []
        note = ""
        if self._status >= 300 or outcome.error_message or outcome.error_type:
            said = outcome.error_message or outcome.error_type or f"The upstream answered HTTP {self._status}."
            events.append({"error": said, "status": self._status, "body": body[:_SHOWN_OF_ERROR]})
        elif broken or not self._status or not outcome.is_complete:
            events.append({"error": "The answer broke off before its end.", "status": self._status, "body": ""})
        elif not self._said:
            note = " · no text came"
        return [*events, {"done": _summary(outcome, elapsed, self._first_ms) + note}]

    def _outcome(self) -> tuple[Outcome, str]:
        """What came, and an error's body as text."""
        if self._reader is not None:
            return self._reader.end(), ""
        call = call_of(self.family, "POST", self._path)
        if call is None or not self._status:
            return Outcome(), ""
        value = self._kept.value()
        outcome = call.whole(self._status, value)
        # A program's library would fail at it, as the run says.
        if self._status < 300 and not outcome.error_message and (fault := self._kept.fault(call, value)):
            outcome.error_message = f"The upstream answered HTTP {self._status} with {fault}."
        text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
        return outcome, text

    @property
    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1000


def _text_in(family: Family, data: bytes) -> str:
    """The piece of the answer's text in one event of a stream."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return ""
    if family == "anthropic":
        return text_of(member(value, "delta", "text")) if member(value, "type") == "content_block_delta" else ""
    choices = member(value, "choices")
    return text_of(member(choices[0], "delta", "content")) if isinstance(choices, list) and choices else ""


def _vector_words(response: dict[str, Any]) -> str:
    """`A vector of 1 536 numbers: 0.0123, 0.0456, …`"""
    data = response.get("data")
    vector = member(data[0], "embedding") if isinstance(data, list) and data else None
    if not isinstance(vector, list):
        return ""
    shown = ", ".join(f"{one:.4g}" for one in vector[:_NUMBERS_SHOWN] if isinstance(one, int | float))
    return f"A vector of {count(len(vector))} numbers: {shown}{', …' if len(vector) > _NUMBERS_SHOWN else ''}"


def _summary(outcome: Outcome, elapsed_ms: float, first_ms: float | None) -> str:
    parts = [duration(elapsed_ms)]
    if first_ms is not None:
        parts.append(f"first token after {duration(first_ms)}")
    if outcome.output_tokens is not None:
        parts.append(f"{count(outcome.input_tokens)} tokens in, {count(outcome.output_tokens)} out")
    elif outcome.input_tokens is not None:
        parts.append(f"{count(outcome.input_tokens)} tokens in")
    return " · ".join(parts)
