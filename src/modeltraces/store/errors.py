"""What can go wrong with a store, in words for whoever asked: they name no host, no address and no password."""

import re
from ssl import SSLCertVerificationError
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError, StreamFailureError
from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError


class StoreError(Exception):
    """The store could not do what was asked; the text is for the operator's log."""


class StoreUnavailable(StoreError):
    """The store cannot be reached, opened or written to; the text says what to do."""


class StoreOverloaded(StoreUnavailable):
    """It answers, and lacks the memory or the time for this alone, or for all that it does."""


class RightMissing(StoreUnavailable):
    """The server's user is not allowed to; the text says what to grant."""


class DirectoryInUse(StoreUnavailable):
    """Another process has the embedded engine's directory open."""


class QueryLimitExceeded(StoreError):
    """A query ran into its time or memory limit; the text says which, and what to narrow."""


class QueryMemoryExceeded(QueryLimitExceeded):
    """It was memory: put another way, the same question may need less."""


class QueryGroupsExceeded(QueryLimitExceeded):
    """It has more groups than it may have."""


class QueryOutdated(StoreError):
    """A query saw by itself (`throwIf`) that what it was made of is not there any more; made anew, it may be answered."""


_QUERY_TIME: Final = frozenset((159, 160))
_MEMORY: Final = 241
_GROUPS: Final = 158
_THROWN: Final = 395
_DISK_FULL: Final = 243
_RIGHT: Final = 497
_AWAY: Final = {
    _DISK_FULL: "the disk is full: free space in the data directory",
    81: "the database is missing there: create it, or name another in MODELTRACES_STORE_URL",
    164: "its user may only read: give it the right to write",
    242: "the table is read-only there for now, as when a replica has lost its Keeper",
    252: "it has too many parts to merge and takes no more for now",
    _RIGHT: "its user lacks a right: grant it all rights on the database, and SELECT on system.parts and system.mutations",
    701: "it knows no such cluster: MODELTRACES_STORE_CLUSTER is the name of one in its `remote_servers`",
    516: "it does not take the user and password of MODELTRACES_STORE_URL",
    # What a busy, stopping or cut-off server says; all of it passes.
    **dict.fromkeys((202, 236, 439, 745), "it is too busy, or stopping"),
    **dict.fromkeys((209, 210, 279, 285, 286, 319, 394, 499), "a part of it does not answer"),
    **dict.fromkeys((225, 571, 999), "it cannot reach its Keeper"),
}
"""ClickHouse's codes that say nothing of the request: what can be asked or sent again as it is."""
_PASSING: Final = frozenset(_AWAY) - {_DISK_FULL, 81, 164, _RIGHT, 516, 701}
"""Those of them that may be over in a second."""
_IN_VAIN: Final = (ReadTimeoutError, ConnectTimeoutError, SSLCertVerificationError)


def told(error: Exception) -> str:
    """What an account may read of a failure in the background. Other texts are the engine's, and may hold a statement with
    other accounts' names."""
    is_for_all = isinstance(error, StoreUnavailable | QueryLimitExceeded)
    return str(error) if is_for_all else "the server's log says why"


def explained(error: ClickHouseError, *, embedded: bool, writing: bool = False) -> StoreError:
    """The store's own error for one of the driver's."""
    code = code_of(error)
    if code in _QUERY_TIME:
        if writing and not embedded:
            return StoreOverloaded(f"the store took too long to write (ClickHouse error {code})")
        return QueryLimitExceeded("The query took too long. Choose a shorter period or a narrower filter.")
    if code == _MEMORY:
        # `(total)`: not this request, all of them together.
        if not embedded and (writing or "(total)" in str(error)):
            return StoreOverloaded(f"the store is short of memory (ClickHouse error {code})")
        return QueryMemoryExceeded("The query needed too much memory. Choose a shorter period or a narrower filter.")
    if code == _GROUPS:
        return QueryGroupsExceeded(
            "The query parts its runs into too many. Choose a shorter period or a narrower filter."
        )
    if code == _THROWN:
        return QueryOutdated("What the query was made of has changed meanwhile. Ask again.")
    if embedded and code == _DISK_FULL:
        return StoreUnavailable(_AWAY[code])
    if not embedded and code in _AWAY:
        reason = "its disk is full" if code == _DISK_FULL else _AWAY[code]
        kind = RightMissing if code == _RIGHT else StoreUnavailable
        return kind(f"the store cannot do it: {reason} (ClickHouse error {code})")
    if code is None and isinstance(error, OperationalError) and not isinstance(error, StreamFailureError):
        return StoreUnavailable(f"the store does not answer: {reason_of(error)}")
    if code is None and not embedded and (status := _status(error)):
        # A server gives a code; this is what stands between.
        return StoreUnavailable(f"the store does not answer: HTTP status {status}")
    return StoreError(first_line(error))


def may_pass(error: BaseException) -> bool:
    """Whether the same may well go through in a moment: it was refused, or cut off. One that took too long is not
    asked again; whoever waits has waited."""
    if not isinstance(error, ClickHouseError):
        return False
    code = code_of(error)
    if code is not None:
        return code in _PASSING
    if any(isinstance(cause, _IN_VAIN) for cause in _causes(error)):
        return False
    return isinstance(error, OperationalError) or _status(error) is not None


def code_of(error: BaseException) -> int | None:
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else None


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def reason_of(error: BaseException) -> str:
    """The cause at the bottom of a driver's nested message, when it is the network's."""
    found = re.search(r"\[Errno -?\d+\] ([^\"'()]+)", str(error))
    if found:
        return found[1].strip().lower()
    if status := _status(error):
        return f"HTTP status {status}"
    if any(isinstance(cause, SSLCertVerificationError) for cause in _causes(error)):
        return (
            "its certificate is not trusted; name the file of its authority with ?ca_cert=FILE in MODELTRACES_STORE_URL"
        )
    if any(isinstance(cause, _IN_VAIN) for cause in _causes(error)):
        return "it took too long"
    if any(isinstance(cause, OSError) for cause in _causes(error)) or "Connection" in str(error):
        return "the connection broke off"
    return first_line(error)


def what_to_do(error: BaseException, said: str) -> str:
    """What is added to what is `said` of a server that could not be opened: '' where that, or the server, says it."""
    if any(code_of(cause) is not None for cause in _causes(error)) or "MODELTRACES_STORE_URL" in said:
        return ""
    return ". Check that the ClickHouse server runs, and that its address is right (MODELTRACES_STORE_URL)."


def _status(error: BaseException) -> str | None:
    found = re.search(r"HTTP driver received HTTP status (\d{3})", str(error))
    return found[1] if found else None


def _causes(error: BaseException | None) -> "list[BaseException]":
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
    return found
