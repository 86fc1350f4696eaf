"""Which of the models that a key is given to call the account does not have: most likely misspelt, or not there yet."""

from collections.abc import Iterable, Iterator, Sequence

from modeltraces.catalog.connections import Connection, list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_limits import EVERY, KeyLimits
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.nearest import nearest_names


def doubts_about(catalog: Catalog, registry: ModelRegistry, account_id: str, limits: KeyLimits) -> list[str]:
    """A sentence for each. A key may be made before what it is for, so none of them is refused."""
    if not limits.allowed_models:
        return []
    entries = registry.list_models(account_id, archived=True)
    return list(_doubts(limits.allowed_models, entries, list_connections(catalog, account_id)))


def _doubts(allowed: Iterable[str], entries: Sequence[ModelEntry], connections: Sequence[Connection]) -> Iterator[str]:
    places = {
        name: {one.version for one in entry.deployments}
        for entry in entries
        for name in (*entry.merged, *entry.recorded_names, entry.name)
    }
    for connection in connections:
        for name in connection.models:
            if name != EVERY:
                places.setdefault(name, set())
    by_connection = {one.name for one in connections}
    for spelling in allowed:
        if spelling.endswith(EVERY):
            beginning = spelling.removesuffix(EVERY)
            spellings = (*places, *(f"{name}@{place}" for name in places for place in places[name] | by_connection))
            if beginning and not any(one.startswith(beginning) for one in spellings):
                yield f"This account has no model whose name begins with {beginning[:200]!r} yet."
            continue
        name, at, place = spelling.rpartition("@")
        if spelling in places or (name in places and place in places[name] | by_connection):
            continue
        if name in places:
            near = nearest_names(place, [*places[name], *by_connection])
            yield f"{name} has no deployment or connection {place[:200]!r} yet.{_hint(near)}"
        else:
            near = nearest_names(name if at else spelling, places)
            yield f"This account has no model {(name if at else spelling)[:200]!r} yet.{_hint(near)}"


def _hint(near: Sequence[str]) -> str:
    return f" Did you mean {', '.join(near)}?" if near else ""
