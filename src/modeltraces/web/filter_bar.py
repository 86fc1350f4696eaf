"""The filter line: its text, what it says in words, and what the builder needs."""

from typing import Final

from modeltraces.query.fields import FIELDS, Field
from modeltraces.query.filters import Filter, sentence
from modeltraces.query.selection import SelectionError
from modeltraces.web.address import Address
from modeltraces.web.contexts import FilterBar, FilterError
from modeltraces.web.filter_rows import rows_of
from modeltraces.web.templating import script_json

_SIGNS: Final = {"is": (":", "-:"), "present": (":*", "-:*")}


def filter_bar(address: Address, filter: Filter | None, error: SelectionError | None) -> FilterBar:
    """`error`: what is wrong with the filter, if it could not be read."""
    return FilterBar(
        text=address.filter,
        sentence=f"where {sentence(filter)}" if filter else "",
        clear_href=address.changed(filter="").url,
        hidden=tuple(pair for pair in address.changed().pairs() if pair[0] != "filter"),
        fields=script_json([_field(field) for field in FIELDS]),
        rows=script_json(rows_of(filter)),
        error=_marked(address.filter, error) if error else None,
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


def _marked(text: str, error: SelectionError) -> FilterError:
    """The text around the position: one word is marked, or the place after the end."""
    at = min(error.position or 0, len(text))
    end = at
    while end < len(text) and not text[end].isspace() and end - at < 40:
        end += 1
    return FilterError(
        message=error.message,
        before=text[:at],
        marked=text[at:end],
        after=text[end:],
        expected=", ".join(error.expected[:8]),
    )
