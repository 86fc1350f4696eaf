"""One call through the gateway: what was asked, where it went, what came back, and the run that records it."""

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson

from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.matching.rules import host_and_port
from modeltraces.gateway.reading.outcome import Outcome, member
from modeltraces.gateway.targets import Target
from modeltraces.ingest.native import attributes_within, error_within, set_text
from modeltraces.ingest.otlp.messages import input_text, output_text, text_of_part
from modeltraces.ingest.otlp.payloads import clean
from modeltraces.ingest.recordings import Limits
from modeltraces.run import CLIENT_LEFT, Run, new_request_id, now_us

ATTEMPTS: Final = "gateway.attempts"
"""Attribute of a call that was sent to several places: JSON, these in their order, each with `status` or `error`, and `ms`.

Of one place the run itself says all of that; so the attribute finds the calls that fell back."""
_BYTES_A_TOKEN: Final = 4
"""Of text: what English comes to, as its providers say."""
_LONGEST_NAME: Final = 500
_MOST_REASONS: Final = 60
_host_and_port: Final = lru_cache(maxsize=1024)(host_and_port)


@dataclass(slots=True)
class Attempt:
    """One target that a call was sent to."""

    place: str
    began_ms: float
    """After the call came."""
    status: int | None = None
    error: str = ""
    ms: float | None = None
    """None while it lasts."""

    def end(self, elapsed_ms: float, status: int | None, error: str) -> None:
        self.ms, self.status, self.error = elapsed_ms - self.began_ms, status, error

    @property
    def said(self) -> dict[str, Any]:
        outcome = {"error": self.error} if self.error else {"status": self.status}
        return {"place": self.place, **outcome, "ms": round(self.ms or 0.0, 3)}


