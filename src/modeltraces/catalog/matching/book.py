"""All rules that hold for an account, and changing those that its people wrote."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from modeltraces.catalog.changes import changing
from modeltraces.catalog.connections import list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.matching.implied import implied_rules
from modeltraces.catalog.matching.rules import RuleSet
from modeltraces.catalog.matching.written import RuleList, WrittenRule, read_rules
from modeltraces.catalog.models import ModelRegistry

_MOST_CACHED: Final = 1_000


@dataclass(slots=True)
class RuleBook:
    """Thread-safe; one per process."""

    catalog: Catalog
    registry: ModelRegistry
    _kept: dict[str, tuple[int, RuleSet]] = field(default_factory=dict)

    def rules(self, account_id: str) -> RuleSet:
        """All rules of the account as they are now: those that are written, in their order, then the implied ones."""
        kept = self._kept.get(account_id)
        try:
            revision = self.registry.revision(account_id)
            if kept is not None and kept[0] == revision:
                return kept[1]
            # The revision was read first: what changes meanwhile is read again the next time.
            written = [rule.rule for rule in list_rules(self.catalog, account_id) if rule.enabled]
            entries = self.registry.list_models(account_id, archived=True)
            connections = list_connections(self.catalog, account_id)
        except CatalogUnavailable:
            if kept is None:
                raise
            # The last ones that were read are better than no runs at all.
            return kept[1]
        made = RuleSet((*written, *implied_rules(entries, connections)))
        if len(self._kept) >= _MOST_CACHED:
            self._kept.clear()
        self._kept[account_id] = revision, made
        return made


def list_rules(catalog: Catalog, account_id: str) -> list[WrittenRule]:
    """In their order."""
    with catalog.session() as session:
        return read_rules(session, account_id)


def create_rule(catalog: Catalog, account_id: str, values: Mapping[str, Any], *, actor: str) -> WrittenRule:
    """A rule from `SETTABLE`, last in order unless a position is given. Raises Invalid, and Conflict for a used name."""
    with changing(catalog, account_id, actor) as change:
        return RuleList.of(change).add(values)


def edit_rule(catalog: Catalog, account_id: str, name: str, values: Mapping[str, Any], *, actor: str) -> WrittenRule:
    """Raises Invalid, NotFound, Conflict."""
    with changing(catalog, account_id, actor) as change:
        return RuleList.of(change).revise(name, values)


def delete_rule(catalog: Catalog, account_id: str, name: str, *, actor: str) -> None:
    """Raises NotFound."""
    with changing(catalog, account_id, actor) as change:
        RuleList.of(change).drop(name)
