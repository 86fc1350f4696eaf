"""What stands in the table's place when there are no runs: what was asked for, and the ways out."""

from collections.abc import Sequence
from typing import Final

from modeltraces.catalog.models import ModelEntry
from modeltraces.catalog.nearest import nearest_names
from modeltraces.web.address import PERIODS, Address
from modeltraces.web.contexts import Empty, Option
from modeltraces.web.notices import shortened

_MOST_SOUGHT: Final = 3
"""Names of which the nearest are looked for: each takes up to 60 ms among 2,000 models."""


def nothing_matches(address: Address) -> Empty:
    period = PERIODS.get(address.period, "")
    within = "since deployment" if address.period == "all" else f"in the last {period}" if period else "in this period"
    actions = []
    if address.filter:
        actions.append(Option("Clear the filter", address.changed(filter="").url))
    if address.period != "all":
        actions.append(Option("Show all since deployment", address.changed(period="all", from_="", to="").url))
    if address.models:
        actions.append(Option("All models", address.changed(models=()).url))
    what = f"No run {within} matches “{address.filter}”" if address.filter else f"No run {within}"
    whose = f" of {', '.join(address.models)}" if address.models else ""
    return Empty("Nothing matches" if address.filter else "No runs", f"{what}{whose}.", tuple(actions))


def no_such_model(address: Address, entries: Sequence[ModelEntry]) -> Empty:
    """Where the catalog has none of the chosen models: the names nearest to what was typed. Takes a while."""
    names = [entry.name for entry in entries if not entry.archived]
    said = address.models[:_MOST_SOUGHT]
    near = dict.fromkeys(found for name in said for found in nearest_names(name, names))
    more = f" and {len(address.models) - len(said)} more" if len(address.models) > len(said) else ""
    says = "The names nearest to it:" if near else "A model is listed with its first run."
    return Empty(
        f"No model named {', '.join(f'“{shortened(name)}”' for name in said)}{more}",
        f"It may have been misspelt or deleted. {says}",
        (
            *(Option(name, address.changed(models=(name,)).url) for name in near),
            Option("All models", address.changed(models=()).url),
        ),
    )
