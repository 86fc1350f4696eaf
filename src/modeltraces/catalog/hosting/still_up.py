"""What goes on costing when a model is put aside, in words."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.hosting.intervals import Interval

_NAMED: Final = 3
"""Versions that are up, each by its name; of more, only how many there are."""


def still_up(
    hosted: Iterable[tuple[str, Iterable[Interval]]],
    count: Callable[[int], str] = str,
    amount: Callable[[Decimal], str] = amount_text,
) -> str:
    """`2 replicas of v3 are up and go on costing 1.6 credits an hour`; '' when none is up. `hosted`: version and intervals, of
    a version that was merged with another of its name several times."""
    open_ = [(version, one) for version, intervals in hosted for one in intervals if one.to_us is None]
    if not open_:
        return ""
    up: dict[str, int] = {}
    for version, one in open_:
        up[version] = up.get(version, 0) + one.replicas
    replicas = sum(up.values())
    what = f"{count(replicas)} replica{'s' if replicas != 1 else ''} of "
    if len(up) == 1:
        what += next(iter(up))
    elif len(up) <= _NAMED:
        parts = [f"{version} ({count(number)})" for version, number in up.items()]
        what += f"{', '.join(parts[:-1])} and {parts[-1]}"
    else:
        what += f"{count(len(up))} versions"
    are, go = ("are", "go") if replicas != 1 else ("is", "goes")
    # What is up is charged at the price that its interval began with, not at that of the list.
    known = [one.replicas * price for _, one in open_ if (price := one.credits_per_replica_hour) is not None]
    if not known:
        return f"{what} {are} up, hosted without a price"
    partly = "" if len(known) == len(open_) else ", and what has no price"
    return f"{what} {are} up and {go} on costing {amount(sum(known, Decimal(0)))} credits an hour{partly}"
