"""The steps of a series, and which of them the period holds whole: a count of part of a step would look like a fall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from modeltraces.query.series import Series

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Steps:
    edges: list[int]
    """Where each step begins (µs), and the last one ends. Empty when there are none."""
    from_us: int | None
    """Where the period begins; None: with its first run."""
    to_us: int
    """Where it ends, or the present, which it goes on with."""

    @classmethod
    def of(cls, series: Series, from_us: int | None, to_us: int | None, now_us: int) -> "Steps":
        starts = [point.at_us for point in series.points]
        end = now_us if to_us is None else min(to_us, now_us)
        return cls([*starts, starts[-1] + series.step_seconds * 1_000_000] if starts else [], from_us, end)

    def whole(self, values: Sequence[_Value]) -> list[_Value]:
        """The values, one a step, without the first and the last where the period holds only a part of these."""
        if not self.edges:
            return []
        first = int(self.from_us is not None and self.edges[0] < self.from_us)
        last = len(values) - int(self.edges[-1] > self.to_us)
        return list(values[first:last])
