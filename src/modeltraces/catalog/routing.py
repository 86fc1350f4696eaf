"""How the gateway spreads a model's calls: by weight over its places, and to which it falls back, in which order.

A place is a deployment's version, or a connection that reaches the model. A version goes before a connection of its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.text import is_storable

MOST_PLACES: Final = 20
HIGHEST_WEIGHT: Final = 1000
LONGEST_PLACE: Final = 512
"""As long as a version or a connection that runs bring in."""


@dataclass(frozen=True, slots=True)
class Routing:
    weights: Mapping[str, int]
    """Place → its share of the calls, relative to the others'. Empty: what serves a model without routing goes first."""
    fallbacks: tuple[str, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys((*self.weights, *self.fallbacks)))

    @property
    def stored(self) -> dict[str, Any]:
        """As it is kept, and as the API has it."""
        return {"weights": dict(self.weights), "fallbacks": list(self.fallbacks)}

    def without(self, gone: set[str]) -> "Routing | None":
        """What is left of it when these places are gone; None when nothing is."""
        weights = {place: weight for place, weight in self.weights.items() if place not in gone}
        if not any(weights.values()):
            weights = {}
        fallbacks = tuple(place for place in self.fallbacks if place not in gone)
        return Routing(weights, fallbacks) if weights or fallbacks else None

    def renamed(self, old: str, new: str) -> "Routing":
        return Routing(
            {new if place == old else place: weight for place, weight in self.weights.items()},
            tuple(new if place == old else place for place in self.fallbacks),
        )


def read_routing(stored: Mapping[str, Any] | None) -> Routing | None:
    """From what is kept."""
    return Routing(dict(stored["weights"]), tuple(stored["fallbacks"])) if stored else None


def clean_routing(value: Any) -> Routing | None:
    """From `{"weights": {place: number}, "fallbacks": [place, …]}`, either of which may be missing; None for None.

    Raises Invalid for what is none. Whether the places are there is not looked at.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise Invalid('routing must be {"weights": {place: number}, "fallbacks": [place, …]}, or null for none.')
    if unknown := sorted(str(name) for name in value if name not in ("weights", "fallbacks")):
        raise Invalid(f"routing has no field {unknown[0][:80]!r}; it has weights and fallbacks.")
    weights, fallbacks = value.get("weights") or {}, value.get("fallbacks") or []
    if not isinstance(weights, Mapping):
        raise Invalid("routing.weights must say a number for each place.")
    if not isinstance(fallbacks, list):
        raise Invalid("routing.fallbacks must be a list of places.")
    for place in (*weights, *fallbacks):
        if not isinstance(place, str) or not is_storable(place, LONGEST_PLACE):
            raise Invalid("A place of a routing must be the name of a version or a connection.")
    for place, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= HIGHEST_WEIGHT:
            raise Invalid(f"The weight of {place} must be a whole number from 0 to {HIGHEST_WEIGHT}.")
    if weights and not any(weights.values()):
        raise Invalid("One of the weights must be above 0.")
    if len(set(fallbacks)) < len(fallbacks):
        twice = next(place for place in fallbacks if fallbacks.count(place) > 1)
        raise Invalid(f"{twice} is among the fallbacks twice.")
    routing = Routing(dict(weights), tuple(fallbacks))
    if not routing.places:
        raise Invalid("A routing must have weights or fallbacks; null is none.")
    if len(routing.places) > MOST_PLACES:
        raise Invalid(f"A routing must have at most {MOST_PLACES} places; it has {len(routing.places)}.")
    return routing
