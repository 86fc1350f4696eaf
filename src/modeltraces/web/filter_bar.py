"""The filter line: its text, what it says in words, and what the builder needs."""

from datetime import tzinfo
from typing import Final

from modeltraces.query.fields import FIELDS, Field
from modeltraces.query.filters import Filter, sentence
from modeltraces.query.selection import SelectionError
from modeltraces.web.address import Address
from modeltraces.web.contexts import FilterBar
from modeltraces.web.filter_error import filter_error, rows_with_wrong
from modeltraces.web.filter_rows import rows_of
from modeltraces.web.templating import script_json

_SIGNS: Final = {"is": (":", "-:"), "present": (":*", "-:*")}


def filter_bar(
    address: Address, filter: Filter | None, error: SelectionError | None, *, zone: tzinfo, now_us: int
) -> FilterBar:
    """`error`: what is wrong with the filter, if it could not be read."""
    return FilterBar(
        text=address.filter,
        sentence=f"where {sentence(filter)}" if filter else "",
        clear_href=address.changed(filter="").url,
        hidden=tuple(pair for pair in address.changed().pairs() if pair[0] != "filter"),
        fields=script_json([_field(field) for field in FIELDS]),
        rows=script_json(rows_with_wrong(address.filter, error) if error else rows_of(filter)),
        error=filter_error(address, error, zone, now_us) if error else None,
    )


def _field(field: Field) -> dict[str, object]:
    operators = [
        sign for operator in field.operators for sign in _SIGNS.get(operator, (operator,)) if operator != "range"
    ]
    return {
        "name": field.name,
        "label": field.label,
        "kind": field.kind,
        "operators": operators,
        "choices": field.choices,
    }
