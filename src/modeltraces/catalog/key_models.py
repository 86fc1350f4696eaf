"""Which of the models that a key is given to call the account does not have: most likely misspelt, or not there yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Final

from modeltraces.catalog.connections import Connection, list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_limits import EVERY, KeyLimits
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.nearest import nearest_names

_MOST_DOUBTS: Final = 5
"""Of one key."""


def doubts_about(catalog: Catalog, registry: ModelRegistry, account_id: str, limits: KeyLimits) -> list[str]:
    """A sentence for each. A key may be made before what it is for, so none of them is refused."""
    return doubts_about_each(catalog, registry, account_id, [limits])[0]


def doubts_about_each(
    catalog: Catalog, registry: ModelRegistry, account_id: str, several: Sequence[KeyLimits]
) -> list[list[str]]:
    """Of several keys, at the price of one."""
    if not any(limits.allowed_models for limits in several):
        return [[] for _ in several]
    connections = list_connections(catalog, account_id)
    places = _places(registry.list_models(account_id, archived=True), connections)
    by_connection = {one.name for one in connections}
    return [_some(_doubts(limits.allowed_models, places, by_connection)) for limits in several]


def _some(doubts: Iterator[str]) -> list[str]:
    """To look for near names takes a while: who gave many wrong ones is told of the first."""
    some = list(islice(doubts, _MOST_DOUBTS + 1))
    return some if len(some) <= _MOST_DOUBTS else [*some[:_MOST_DOUBTS], "And there may be more."]


def _places(entries: Iterable[ModelEntry], connections: Iterable[Connection]) -> dict[str, set[str]]:
    """The versions of each model, by each of its names."""
    places = {
        name: {one.version for one in entry.deployments}
        for entry in entries
        for name in (*entry.merged, *entry.recorded_names, entry.name)
    }
    for connection in connections:
        for name in connection.models:
            if name != EVERY:
                places.setdefault(name, set())
    return places


def _doubts(allowed: Iterable[str], places: Mapping[str, Set[str]], by_connection: Set[str]) -> Iterator[str]:
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
