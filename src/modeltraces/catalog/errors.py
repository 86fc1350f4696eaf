"""What the catalog refuses, each with one line for the person who asked. No secret ever stands in one."""

from collections.abc import Iterator
from contextlib import contextmanager


class CatalogError(Exception):
    """Base of all errors below."""


class CatalogUnavailable(CatalogError):
    """The database cannot be reached, read or written; the message says what to do."""


class CatalogBusy(CatalogUnavailable):
    """Another process was at the same thing. Nothing was changed, and the same again will most likely pass."""


class NotFound(CatalogError):
    """What was asked for is not there, or is another account's: the two look the same."""


class Conflict(CatalogError):
    """It exists already, or the change would break a rule (the last owner stays)."""


class Invalid(CatalogError):
    """A value is not acceptable; the message says what is.

    `parameter`: the field of the body that holds it, where there is one.
    """

    def __init__(self, message: str, *, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


@contextmanager
def about(parameter: str) -> Iterator[None]:
    """What is found to be Invalid meanwhile is a value of this field."""
    try:
        yield
    except Invalid as error:
        error.parameter = error.parameter or parameter
        raise


class WrongCredentials(CatalogError):
    """Email and password do not belong together. Never says which of the two is wrong."""


class TooManyAttempts(CatalogError):
    """Signing in is closed for a while.

    `retry_at_us`: when it opens again, microseconds since the epoch.
    """

    def __init__(self, retry_at_us: int, retry_after_seconds: int) -> None:
        self.retry_at_us = retry_at_us
        self.retry_after_seconds = retry_after_seconds
        minutes = max(1, -(-retry_after_seconds // 60))
        super().__init__(f"Too many failed sign-ins. Try again in {minutes} minute{'s' if minutes > 1 else ''}.")
