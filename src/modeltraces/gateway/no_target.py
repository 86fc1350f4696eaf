"""That nothing serves a call, in words: why, and what to do."""

from collections.abc import Sequence
from typing import Final

from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.model_entries import ModelEntry
from modeltraces.catalog.nearest import nearest_names
from modeltraces.gateway.targets import SPOKEN, Family, Known, Target, of_entry, reaching, serving

_BASES: Final[dict[Family, str]] = {"openai": "/gateway/openai/v1", "anthropic": "/gateway/anthropic"}
"""What the SDKs of each take as their base."""
_MOST_SAID: Final = 10
"""Places that an error lists."""


class NoTarget(Exception):
    """Nothing serves the call; the text says why and what to do. `status`: 404, or 400 for the wrong protocol."""

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message)
        self.status = status


def base_of(protocol: str) -> str:
    return next(_BASES[family] for family, spoken in SPOKEN.items() if protocol in spoken)


def meant(name: str, known: Known) -> str:
    near = nearest_names(name, {*known.by_name, *(one[0].name for one in known.by_listed.values())} - {EVERY_MODEL})
    return f" Did you mean {', '.join(near)}?" if near else ""


def which_connection(name: str, family: Family, usable: Sequence[Connection], connections: Sequence[Connection]) -> str:
    if other := next((one for one in connections if one.name == name), None):
        return f"The connection {name} speaks {other.protocol}, not {family}: call it at {base_of(other.protocol)}."
    if not usable:
        return (
            f"This call names no model, and no connection that it could go by speaks {family}. "
            "An admin can add one under Settings, Connections."
        )
    names = [one.name for one in usable]
    header = f"the header x-connection with one of {', '.join(names)}."
    if not name:
        return f"This call names no model, so say by which connection it goes: send {header}"
    near = nearest_names(name, names)
    leads = f"Did you mean {', '.join(near)}?" if near else f"Send {header}"
    return f"There is no connection {name[:200]!r} that this call can go by. {leads}"


def _other_places(entry: ModelEntry, place: str, known: Known, family: Family) -> str:
    """Where the model can be called, for who named a place where it cannot."""
    named = dict.fromkeys([*(one.version for one in entry.deployments), *(one.name for one in known.connections)])
    targets = [target for one in named for target in of_entry(entry, entry.name, one, known)[:1]]
    if not targets:
        if entry.kind == "external":
            return "An admin can add a connection that reaches it under Settings, Connections."
        return "An admin can deploy one under Settings, Models."
    without_a_place = bool(serving(entry, entry.name, "", known).spoken(family).every)
    return _called_at(targets, place, family, without_a_place=without_a_place)


def _called_at(targets: Sequence[Target], place: str, family: Family, *, without_a_place: bool) -> str:
    spoken = [target.place for target in targets if target.protocol in SPOKEN[family]]
    if not spoken:
        return f"It is called at {base_of(targets[0].protocol)}."
    if near := nearest_names(place, spoken):
        return f"Did you mean {', '.join(near)}?"
    without = ", or without a place" if without_a_place else ""
    return f"Call it at {', '.join(spoken[:_MOST_SAID])}{without}."


def _why_nobody(asked: str, name: str, place: str, known: Known, family: Family) -> str:
    """Of a name that is not in the catalog."""
    if not place:
        unknown = (
            f"There is no model {asked[:200]!r} in this account, and no connection names it or reaches every model."
        )
        return unknown + (meant(name, known) or " An admin can add it to one under Settings, Connections.")
    if targets := reaching(known, {name.lower()}, name, name, "", catch_all=False):
        return f"{_not_there(name, place)} {_called_at(targets, place, family, without_a_place=True)}"
    if connection := next((one for one in known.connections if one.name == place), None):
        near = [f"{one}@{place}" for one in nearest_names(name, connection.models)]
        leads = f"Did you mean {', '.join(near)}?" if near else "An admin can add it there under Settings, Connections."
        return f"The connection {place} does not name {name[:200]!r}. {leads}"
    unknown = f"There is no model {name[:200]!r} in this account, and no deployment or connection {place[:200]!r}."
    return unknown + (meant(name, known) or " An admin can add a connection that names it under Settings, Connections.")


def _not_there(name: str, place: str) -> str:
    return f"{name} has no deployment or connection {place[:200]!r} that is up and has an address."


def why_not(entry: ModelEntry | None, asked: str, name: str, place: str, known: Known, family: Family) -> str:
    if entry is None:
        return _why_nobody(asked, name, place, known, family)
    if entry.archived:
        return f"{entry.name} is archived. An admin can restore it under Settings, Models."
    if entry.routing is not None and not place:
        return f"No place of the routing of {entry.name} is up and can be reached. An admin can change it under Settings, Models."
    if place:
        return f"{_not_there(entry.name, place)} {_other_places(entry, place, known, family)}"
    if entry.kind == "external":
        return f"No connection reaches {entry.name}. An admin can add one under Settings, Connections."
    every = [one for one in known.connections if EVERY_MODEL in one.models]
    spoken = [one for one in every if one.protocol in SPOKEN[family]]
    hint = ""
    if every:
        other = "" if spoken else f" at {base_of(every[0].protocol)}"
        hint = f"; or call it as {entry.name}@{(spoken or every)[0].name}{other}"
    return f"No deployment of {entry.name} is up and has an endpoint. An admin can deploy one under Settings, Models{hint}."
