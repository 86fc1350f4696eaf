"""What one answer of the Model Traces page is made from: who asks for what, and what the catalog knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from starlette.requests import Request

from modeltraces.api.identity import Identity
from modeltraces.api.run_json import ModelFacts
from modeltraces.api.state import parts_of
from modeltraces.catalog.models import ModelEntry
from modeltraces.parts import Parts
from modeltraces.query.filters import FilterContext
from modeltraces.query.selection import Selection, SelectionError, parse_selection
from modeltraces.run import ModelKind, now_us
from modeltraces.web.address import COMPARE, MEASURES, SHOWN_ONLY, Address
from modeltraces.web.contexts import Notice
from modeltraces.web.notices import notices
from modeltraces.web.shell import zone


@dataclass(frozen=True, slots=True)
class View:
    parts: Parts
    identity: Identity
    address: Address
    selection: Selection | None
    """None when the address cannot be understood: `error` says why."""
    error: SelectionError | None
    context: FilterContext
    entries: Sequence[ModelEntry]
    facts: ModelFacts
    zone: tzinfo
    now_us: int
    notices: tuple[Notice, ...] = ()
    """What of the address could not be used."""
    knows_no_model: bool = False
    """Whether none of the chosen models is there: then there is nothing to be counted."""

    def kinds(self) -> set[ModelKind]:
        """The kinds of the chosen models, or of all."""
        names = self.address.models or tuple(self.facts.kinds)
        return {self.facts.kinds[name] for name in names if name in self.facts.kinds}

    @property
    def hosting_applies(self) -> bool:
        """Hosting Credits are not defined for external models."""
        return not self.kinds() or self.kinds() != {"external"}

    @property
    def several(self) -> bool:
        """Whether runs of more than one model may be shown."""
        names = self.address.models or tuple(entry.name for entry in self.entries)
        return len({self.facts.name_of(name) for name in names}) > 1

    @property
    def has_runs(self) -> bool:
        """Whether the account ever had a run: each puts its model into the catalog."""
        return any(entry.first_run_on_us is not None for entry in self.entries)


async def view_of(request: Request, identity: Identity) -> View:
    parts = parts_of(request)
    asked = now_us()
    address = Address.of(request.query_params)
    selection = error = None
    try:
        known = [pair for pair in address.pairs() if pair[0] not in SHOWN_ONLY]
        selection = parse_selection(known, account_id=identity.account_id, now_us=asked)
        _check_chart(address)
    except SelectionError as wrong:
        selection, error = None, wrong
    entries = await parts.workers.look_up(parts.registry.list_models, identity.account_id, archived=True)
    facts = ModelFacts.of(entries)
    unknown = _unknown(address, facts)
    said = notices(request.query_params, address, unknown)
    return View(
        parts, identity, address, selection, error, facts.context, entries, facts, zone(request), asked, said,
        knows_no_model=bool(address.models) and len(unknown) == len(address.models),
    )  # fmt: skip


def _unknown(address: Address, facts: ModelFacts) -> tuple[str, ...]:
    return tuple(name for name in address.models if name not in facts.kinds)


def _check_chart(address: Address) -> None:
    """Raises SelectionError for a chart that there is not."""
    if address.compare and address.compare not in COMPARE:
        raise SelectionError("compare", f"compare must be one of {', '.join(COMPARE)}.")
    if address.measure not in MEASURES:
        raise SelectionError("measure", "measure must be one of p90, p99, requests.")
