"""Where a call goes: the model that it names, the deployments or connections that serve it, best first."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from modeltraces.catalog.connections import EVERY_MODEL, Connection, list_connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.model_entries import DeploymentEntry, ModelEntry
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.nearest import nearest_names

Family = Literal["openai", "anthropic"]
"""What callers speak. An upstream of the other one cannot serve them: bodies pass as they are."""

SPOKEN: Final[dict[Family, tuple[str, ...]]] = {
    "openai": ("openai", "azure_openai", "ollama"),
    "anthropic": ("anthropic",),
}
_BASES: Final[dict[Family, str]] = {"openai": "/gateway/openai/v1", "anthropic": "/gateway/anthropic"}
"""What the SDKs of each take as their base."""
_MOST_CACHED: Final = 1_000
_MOST_SAID: Final = 10
"""Places that an error lists."""
_MOST_RESOLVED: Final = 1_000
"""Names of an account, which callers choose where a connection takes any."""


class NoTarget(Exception):
    """Nothing serves the call; the text says why and what to do. `status`: 404, or 400 for the wrong protocol."""

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Target:
    model: str
    """The catalog's name, or one that no entry has yet."""
    deployment_version: str
    connection_name: str
    provider: str
    protocol: str
    base_url: str
    upstream_model: str
    locked_credential: str | None = field(repr=False)
    recorded_model: str = ""
    """The name that its runs bear, where that is another than the catalog's."""

    @property
    def recorded(self) -> str:
        return self.recorded_model or self.model

    @property
    def place(self) -> str:
        """What stands after `@`."""
        return self.deployment_version or self.connection_name


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may serve a call: one of the choices, and when that fails the fallbacks in their order."""

    choices: tuple[Target, ...]
    weights: tuple[int, ...] = ()
    """One for each choice, above 0. Empty: the first choice, always."""
    fallbacks: tuple[Target, ...] = ()
    is_routed: bool = False
    """Whether somebody said how the model's calls are spread."""

    @property
    def every(self) -> tuple[Target, ...]:
        return (*self.choices, *self.fallbacks)

    def spoken(self, family: "Family") -> "Candidates":
        """Those that speak what the caller does."""
        spoken = SPOKEN[family]
        if all(target.protocol in spoken for target in self.every):
            return self
        weighted = [pair for pair in zip(self.choices, self.weights, strict=False) if pair[0].protocol in spoken]
        return replace(
            self,
            choices=tuple(target for target in self.choices if target.protocol in spoken),
            weights=tuple(weight for _, weight in weighted),
            fallbacks=tuple(target for target in self.fallbacks if target.protocol in spoken),
        )


class _Listed(NamedTuple):
    """Sorts as the connections stand, and in each as its models do."""

    connection_at: int
    model_at: int
    name: str
    """As it is spelled there."""


@dataclass(frozen=True, slots=True)
class _Known:
    revision: int
    generation: int
    checked: float
    by_name: dict[str, ModelEntry]
    connections: tuple[Connection, ...]
    """Those that can be used."""
    by_listed: Mapping[str, Sequence["_Listed"]]
    """A model's name upstream, in lower case → the connections that list it. Thousands of names are not gone through for
    each call, and for each model that a page shows."""
    resolved: dict[tuple[str, Family], Candidates] = field(default_factory=dict)
    """What was asked for, and what serves it."""


@dataclass(slots=True)
class TargetBook:
    """Thread-safe; one per process. What this process changes is seen at once, what others do within `ttl_seconds`."""

    catalog: Catalog
    registry: ModelRegistry
    ttl_seconds: float = 1.0
    _kept: dict[str, _Known] = field(default_factory=dict)

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
        if found is None:
            found = self._resolved(known, asked, family)
            if len(known.resolved) >= _MOST_RESOLVED:
                known.resolved.clear()
            known.resolved[asked, family] = found
        return found

    def _resolved(self, known: "_Known", asked: str, family: Family) -> Candidates:
        name, place = asked, ""
        entry = known.by_name.get(asked)
        # One that begins with it is a name, as Cloudflare's are.
        if entry is None and "@" in asked[1:]:
            name, _, place = asked.rpartition("@")
            entry = known.by_name.get(name)
        found = _serving(entry, name, place, known) if entry else Candidates(_of_nobody(name, place, asked, known))
        if not found.every:
            raise NoTarget(_why_not(entry, asked, name, place, known, family))
        spoken = found.spoken(family)
        if not spoken.every:
            first = found.every[0]
            other = _base_of(first.protocol)
            if entry is None and not known.by_listed.keys() & {asked.lower(), name.lower()}:
                # Most likely misspelt: that it is called elsewhere would send its caller the wrong way.
                unknown = f"There is no model {asked[:200]!r} in this account.{_meant(name, known)}"
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
            entry.name for entry in entries.values() if _serving(entry, entry.name, "", known).spoken(family).every
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
            raise NoTarget(_which_connection(name, family, usable, self._known(account_id).connections), 400)
        return _through(chosen[0], "", "")

    def _known(self, account_id: str) -> _Known:
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

    def _read(self, account_id: str, kept: _Known | None, generation: int, checked: float) -> _Known:
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
        made = self._kept[account_id] = _Known(revision, generation, checked, by_name, usable, _by_listed(usable))
        return made


