"""Which of the models that a key is given to call the account does not have: most likely misspelt, or not there yet."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from modeltraces.catalog.connections import Connection, list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_limits import EVERY, KeyLimits
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.nearest import nearest_names

_MOST_DOUBTS: Final = 5
"""Of one key."""
_MOST_SEARCHES: Final = 10
"""For near names, of all keys: each takes up to 60 ms among 2,000 models."""


def doubts_about(catalog: Catalog, registry: ModelRegistry, account_id: str, limits: KeyLimits) -> list[str]:
    """A sentence for each. A key may be made before what it is for, so none of them is refused."""
    return doubts_about_each(catalog, registry, account_id, [limits])[0]


def doubts_about_each(
    catalog: Catalog, registry: ModelRegistry, account_id: str, several: Sequence[KeyLimits]
) -> list[list[str]]:
    """Of several keys, at the price of one."""
    if not any(limits.allowed_models for limits in several):
        return [[] for _ in several]
    callable_here = _Callable(registry.list_models(account_id, archived=True), list_connections(catalog, account_id))
    return [callable_here.doubts(limits.allowed_models) for limits in several]


class _Callable:
    """What an account has: models by each of their names, and where each of them may be called."""

    def __init__(self, entries: Iterable[ModelEntry], connections: Sequence[Connection]) -> None:
        self._connections = {one.name for one in connections}
        self._versions = {
            name: {one.version for one in entry.deployments}
            for entry in entries
            for name in (*entry.merged, *entry.recorded_names, entry.name)
        }
        for connection in connections:
            for name in connection.models:
                if name != EVERY:
                    self._versions.setdefault(name, set())
        self._sorted = sorted(self._versions)
        self._hints: dict[tuple[str, str], str] = {}

    def doubts(self, allowed: Iterable[str]) -> list[str]:
        unknown = [spelling for spelling in allowed if not self._has(spelling)]
        told = [self._doubt(spelling) for spelling in unknown[:_MOST_DOUBTS]]
        more = len(unknown) - len(told)
        return [*told, f"And {more} more that this account does not have yet."] if more else told

    def _has(self, spelling: str) -> bool:
        if spelling.endswith(EVERY):
            return self._has_one_like(spelling.removesuffix(EVERY))
        name, _, place = spelling.rpartition("@")
        return spelling in self._versions or (name in self._versions and place in self._places(name))

    def _has_one_like(self, beginning: str) -> bool:
        at = bisect_left(self._sorted, beginning)
        if at < len(self._sorted) and self._sorted[at].startswith(beginning):
            return True
        parts = beginning.split("@")
        splits = (("@".join(parts[:count]), "@".join(parts[count:])) for count in range(1, len(parts)))
        return any(
            place.startswith(start) for name, start in splits if name in self._versions for place in self._places(name)
        )

    def _places(self, name: str) -> Iterable[str]:
        return chain(self._versions[name], self._connections)

    def _doubt(self, spelling: str) -> str:
        if spelling.endswith(EVERY):
            beginning = spelling.removesuffix(EVERY)
            return f"This account has no model whose name begins with {beginning[:200]!r} yet."
        name, at, place = spelling.rpartition("@")
        if name in self._versions:
            return f"{name} has no deployment or connection {place[:200]!r} yet.{self._hint(place, of=name)}"
        asked = name if at else spelling
        return f"This account has no model {asked[:200]!r} yet.{self._hint(asked)}"

    def _hint(self, asked: str, *, of: str = "") -> str:
        """What may have been meant: a model, or a place of one."""
        if (found := self._hints.get((asked, of))) is not None:
            return found
        if len(self._hints) == _MOST_SEARCHES:
            return ""
        near = nearest_names(asked, self._places(of) if of else self._versions)
        self._hints[asked, of] = made = f" Did you mean {', '.join(near)}?" if near else ""
        return made
