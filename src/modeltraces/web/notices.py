"""What of an address means nothing on the page, and what was probably meant: nothing is silently left out."""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import QueryParams

from modeltraces.query.fields import nearest_names
from modeltraces.web.address import SHOWN_ONLY, Address
from modeltraces.web.contexts import Notice, Option
from modeltraces.web.table import COLUMNS

PARAMETERS: Final = ("model", "period", "from", "to", "filter", "sort", "order", "cursor", *sorted(SHOWN_ONLY))
_MOST: Final = 5
"""Of a kind that are told: an address may hold thousands, and each has a link to the whole address without it."""
_LONGEST: Final = 100
"""Characters of a name that are repeated."""


def notices(query: QueryParams, address: Address, unknown_models: Sequence[str]) -> tuple[Notice, ...]:
    """`unknown_models`: those that the catalog does not have. Where it has none of them, the table says so in its place."""
    strange = [name for name in dict.fromkeys(query) if name not in PARAMETERS]
    made = [_parameter(name, query) for name in strange[:_MOST]] + _more(strange, "parameters")
    made += [
        Notice(f"This address says “{name}” {times} times; the last one counts.")
        for name in PARAMETERS
        if name != "model" and (times := len(query.getlist(name))) > 1
    ]
    no_columns = [name for name in dict.fromkeys(address.columns) if name not in COLUMNS]
    made += [_column(name, address) for name in no_columns[:_MOST]] + _more(no_columns, "columns")
    if len(unknown_models) < len(address.models):
        made += [Notice(f"No model is named “{shortened(name)}”.") for name in unknown_models[:_MOST]]
        made += _more(unknown_models, "models")
    return tuple(made)


def _more(found: Sequence[str], of_its: str) -> list[Notice]:
    return [Notice(f"So it is with {len(found) - _MOST} more of its {of_its}.")] if len(found) > _MOST else []


def shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def _parameter(name: str, query: QueryParams) -> Notice:
    links = []
    for meant in nearest_names(name, PARAMETERS)[:1]:
        pairs = [(meant if key == name else key, value) for key, value in query.multi_items()]
        links.append(Option(meant, Address.of(QueryParams(pairs)).url))
    return Notice(f"This page knows no parameter “{shortened(name)}”, and left it out.", tuple(links))


def _column(name: str, address: Address) -> Notice:
    near = nearest_names(name, COLUMNS)[:1]
    instead = tuple(near[0] if near and one == name else one for one in address.columns)
    return Notice(
        f"There is no column “{shortened(name)}”.",
        tuple(Option(one, address.kept(columns=instead).url) for one in near),
    )