def _by_listed(connections: Sequence[Connection]) -> Mapping[str, Sequence[_Listed]]:
    found: dict[str, list[_Listed]] = {}
    for connection_at, one in enumerate(connections):
        for model_at, name in enumerate(one.models):
            found.setdefault(name.lower(), []).append(_Listed(connection_at, model_at, name))
    return found


def _serving(entry: ModelEntry, asked: str, place: str, known: _Known) -> Candidates:
    """As somebody said, but for places that are not up; else what serves it best."""
    routing = entry.routing
    if routing is None or place:
        return Candidates(_of_entry(entry, asked, place, known))
    if entry.archived:
        return Candidates(())
    places = {one: next(iter(_of_entry(entry, asked, one, known)), None) for one in routing.places}
    fallbacks = tuple(target for one in routing.fallbacks if (target := places[one]))
    if not routing.weights:
        return Candidates(_of_entry(entry, asked, "", known), (), fallbacks, is_routed=True)
    weighted = [(target, weight) for one, weight in routing.weights.items() if weight and (target := places[one])]
    return Candidates(
        tuple(target for target, _ in weighted), tuple(weight for _, weight in weighted), fallbacks, is_routed=True
    )


def _of_entry(entry: ModelEntry, asked: str, place: str, known: _Known) -> tuple[Target, ...]:
    if entry.archived:
        return ()
    if entry.kind != "external":
        up = [one for one in entry.deployments if one.is_up and (one.version == place or not place)]
        # The newest first: it is what was rolled out last.
        up.sort(key=lambda one: one.rolled_out_us, reverse=True)
        if up:
            return tuple(_to(entry, one) for one in up)
    names = {name.lower() for name in (entry.name, asked, *entry.recorded_names)}
    upstream = asked if asked in entry.borne_names else _borne(entry)
    # What was sent to a model of one's own must not end up at a provider that takes any name, unless it is named.
    catch_all = entry.kind == "external" or bool(place)
    return _reaching(known, names, entry.name, upstream, place, catch_all=catch_all, borne=entry.borne_names)


def _of_nobody(name: str, place: str, asked: str, known: _Known) -> tuple[Target, ...]:
    """A name that is not in the catalog: by the connections that name it, or reach every model."""
    whole = _reaching(known, {asked.lower()}, asked, asked, "", catch_all=not place)
    return whole or (_reaching(known, {name.lower()}, name, name, place) if place else ())


def _reaching(
    known: _Known,
    names: set[str],
    model: str,
    upstream: str,
    place: str,
    *,
    catch_all: bool = True,
    borne: Collection[str] = (),
) -> tuple[Target, ...]:
    """`borne`: the names that runs of the model bear. What a provider knows by one of these is recorded by it: by a name that
    was given here, it would next be asked for that."""
    listed: dict[int, str] = {}
    for one in sorted(listed_there for name in names for listed_there in known.by_listed.get(name, ())):
        listed.setdefault(one.connection_at, one.name)
    usable = known.connections
    by_name = [
        _through(usable[at], model, name, borne) for at, name in listed.items() if not place or usable[at].name == place
    ]
    if by_name or not catch_all:
        return tuple(by_name)
    # One that names the model claims it: those to every model serve what nobody else does.
    every = (usable[one.connection_at] for one in known.by_listed.get(EVERY_MODEL, ()))
    return tuple(_through(one, model, upstream, borne) for one in every if not place or one.name == place)


