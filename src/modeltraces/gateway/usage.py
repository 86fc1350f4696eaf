"""Asking a stream for its usage on behalf of a caller who did not: of which upstreams that may be asked.

Mistral answers 422 to `stream_options.include_usage`, Azure's older versions 400 to `stream_options`
(https://github.com/openai/openai-agents-python/issues/442). What the caller did not say must not fail the caller's call:
it is made again without, and the upstream is not asked for a while.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from modeltraces.gateway.connection import UpstreamConnection
from modeltraces.gateway.targets import Target

_SILENT_SECONDS: Final = 3600.0
"""Then it may have been brought up to date; finding out costs one refusal."""
_MOST_KNOWN: Final = 10_000
_READ_BYTES: Final = 64 << 10
"""Of a refusal, to see what was refused."""


@dataclass(slots=True)
class UsageAsking:
    """One per process, on its event loop."""

    timer: Callable[[], float] = time.monotonic
    _until: dict[tuple[str, Target], float] = field(default_factory=dict)

    def may(self, account_id: str, target: Target) -> bool:
        return self._until.get((account_id, target), 0.0) <= self.timer()

    def refused(self, account_id: str, target: Target) -> None:
        if len(self._until) >= _MOST_KNOWN:
            self._until.clear()
        self._until[account_id, target] = self.timer() + _SILENT_SECONDS


async def beginning_of(answer: UpstreamConnection) -> bytes:
    """Of its body: all of it, when it is no longer than a refusal."""
    data = b""
    while len(data) < _READ_BYTES and (more := await answer.read()):
        data += more
    return data


def is_refusal(answer: UpstreamConnection) -> bool:
    """Whether it may say that a member of the body is not known."""
    return answer.status in (400, 422)


def is_about_usage(body: bytes) -> bool:
    return b"stream_options" in body or b"include_usage" in body
