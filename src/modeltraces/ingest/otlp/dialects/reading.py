"""A span's attributes sorted by what they are about, by the names in the table."""

from dataclasses import dataclass, field
from typing import Any, Final

from modeltraces.ingest.otlp.attributes import unflatten
from modeltraces.ingest.otlp.dialects.table import INDEXED, INDEXED_PREFIXES, LOOKUP

_CONCEPT, _INDEXED, _PARAMETER, _OTHER = range(4)
_PARAMETER_PREFIX: Final = "gen_ai.request."
_ROUTES: Final[dict[str, tuple[int, str, Any]]] = {
    name: (_CONCEPT, concept, rank) for name, (concept, rank) in LOOKUP.items()
}
_MAX_ROUTES: Final = 20_000
"""Names seen are remembered, since looking one up costs a fifth of matching its prefixes; a hostile sender that makes
up names must not fill the memory with them."""


@dataclass(slots=True)
class Reading:
    """What the attributes say."""

    found: dict[str, Any] = field(default_factory=dict)
    """Concept → the value under its best name."""
    spelled_out: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    """What was spelled out item by item (`input_messages`, `tools`, …) → the items' paths and values."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Parameters of the request by their last name (`temperature`)."""
    rest: dict[str, Any] = field(default_factory=dict)
    """Attributes that no concept took, under their own names."""
    winners: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Concept → rank and name of the attribute that `found` has it from."""

    def text(self, concept: str) -> str:
        """The concept's value as text, '' if it has none."""
        value = self.found.get(concept)
        if value is None:
            return ""
        if type(value) is str:
            return value
        return str(value) if type(value) in (int, float) else ""

    def listed(self, concept: str) -> Any:
        """The list that was spelled out item by item, put together; None if there is none.

        Only when it is asked for: emitters that spell messages out mostly give the whole payload beside them.
        """
        pairs = self.spelled_out.get(concept)
        return None if pairs is None else unflatten(pairs)

    def give_back(self, concept: str) -> None:
        """Put a value that turned out to be of no use to any field among the rest, under its own name."""
        winner = self.winners.get(concept)
        if winner is not None:
            self.rest[winner[1]] = self.found[concept]


def _route_of(name: str) -> tuple[int, str, Any]:
    if name.startswith(INDEXED_PREFIXES):
        prefix = next(prefix for prefix in INDEXED_PREFIXES if name.startswith(prefix))
        route: tuple[int, str, Any] = (_INDEXED, INDEXED[prefix], name[len(prefix) :])
    elif name.startswith(_PARAMETER_PREFIX):
        route = (_PARAMETER, name[len(_PARAMETER_PREFIX) :], None)
    else:
        route = (_OTHER, name, None)
    if len(_ROUTES) < _MAX_ROUTES and len(name) < 200:
        _ROUTES[name] = route
    return route


def read(attributes: dict[str, Any]) -> Reading:
    """The attributes by concept. Of several names of one concept the newest wins; what another one says differently
    stays among the rest."""
    reading = Reading()
    found, rest, winners = reading.found, reading.rest, reading.winners
    for name, value in attributes.items():
        route = _ROUTES.get(name) or _route_of(name)
        kind = route[0]
        if kind == _CONCEPT:
            if value == "":
                continue
            concept, rank = route[1], route[2]
            winner = winners.get(concept)
            if winner is None:
                winners[concept] = (rank, name)
                found[concept] = value
            elif rank < winner[0]:
                if found[concept] != value:
                    rest[winner[1]] = found[concept]
                winners[concept] = (rank, name)
                found[concept] = value
            elif found[concept] != value:
                rest[name] = value
        elif kind == _INDEXED:
            reading.spelled_out.setdefault(route[1], []).append((route[2], value))
        else:
            if kind == _PARAMETER:
                reading.parameters[route[1]] = value
            rest[name] = value
    return reading
