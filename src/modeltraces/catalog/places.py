"""The places over which a model's calls are spread, and why one of them is skipped: told alike by its page and the API."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.model_entries import DeploymentEntry, ModelEntry

_REMEDIES: Final[Mapping[str, str]] = {
    "has no endpoint": "give it one",
    "down": "deploy it",
    "gone": "take it out of the routing",
    "archived": "restore it",
    "has no address": "give it one",
    "does not reach it": "add the model to its models",
}


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    kind: str
    """`version` or `connection`."""
    skipped: str = ""
    """Why no call goes there; '' where calls do."""


def routed_places(entry: ModelEntry, connections: Sequence[Connection]) -> Iterator[Place]:
    """Those of the model's routing, in its order."""
    versions = versions_of(entry)
    by_name = {one.name: one for one in connections}
    names = names_of(entry)
    for place in entry.routing.places if entry.routing else ():
        if place in versions:
            yield Place(place, "version", why_down(versions[place]))
        else:
            yield Place(place, "connection", why_closed(by_name.get(place), names))


def doubts_about_places(entry: ModelEntry, connections: Sequence[Connection]) -> list[str]:
    """A sentence for each place that is skipped. None is refused: it may be put up later."""
    return [
        f"{place.name} is skipped ({place.skipped}): {_REMEDIES[place.skipped]}."
        for place in routed_places(entry, connections)
        if place.skipped
    ]


def versions_of(entry: ModelEntry) -> dict[str, DeploymentEntry]:
    """What a version of the model stands for, as a place."""
    if entry.kind == "external":
        return {}
    # Of several of one version, after a merge, one that is up serves it.
    return {one.version: one for one in sorted(entry.deployments, key=lambda one: one.is_up)}


def names_of(entry: ModelEntry) -> set[str]:
    """By which a connection may name the model, in lower case."""
    return {name.lower() for name in (entry.name, *entry.recorded_names)}


def why_down(one: DeploymentEntry) -> str:
    if not one.endpoint:
        return "has no endpoint"
    return "" if one.is_up else "down"


def why_closed(one: Connection | None, names: set[str]) -> str:
    """`names`: those of the model."""
    if one is None:
        return "gone"
    if one.archived:
        return "archived"
    if not one.protocol or not one.base_url:
        return "has no address"
    reaches = EVERY_MODEL in one.models or names & {name.lower() for name in one.models}
    return "" if reaches else "does not reach it"
