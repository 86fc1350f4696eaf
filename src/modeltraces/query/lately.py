"""Where the last page of a selection lay: the next one is looked for there, or as near, before all the period is.

Reading in order ends with the last run of a page, but the engine looks into everything first that could hold one. Most
pages lie where the page before them lay, or beside it. It is a guess, and no answer depends on it: a page that is not
full there is looked for in the whole period.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from modeltraces.query.cursor import Position
from modeltraces.query.filters import Bound
from modeltraces.query.selection import Selection
from modeltraces.store.engine import Store

_LENGTHS: Final = (2, 16)
"""Of the last page's time: how far is looked. Nights have fewer runs than days."""


@dataclass(frozen=True, slots=True)
class Lay:
    """When the first and the last run of a page were, in its order (µs)."""

    first_us: int
    last_us: int


def steps_near(
    store: Store, selection: Selection, position: Position | None, limit: int, bound: Bound, *, newest_first: bool
) -> list[str]:
    """SQL of times of which each holds the one before it, all beginning where the page does; none where nothing is known."""
    lay = store.noted(_key(selection, limit, newest_first=newest_first))
    if not isinstance(lay, Lay):
        return []
    if position is not None:
        begin = position.executed_on_us
    elif (edge := selection.to_us if newest_first else selection.from_us) is not None and _is_behind(edge, lay):
        begin = edge
    else:
        begin = lay.first_us
    end = selection.from_us if newest_first else selection.to_us
    lasts = [begin + length * (lay.last_us - lay.first_us) for length in _LENGTHS]
    sign = ">=" if newest_first else "<="
    return [
        f"executed_on {sign} {bound.instant(last)}"
        for last in lasts
        if end is None or (last > end if newest_first else last < end)
    ]


def note(store: Store, selection: Selection, limit: int, found: Sequence[Position], *, newest_first: bool) -> None:
    """Keep where a full page lay."""
    lay = Lay(found[0].executed_on_us, found[-1].executed_on_us)
    if lay.first_us != lay.last_us:
        store.note(_key(selection, limit, newest_first=newest_first), lay)


def _is_behind(edge_us: int, lay: Lay) -> bool:
    """Whether what comes first in the order is cut off."""
    return edge_us <= lay.first_us if lay.last_us < lay.first_us else edge_us >= lay.first_us


def _key(selection: Selection, limit: int, *, newest_first: bool) -> Hashable:
    return "lay", selection.account_id, selection.models, selection.filter, limit, newest_first
