"""Recorded calls that were set aside hold payloads, and go at their account's limit."""

import time
from pathlib import Path

import orjson

from modeltraces.gateway.journal import Journal
from modeltraces.gateway.set_aside import remove_old
from modeltraces.store.retention_limits import NEVER, Limits

DAY = 86_400_000_000


def record(account_id: str) -> bytes:
    return orjson.dumps({"key": "k", "run": {"account_id": account_id, "input": f"a secret of {account_id}"}})


def test_what_was_set_aside_goes_at_its_accounts_limit(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 1 << 20)
    journal.open()
    for account_id in ("short", "ever", "model"):
        journal.refuse(record(account_id))
        time.sleep(0.001)
    journal.set_aside(b"no JSON")
    journal.append(record("short"))
    now = time.time_ns() // 1000
    limits = Limits({"short": now - DAY, "ever": NEVER, "model": NEVER}, {("model", "m"): now - DAY})

    assert remove_old(journal.directory, limits) == 0, "nothing is that old"
    journal.set_aside(b"no JSON, and later")
    aged(journal.directory, 2 * DAY)
    assert remove_old(journal.directory, limits) > 0
    journal.close()
    left = b"".join(path.read_bytes() for path in journal.directory.rglob("*") if path.is_file())
    assert left.count(b"a secret of ever") == 1, "an account without limits loses nothing"
    assert b"a secret of model" not in left
    assert left.count(b"a secret of short") == 1, "what waits to be stored is not touched"
    assert b"no JSON\n" not in left
    assert b"no JSON, and later" in left


def aged(directory: Path, us: int) -> None:
    """As if what is there had been set aside so long ago."""
    for path in [*(directory / "refused").iterdir(), *directory.glob("unreadable-*")]:
        start, dash, stamp = path.stem.rpartition("-")
        path.rename(path.with_name(f"{start}{dash}{int(stamp) - us * 1000}{path.suffix}"))
