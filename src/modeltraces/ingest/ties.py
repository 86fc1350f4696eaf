"""Recordings that are tied to one call, directly or through others (a union-find)."""

from collections import defaultdict
from collections.abc import Sequence

from modeltraces.run import Run


class Ties:
    """Speaks of recordings by their position in `runs`."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._leader = list(range(len(runs)))
        self._scopes = [frozenset((run.instrumentation,)) for run in runs]

    def tie(self, one: int, other: int) -> None:
        first, second = self._find(one), self._find(other)
        if first != second:
            self._leader[first] = second
            self._scopes[second] |= self._scopes[first]

    def may_tie(self, one: int, other: int) -> bool:
        """Whether no instrumentation would have recorded the call twice."""
        return not self.scopes(one) & self.scopes(other)

    def scopes(self, index: int) -> frozenset[str]:
        """The instrumentations of all recordings that are tied to this one, its own too."""
        return self._scopes[self._find(index)]

    def groups(self) -> list[list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self._leader)):
            found[self._find(index)].append(index)
        return list(found.values())

    def _find(self, index: int) -> int:
        while self._leader[index] != index:
            self._leader[index] = self._leader[self._leader[index]]
            index = self._leader[index]
        return index