def _base_of(protocol: str) -> str:
    return next(_BASES[family] for family, spoken in SPOKEN.items() if protocol in spoken)


def _borne(entry: ModelEntry) -> str:
    """The name that the provider knows the model by: that of its runs, for one that was renamed here."""
    # A name that no run bears says nothing: the model was renamed for having had a wrong one.
    is_known_otherwise = entry.borne_names and entry.name not in entry.borne_names
    return entry.borne_names[0] if is_known_otherwise else entry.name


def _to(entry: ModelEntry, one: DeploymentEntry) -> Target:
    return Target(
        entry.name, one.version, "", entry.provider, one.protocol or "openai", one.endpoint,
        one.upstream_model or entry.name, one.locked_credential,
    )  # fmt: skip


def _through(one: Connection, model: str, upstream: str, borne: Collection[str] = ()) -> Target:
    recorded = upstream if upstream in borne else ""
    return Target(
        model, "", one.name, one.provider, one.protocol, one.base_url, upstream, one.locked_credential, recorded
    )


def _meant(name: str, known: _Known) -> str:
    near = nearest_names(name, {*known.by_name, *(one[0].name for one in known.by_listed.values())} - {EVERY_MODEL})
    return f" Did you mean {', '.join(near)}?" if near else ""


def _which_connection(
    name: str, family: Family, usable: Sequence[Connection], connections: Sequence[Connection]
) -> str:
    if other := next((one for one in connections if one.name == name), None):
        return f"The connection {name} speaks {other.protocol}, not {family}: call it at {_base_of(other.protocol)}."
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


def _other_places(entry: ModelEntry, place: str, known: _Known, family: Family) -> str:
    """Where the model can be called, for who named a place where it cannot."""
    named = dict.fromkeys([*(one.version for one in entry.deployments), *(one.name for one in known.connections)])
    targets = [target for one in named for target in _of_entry(entry, entry.name, one, known)[:1]]
    if not targets:
        if entry.kind == "external":
            return "An admin can add a connection that reaches it under Settings, Connections."
        return "An admin can deploy one under Settings, Models."
    without_a_place = bool(_serving(entry, entry.name, "", known).spoken(family).every)
    return _called_at(targets, place, family, without_a_place=without_a_place)


def _called_at(targets: Sequence[Target], place: str, family: Family, *, without_a_place: bool) -> str:
    spoken = [target.place for target in targets if target.protocol in SPOKEN[family]]
    if not spoken:
        return f"It is called at {_base_of(targets[0].protocol)}."
    if near := nearest_names(place, spoken):
        return f"Did you mean {', '.join(near)}?"
    without = ", or without a place" if without_a_place else ""
    return f"Call it at {', '.join(spoken[:_MOST_SAID])}{without}."


def _why_nobody(asked: str, name: str, place: str, known: _Known, family: Family) -> str:
    """Of a name that is not in the catalog."""
    if not place:
        unknown = (
            f"There is no model {asked[:200]!r} in this account, and no connection names it or reaches every model."
        )
        return unknown + (_meant(name, known) or " An admin can add it to one under Settings, Connections.")
    if targets := _reaching(known, {name.lower()}, name, name, "", catch_all=False):
        return f"{_not_there(name, place)} {_called_at(targets, place, family, without_a_place=True)}"
    if connection := next((one for one in known.connections if one.name == place), None):
        near = [f"{one}@{place}" for one in nearest_names(name, connection.models)]
        leads = f"Did you mean {', '.join(near)}?" if near else "An admin can add it there under Settings, Connections."
        return f"The connection {place} does not name {name[:200]!r}. {leads}"
    unknown = f"There is no model {name[:200]!r} in this account, and no deployment or connection {place[:200]!r}."
    return unknown + (
        _meant(name, known) or " An admin can add a connection that names it under Settings, Connections."
    )


def _not_there(name: str, place: str) -> str:
    return f"{name} has no deployment or connection {place[:200]!r} that is up and has an address."


def _why_not(entry: ModelEntry | None, asked: str, name: str, place: str, known: _Known, family: Family) -> str:
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
        other = "" if spoken else f" at {_base_of(every[0].protocol)}"
        hint = f"; or call it as {entry.name}@{(spoken or every)[0].name}{other}"
    return f"No deployment of {entry.name} is up and has an endpoint. An admin can deploy one under Settings, Models{hint}."
