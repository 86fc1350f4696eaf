"""What is read from an answer, whatever protocol it is in."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson


@dataclass(slots=True)
class Outcome:
    response: Any = None
    """The whole response; of a stream, what its events amount to."""
    response_id: str = ""
    served_model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    finish_reasons: list[str] = field(default_factory=list)
    error_type: str = ""
    error_message: str = ""
    error_code: str = ""
    is_complete: bool = True
    """Whether all of it came: a stream's last event, a body's end."""
    is_cut: bool = False
    """Whether it is longer than what is recorded: no more of its content is kept, but how it ends, and its tokens."""
    has_content: bool = False
    """Whether anything of the answer itself came: the first such moment is the time to first token."""


class StreamReader(Protocol):
    outcome: Outcome

    def event(self, name: str, data: bytes) -> None:
        """One event of the stream, in order. Never raises: what cannot be understood is passed all the same."""
        ...

    def end(self) -> Outcome:
        """The stream is over, by itself or broken off."""
        ...


def event_of(data: bytes) -> dict[str, Any] | None:
    """What an event of a stream says; None for what is no JSON object."""
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None


def count_of(value: Any) -> int | None:
    """None for what can be no number of tokens: a run bears none beyond 2⁵³."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def member(value: Any, *names: str) -> Any:
    """`value[a][b]…`, or None where there is no such member."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
