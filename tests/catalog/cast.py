"""Alice owns account A, Bob is a member of it, Charlie owns account B; and a clock that moves when told."""

from dataclasses import dataclass

from modeltraces.catalog import accounts, users
from modeltraces.catalog.accounts import Account
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.users import User

PASSWORD = "correct horse"


@dataclass(slots=True)
class Clock:
    """Microseconds since the epoch, from 2026-01-01."""

    now_us: int = 1_767_225_600_000_000

    def __call__(self) -> int:
        return self.now_us

    def advance(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)


@dataclass(frozen=True, slots=True)
class Cast:
    account_a: Account
    account_b: Account
    alice: User
    bob: User
    charlie: User


def make_cast(catalog: Catalog) -> Cast:
    account_a, _ = accounts.ensure(catalog, "A", actor="test")
    account_b, _ = accounts.ensure(catalog, "B", actor="test")
    return Cast(
        account_a,
        account_b,
        users.create(catalog, account_a.id, "alice@example.com", "owner", actor="test", password=PASSWORD),
        users.create(catalog, account_a.id, "bob@example.com", "member", actor="test", password=PASSWORD),
        users.create(catalog, account_b.id, "charlie@example.com", "owner", actor="test", password=PASSWORD),
    )


class Timer:
    """Seconds that move when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
