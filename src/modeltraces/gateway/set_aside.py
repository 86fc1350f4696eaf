"""Records of calls that were set aside (`journal.py`) grow old, too: they hold payloads."""

import time
from contextlib import suppress
from pathlib import Path

import orjson
import structlog

from modeltraces.gateway.journal import SUFFIX, records_of
from modeltraces.store.retention_limits import NEVER, Limits

log = structlog.get_logger(__name__)


def remove_old(directory: Path, payloads: Limits) -> int:
    """Remove what is past its account's limit from the journal's directory, but for what still waits to be stored. How many
    bytes.

    What cannot be read has no account: it goes by the first limit of all.
    """
    freed = 0
    by_account = payloads.of_account()
    for path in (directory / "refused").glob(f"*{SUFFIX}"):
        with suppress(OSError):
            if _made_us(path.stem) < _limit_of(path, by_account):
                freed += _remove(path)
    with suppress(OSError):
        # It is written to the end of: from now on it is as old as its last record.
        current = directory / "unreadable"
        if current.exists():
            current.rename(directory / f"unreadable-{time.time_ns()}")
    for path in directory.glob("unreadable-*"):
        with suppress(OSError):
            if _made_us(path.name.removeprefix("unreadable-")) < payloads.latest:
                freed += _remove(path)
    return freed


def _limit_of(path: Path, by_account: dict[str, int]) -> int:
    """By the account of its first record: each file has one."""
    for record in records_of(path.read_bytes()):
        with suppress(ValueError, TypeError, LookupError):
            return by_account.get(orjson.loads(record)["run"]["account_id"], NEVER)
    return max([NEVER, *by_account.values()])


def _made_us(name: str) -> int:
    return int(name) // 1000 if name.isdecimal() else 2**62


def _remove(path: Path) -> int:
    size = path.stat().st_size
    path.unlink()
    log.info("a recorded call that was set aside is past its days, and was removed", file=path.name)
    return size