@dataclass(slots=True)
class Exchange:
    key: KeyIdentity
    operation: str
    asked: str
    """The model as the caller named it."""
    target: Target
    request: Any
    is_stream: bool
    source_type: str = ""
    source: str = ""
    session_id: str = ""
    user_id: str = ""
    trace_id: str = ""
    parent_span_id: str = ""
    input: str = ""
    """What its text shows, where the request is not what a person reads."""
    request_bytes: int = 0
    started_us: int = field(default_factory=now_us)
    _request_id: str = ""
    _began: float = field(default_factory=time.perf_counter)
    first_content_ms: float | None = None
    ended_ms: float | None = None
    status: int | None = None
    upstream_request_id: str = ""
    broken: str = ""
    """What broke the call off, in our words; '' when nothing did."""
    has_client_left: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    """The targets that it was sent to, when somebody said how the model's calls are spread."""
    _begun: tuple[Limits, Run] | None = None
    """The run as far as its request says, and what it was made within."""

    @property
    def request_id(self) -> str:
        # When it is asked for: by then the call is on its way.
        if not self._request_id:
            self._request_id = new_request_id(self.started_us)
        return self._request_id

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1000

    def content_came(self) -> None:
        if self.first_content_ms is None:
            self.first_content_ms = self.elapsed_ms

    def spent(self, outcome: Outcome) -> Outcome:
        """What counts against a limit of tokens: what the upstream told. Of a call whose caller left before it told all, a token
        for each four bytes of text that it was asked and had passed: leaving early is no way around a limit."""
        if not self.has_client_left or (self.status is not None and self.status >= 400):
            return outcome
        run = self.run(outcome, Limits(record_content=False))
        asked = -(-run.input_size // _BYTES_A_TOKEN) if outcome.input_tokens is None else outcome.input_tokens
        return Outcome(
            input_tokens=asked, output_tokens=max(outcome.output_tokens or 0, -(-run.output_size // _BYTES_A_TOKEN))
        )

    def begin(self, limits: Limits) -> None:
        """What its run says of the request is made now, while the upstream works on the answer."""
        if self._begun is None:
            self._begun = limits, self._asked_run(limits)

    def run(self, outcome: Outcome, limits: Limits) -> Run:
        """The run that records it. Masking and cutting are done here: what the journal holds may be stored as it is."""
        if self._begun is not None and self._begun[0] is limits:
            run, self._begun = self._begun[1], None
        else:
            run = self._asked_run(limits)
        self._answer(run, outcome, limits)
        return run

    def _asked_run(self, limits: Limits) -> Run:
        """As far as its request says. Its fields are set one by one: read as JSON from outside, which they are not, they took a
        tenth of a call."""
        key, request_id = self.key, self.request_id
        # To the microsecond, which the contract's own field may not bear.
        run = Run(key.account_id, request_id, self.started_us, "", instrumentation="gateway", received_on_us=now_us())
        run.operation = self.operation
        run.source_type = _name(self.source_type) or key.default_source_type or "API"
        run.source = _name(self.source) or key.default_source or key.name
        run.trace_id, run.parent_span_id = self.trace_id or secrets.token_hex(16), self.parent_span_id
        run.span_id = hashlib.blake2b(request_id.encode(), digest_size=8).hexdigest()
        run.session_id, run.user_id = _name(self.session_id), _name(self.user_id)
        set_text(
            run, "input", "request", input_text, _given({"request": self.request, "input": clean(self.input)}), limits
        )
        return run

    def _answer(self, run: Run, outcome: Outcome, limits: Limits) -> None:
        """What the end of the call says, on its run."""
        target = self.target
        run.model = _name(target.recorded)
        run.base_model = _name(outcome.served_model)
        run.provider = _name(target.provider)
        run.deployment_version, run.connection_name = target.deployment_version, target.connection_name
        run.response_time_ms = self.ended_ms if self.ended_ms is not None else self.elapsed_ms
        run.time_to_first_token_ms = self.first_content_ms if self.is_stream else None
        run.streaming = self.is_stream
        run.input_tokens, run.output_tokens = outcome.input_tokens, outcome.output_tokens
        run.cached_input_tokens = outcome.cached_input_tokens
        run.cache_write_input_tokens = outcome.cache_write_input_tokens
        run.reasoning_tokens = outcome.reasoning_tokens
        run.finish_reasons = self._finish_reasons(outcome)
        run.response_id = _name(outcome.response_id)
        if error := self._error(outcome):
            run.status = "failed"
            run.error_type, run.error_code = clean(error["type"]), clean(error["code"])
            run.error_message = error_within(clean(error["message"]), limits)
        output = text_of_part(outcome.response) if member(outcome.response, "type") == "blob" else ""
        set_text(
            run,
            "output",
            "response",
            output_text,
            _given({"response": outcome.response, "output": clean(output)}),
            limits,
        )
        run.attributes = attributes_within(self._attributes(), limits)

    def _finish_reasons(self, outcome: Outcome) -> list[str]:
        kept = [_name(reason) for reason in outcome.finish_reasons[:_MOST_REASONS]]
        return [*kept, CLIENT_LEFT] if self.has_client_left else kept

    def _error(self, outcome: Outcome) -> dict[str, str] | None:
        kind, code = outcome.error_type[:_LONGEST_NAME], outcome.error_code[:_LONGEST_NAME]
        # A redirect is passed back to a caller who wanted an answer.
        if self.status is not None and self.status >= 300:
            message = outcome.error_message or f"The upstream answered HTTP {self.status}."
            return {"type": kind or f"http_{self.status}", "message": message, "code": code or str(self.status)}
        if kind or outcome.error_message:
            return {"type": kind, "message": outcome.error_message, "code": code}
        if self.broken:
            return {"type": "gateway", "message": self.broken, "code": ""}
        return None

    def _attributes(self) -> dict[str, str]:
        host, port = _host_and_port(self.target.base_url)
        attributes = {
            "server.address": host,
            "server.port": port,
            "gateway.asked": self.asked,
            "http.response.status_code": "" if self.status is None else str(self.status),
            "gateway.upstream_request_id": self.upstream_request_id,
            ATTEMPTS: self._attempts(),
        }
        return {name: clean(value) for name, value in attributes.items() if value}

    def _attempts(self) -> str:
        if len(self.attempts) < 2:
            return ""
        last = self.attempts[-1]
        if last.ms is None:
            said = "The caller left." if self.has_client_left else self.broken
            last.end(self.elapsed_ms if self.ended_ms is None else self.ended_ms, self.status, said)
        return orjson.dumps([attempt.said for attempt in self.attempts]).decode()


def _name(text: str) -> str:
    return clean(text[:_LONGEST_NAME]).strip() if text else ""


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != ""}
