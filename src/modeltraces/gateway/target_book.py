"""What each name of an account leads to, as far as one process knows: looked up once, until the catalog changes."""

import time
from dataclasses import dataclass, field, replace
from typing import Final

from modeltraces.catalog.connections import EVERY_MODEL, list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.key_limits import LONGEST_MODEL
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.catalog.models import ModelRegistry
from modeltraces.gateway.no_target import NoTarget, base_of, meant, which_connection, why_not
from modeltraces.gateway.targets import (
    SPOKEN,
    Candidates,
    Family,
    Known,
    Target,
    by_listed,
    of_nobody,
    serving,
    through,
)

_MOST_CACHED: Final = 1_000
_MOST_RESOLVED: Final = 1_000
"""Names of an account, which callers choose where a connection takes any."""


@dataclass(slots=True)
class TargetBook:
    """Thread-safe; one per process. What this process changes is seen at once, what others do within `ttl_seconds`."""

    catalog: Catalog
    registry: ModelRegistry
    ttl_seconds: float = 1.0
    _kept: dict[str, Known] = field(default_factory=dict)

    def is_fresh(self, account_id: str) -> bool:
        """Whether the next answer takes no look at the catalog, and so microseconds."""
        kept = self._kept.get(account_id)
        return (
            kept is not None
            and kept.generation == self.catalog.generation("models")
            and time.monotonic() - kept.checked < self.ttl_seconds
        )

    def resolve(self, account_id: str, asked: str, family: Family) -> Candidates:
        """What serves `name`, `name@version` or `name@connection`: a named place alone. Raises NoTarget."""
        known = self._known(account_id)
        found = known.resolved.get((asked, family))
        if found is not None:
            return found
        if refused := known.refused.get((asked, family)):
            raise NoTarget(*refused)
        if len(asked) > LONGEST_MODEL:
            # No model is called so; a thousand names of 64 KB, as a path may hold, would stay in memory.
            return self._resolved(known, asked, family)
        if len(known.resolved) + len(known.refused) >= _MOST_RESOLVED:
            known.resolved.clear()
            known.refused.clear()
        try:
            found = known.resolved[asked, family] = self._resolved(known, asked, family)
        except NoTarget as error:
            known.refused[asked, family] = str(error), error.status
            raise
        return found

    def is_known(self, account_id: str, asked: str, family: Family) -> bool:
        """Whether it was asked for before, and the answer takes microseconds."""
        kept = self._kept.get(account_id) if self.is_fresh(account_id) else None
        return kept is not None and ((asked, family) in kept.resolved or (asked, family) in kept.refused)

    def serves(self, account_id: str, asked: str, family: Family) -> bool:
        """Whether `resolve` finds anything; why it does not takes a search."""
        return bool(_looked_up(self._known(account_id), asked)[-1].spoken(family).every)

    def _resolved(self, known: "Known", asked: str, family: Family) -> Candidates:
        entry, name, place, found = _looked_up(known, asked)
        if not found.every:
            raise NoTarget(why_not(entry, asked, name, place, known, family))
        spoken = found.spoken(family)
        if not spoken.every:
            first = found.every[0]
            other = base_of(first.protocol)
            if entry is None and not known.by_listed.keys() & {asked.lower(), name.lower()}:
                # Most likely misspelt: that it is called elsewhere would send its caller the wrong way.
                unknown = f"There is no model {asked[:200]!r} in this account.{meant(name, known)}"
                raise NoTarget(
                    f"{unknown} {first.connection_name} takes any name, but speaks {first.protocol}: {other}."
                )
            what = f"{name}@{first.place}" if first.place else name
            raise NoTarget(f"{what} speaks {first.protocol}, not {family}: call it at {other}.", 400)
        return spoken

    def names(self, account_id: str, family: Family) -> list[str]:
        """The models that can be called, as they are called: those in the catalog, and what connections name beside them."""
        known = self._known(account_id)
        entries = {entry.id: entry for entry in known.by_name.values() if not entry.archived}
        served = {
            entry.name for entry in entries.values() if serving(entry, entry.name, "", known).spoken(family).every
        }
        # One that was never called is not in the catalog yet.
        in_catalog = {name.lower() for name in known.by_name}
        for name, listed in known.by_listed.items():
            if name == EVERY_MODEL or name in in_catalog:
                continue
            if any(known.connections[one.connection_at].protocol in SPOKEN[family] for one in listed):
                served.add(listed[0].name)
        return sorted(served)

    def connection(self, account_id: str, name: str, family: Family) -> Target:
        """For a call that names no model: the connection of that name, or the only one. Raises NoTarget."""
        usable = [one for one in self._known(account_id).connections if one.protocol in SPOKEN[family]]
        chosen = [one for one in usable if not name or one.name == name]
        if len(chosen) != 1:
            raise NoTarget(which_connection(name, family, usable, self._known(account_id).connections), 400)
        return through(chosen[0], "", "")

    def _known(self, account_id: str) -> Known:
        kept = self._kept.get(account_id)
        if kept is not None and self.is_fresh(account_id):
            return kept
        generation, checked = self.catalog.generation("models"), time.monotonic()
        if kept is not None and kept.generation == generation:
            # One call looks, the others go on by what is known; so do all while the catalog does not answer.
            self._kept[account_id] = replace(kept, checked=checked)
        try:
            return self._read(account_id, kept, generation, checked)
        except CatalogUnavailable:
            if kept is None:
                raise
            return kept

    def _read(self, account_id: str, kept: Known | None, generation: int, checked: float) -> Known:
        revision = self.registry.revision(account_id)
        if kept is not None and kept.revision == revision:
            kept = self._kept[account_id] = replace(kept, generation=generation, checked=checked)
            return kept
        by_name: dict[str, ModelEntry] = {}
        for entry in self.registry.list_models(account_id, archived=True):
            by_name |= dict.fromkeys((*entry.merged, *entry.recorded_names), entry)
        for entry in self.registry.list_models(account_id, archived=True):
            by_name[entry.name] = entry
        usable = tuple(
            one
            for one in list_connections(self.catalog, account_id)
            if one.protocol and one.base_url and not one.archived
        )
        if len(self._kept) >= _MOST_CACHED:
            self._kept.clear()
        made = self._kept[account_id] = Known(revision, generation, checked, by_name, usable, by_listed(usable))
        return made


def _looked_up(known: Known, asked: str) -> tuple[ModelEntry | None, str, str, Candidates]:
    """The model that is asked for, its name and place as they are spelled, and what serves it."""
    name, place = asked, ""
    entry = known.by_name.get(asked)
    # One that begins with it is a name, as Cloudflare's are.
    if entry is None and "@" in asked[1:]:
        name, _, place = asked.rpartition("@")
        entry = known.by_name.get(name)
    found = serving(entry, name, place, known) if entry else Candidates(of_nobody(name, place, asked, known))
    return entry, name, place, found
