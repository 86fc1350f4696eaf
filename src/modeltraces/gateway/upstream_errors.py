"""What may go wrong between the gateway and an upstream."""


class UpstreamError(Exception):
    """There is no answer, or no end of one."""


class Unreachable(UpstreamError):
    """No connection; `reason`: the system's."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class NotTaken(UpstreamError):
    """The connection was not taken in time."""


class Silent(UpstreamError):
    """Nothing came for too long."""


class OverTime(UpstreamError):
    """The time of the whole call is over."""


class Broken(UpstreamError):
    """The upstream ended or broke the connection before its answer was whole."""


class Unreadable(UpstreamError):
    """What came is no answer in HTTP, or one with an endless head."""


class Unsendable(UpstreamError):
    """The request cannot be written as one."""
