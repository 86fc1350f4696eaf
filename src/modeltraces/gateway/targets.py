"""Where a call goes: the model that it names, the deployments or connections that serve it, best first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.model_entries import DeploymentEntry, ModelEntry

Family = Literal["openai", "anthropic"]
"""What callers speak. An upstream of the other one cannot serve them: bodies pass as they are."""

SPOKEN: Final[dict[Family, tuple[str, ...]]] = {
    "openai": ("openai", "azure_openai", "ollama"),
    "anthropic": ("anthropic",),
}


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


class Listed(NamedTuple):
    """Sorts as the connections stand, and in each as its models do."""

    connection_at: int
    model_at: int
    name: str
    """As it is spelled there."""


@dataclass(frozen=True, slots=True)
class Known:
    """What serves an account's calls, at one revision of its models."""

    revision: int
    generation: int
    checked: float
    by_name: dict[str, ModelEntry]
    connections: tuple[Connection, ...]
    """Those that can be used."""
    by_listed: Mapping[str, Sequence["Listed"]]
    """A model's name upstream, in lower case → the connections that list it. Thousands of names are not gone through for
    each call, and for each model that a page shows."""
    resolved: dict[tuple[str, Family], Candidates] = field(default_factory=dict)
    """What was asked for, and what serves it."""
    refused: dict[tuple[str, Family], tuple[str, int]] = field(default_factory=dict)
    """What was asked for and nothing serves: why, and with which status. To find near names takes a while."""


def by_listed(connections: Sequence[Connection]) -> Mapping[str, Sequence[Listed]]:
    found: dict[str, list[Listed]] = {}
    for connection_at, one in enumerate(connections):
        for model_at, name in enumerate(one.models):
            found.setdefault(name.lower(), []).append(Listed(connection_at, model_at, name))
    return found


def serving(entry: ModelEntry, asked: str, place: str, known: Known) -> Candidates:
    """As somebody said, but for places that are not up; else what serves it best."""
    routing = entry.routing
    if routing is None or place:
        return Candidates(of_entry(entry, asked, place, known))
    if entry.archived:
        return Candidates(())
    places = {one: next(iter(of_entry(entry, asked, one, known)), None) for one in routing.places}
    fallbacks = tuple(target for one in routing.fallbacks if (target := places[one]))
    if not routing.weights:
        return Candidates(of_entry(entry, asked, "", known), (), fallbacks, is_routed=True)
    weighted = [(target, weight) for one, weight in routing.weights.items() if weight and (target := places[one])]
    return Candidates(
        tuple(target for target, _ in weighted), tuple(weight for _, weight in weighted), fallbacks, is_routed=True
    )


def of_entry(entry: ModelEntry, asked: str, place: str, known: Known) -> tuple[Target, ...]:
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
    return reaching(known, names, entry.name, upstream, place, catch_all=catch_all, borne=entry.borne_names)


def of_nobody(name: str, place: str, asked: str, known: Known) -> tuple[Target, ...]:
    """A name that is not in the catalog: by the connections that name it, or reach every model."""
    whole = reaching(known, {asked.lower()}, asked, asked, "", catch_all=not place)
    return whole or (reaching(known, {name.lower()}, name, name, place) if place else ())


def reaching(
    known: Known,
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
        through(usable[at], model, name, borne) for at, name in listed.items() if not place or usable[at].name == place
    ]
    if by_name or not catch_all:
        return tuple(by_name)
    # One that names the model claims it: those to every model serve what nobody else does.
    every = (usable[one.connection_at] for one in known.by_listed.get(EVERY_MODEL, ()))
    return tuple(through(one, model, upstream, borne) for one in every if not place or one.name == place)


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


def through(one: Connection, model: str, upstream: str, borne: Collection[str] = ()) -> Target:
    recorded = upstream if upstream in borne else ""
    return Target(
        model, "", one.name, one.provider, one.protocol, one.base_url, upstream, one.locked_credential, recorded
    )
