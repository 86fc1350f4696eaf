"""How long an upstream may take, step by step, and what is said when it took longer."""

from dataclasses import dataclass
from functools import cached_property

import aiohttp

from modeltraces.gateway.sockets import reason_of


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
    def whole(self) -> aiohttp.ClientTimeout:
        return self.of_attempt(self.total)

    def of_attempt(self, left: float) -> aiohttp.ClientTimeout:
        """`left`: of the total."""
        # 0 would be no limit at all.
        return aiohttp.ClientTimeout(total=max(left, 0.001), sock_connect=self.connect, sock_read=self.first_byte)

    def now_idle(self, answer: aiohttp.ClientResponse) -> None:
        """From here on, the time between two pieces counts."""
        if self.idle == self.first_byte or (connection := answer.connection) is None:
            return
        protocol = connection.protocol
        if protocol is None or protocol.transport is None:
            return
        protocol.read_timeout = self.idle
        # Reading stands still while the caller takes nothing: that is not the upstream's silence.
        if protocol.transport.is_reading():
            protocol.start_timeout()

    def explained(self, error: Exception, *, has_begun: bool) -> tuple[int, str]:
        """What the caller is told of an attempt that failed: a status and a sentence. `has_begun`: the body had."""
        match error:
            case aiohttp.ConnectionTimeoutError():
                return 504, f"The upstream did not take the connection within {self.connect:g} seconds."
            case aiohttp.SocketTimeoutError():
                if has_begun:
                    return 504, f"The upstream sent nothing for {self.idle:g} seconds in the middle of its answer."
                return 504, f"The upstream sent no first byte within {self.first_byte:g} seconds."
            case TimeoutError():
                return 504, f"The call took longer than {self.total:g} seconds in all."
            case aiohttp.ClientConnectorError():
                return 502, f"The upstream cannot be reached: {reason_of(error.os_error)}."
            case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | ConnectionError():
                return 502, "The upstream broke the call off."
        return 502, f"The upstream's answer cannot be passed on ({type(error).__name__})."
