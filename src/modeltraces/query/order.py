"""The order of runs as SQL, and the condition that picks what follows, or precedes, a run in it.

Unknown values come last both ways; runs of one value stand by their start and id, in the same direction.
"""

from dataclasses import dataclass
from typing import Final

from modeltraces.query.cursor import Direction, Position, SortValue
from modeltraces.query.fields import Field, field_named
from modeltraces.query.filters import Bound, FilterContext
from modeltraces.query.selection import Order, Selection

_REVERSED: Final[dict[Order, Order]] = {"asc": "desc", "desc": "asc"}


@dataclass(frozen=True, slots=True)
class Ordering:
    """One order of the `runs` table."""

    sort: str
    order: Order
    model: str = "model"
    """SQL of a model's name, `FilterContext.model`."""
    base_model: str = "base_model"
    """SQL of a base model, `FilterContext.base_model`."""

    @classmethod
    def of(cls, selection: Selection, context: FilterContext, bound: Bound) -> "Ordering":
        """The selection's order. `bound` takes the values that its SQL needs, beside the context's own."""
        # Only where it is asked: the catalog's base models may be thousands of values.
        base = context.base_model(bound) if selection.sort == "base_model" else "base_model"
        return cls(selection.sort, selection.order, context.model, base)

    @property
    def value(self) -> str:
        """SQL of the value sorted by; NULL where it is unknown. `executed_on` is the key itself and has none."""
        spec = self._spec
        column = spec.columns[0] if spec.columns else ""
        if self.sort == "executed_on":
            return "NULL"
        if spec.kind == "status":
            return "toString(status)"
        if spec.name == "model":
            column = self.model
        if spec.name == "base_model":
            column = self.base_model
        return f"nullIf({column}, '')" if spec.kind in ("keyword", "id") else column

    @property
    def _spec(self) -> Field:
        spec = field_named(self.sort)
        assert spec is not None, self.sort
        return spec

    def by(self, direction: Direction = "after", *, to_id: bool = True) -> str:
        """ORDER BY, as shown; or, for 'before', from the end backwards. Without `to_id`, runs of one value and start
        stand in no order."""
        way = self.order if direction == "after" else _REVERSED[self.order]
        # With the whole key the engine reads in order and stops, instead of sorting.
        keys = f"account_id {way}, executed_on {way}, request_id {way}"
        if self.sort == "executed_on":
            return keys
        nulls = "LAST" if direction == "after" else "FIRST"
        last = f", request_id {way}" if to_id else ""
        return f"{self.value} {way} NULLS {nulls}, executed_on {way}{last}"

    def beyond(self, position: Position, direction: Direction, bound: Bound, *, to_id: bool = True) -> str:
        """The condition of the runs that come after (or before) a position; without `to_id`, none of its value and
        start."""
        ascending = (self.order == "asc") == (direction == "after")
        sign = ">" if ascending else "<"
        at = bound.instant(position.executed_on_us)
        ties = f"executed_on {sign} {at}"
        if to_id:
            # The bound alone leads to the place in the sort key.
            ties = f"(executed_on {sign}= {at} AND ({ties} OR request_id {sign} {bound.text(position.request_id)}))"
        if self.sort == "executed_on":
            return ties
        value = self.value
        if position.value is None:
            return f"(isNull({value}) AND {ties})" if direction == "after" else f"(isNotNull({value}) OR {ties})"
        place = _place(position.value, bound)
        further = f"ifNull({value} {sign} {place}, {'true' if direction == 'after' else 'false'})"
        return f"({further} OR (ifNull({value} = {place}, false) AND {ties}))"


def _place(value: SortValue, bound: Bound) -> str:
    if isinstance(value, float):
        return bound.number(value)
    return bound(value, "UInt64") if isinstance(value, int) else bound.text(str(value))
