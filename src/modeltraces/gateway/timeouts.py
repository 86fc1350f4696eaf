"""How long an upstream may take, step by step, and what is said when it took longer."""

from dataclasses import dataclass
from functools import cached_property

from modeltraces.gateway.sockets import NO_TLS, reason_of
from modeltraces.gateway.upstream_errors import Broken, NotTaken, OverTime, Silent, Unreachable, Unsendable
from modeltraces.gateway.upstreams import Limit


@dataclass(frozen=True)
class Timeouts:
    """Seconds."""

    connect: float
    first_byte: float
    """From the request sent to the first byte of the answer's body."""
    idle: float
    """Between two pieces of it."""
    total: float
    """Of one call, with all its attempts."""

    @cached_property
    def whole(self) -> Limit:
        return self.of_attempt(self.total)

    def of_attempt(self, left: float) -> Limit:
        """`left`: of the total."""
        return Limit(self.connect, self.first_byte, max(left, 0.001))

    def explained(self, error: Exception, *, has_begun: bool) -> tuple[int, str]:
        """What the caller is told of an attempt that failed: a status and a sentence. `has_begun`: the body had."""
        match error:
            case NotTaken():
                return 504, f"The upstream did not take the connection within {self.connect:g} seconds."
            case Silent():
                if has_begun:
                    return 504, f"The upstream sent nothing for {self.idle:g} seconds in the middle of its answer."
                return 504, f"The upstream sent no first byte within {self.first_byte:g} seconds."
            case OverTime() | TimeoutError():
                return 504, f"The call took longer than {self.total:g} seconds in all."
            case Unreachable():
                why = reason_of(error.reason)
                hint = " Is its address right, and is it https?" if why.endswith(NO_TLS) else ""
                return 502, f"The upstream cannot be reached: {why}.{hint}"
            case Broken() | ConnectionError():
                return 502, "The upstream broke the call off."
            case Unsendable():
                return (
                    502,
                    "The call cannot be sent to its upstream: its address or a header holds what HTTP cannot bear.",
                )
        return 502, f"The upstream's answer cannot be passed on ({type(error).__name__})."
