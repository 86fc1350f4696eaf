"""How a model's calls through the gateway are spread, as its page shows and changes it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.models import ModelEntry
from modeltraces.catalog.places import Place, names_of, routed_places, versions_of, why_closed, why_down
from modeltraces.catalog.routing import HIGHEST_WEIGHT, MOST_PLACES, Routing
from modeltraces.web.deployment_cards import Links, Open
from modeltraces.web.routing_contexts import RoutingCard, RoutingForm, RoutingLine, RoutingRow
from modeltraces.web.spoken import foreign

_OFFERED: Final = 2 * MOST_PLACES
"""Places that a form has room for: those of the routing, then what could serve."""


def routing_card(
    entry: ModelEntry, connections: Sequence[Connection], links: Links, opened: Open, *, cooling: Collection[str]
) -> RoutingCard:
    """`cooling`: the places that failed just now, as far as this process knows."""
    routing = entry.routing or Routing({}, ())
    places = _places(entry, connections)
    is_open = opened.do == "routing" and links.may_change and bool(places)
    return RoutingCard(
        lines=_lines(routing, places, cooling),
        first=_first(entry, connections),
        form=_form(entry, routing, places, opened) if is_open else None,
        edit_href=links.doing("routing") if places else "",
        remove_href=links.doing("no-routing") if entry.routing else "",
    )


def routing_of(typed: Mapping[str, str]) -> dict[str, Any] | None:
    """What the form says, as the API would have it; None when nothing is filled in. Raises Invalid."""
    weights: dict[str, int] = {}
    orders: dict[int, str] = {}
    for number in range(_OFFERED):
        place = typed.get(f"place-{number}", "")
        weight, order = (typed.get(f"{name}-{number}", "").strip() for name in ("weight", "order"))
        if not place:
            continue
        if weight:
            weights[place] = _whole(weight, f"The weight of {place}", 0, HIGHEST_WEIGHT)
        if order:
            at = _whole(order, f"The order of {place}", 1, 99)
            if at in orders:
                raise Invalid(f"{orders[at]} and {place} have the same place among the fallbacks.")
            orders[at] = place
    if not weights and not orders:
        return None
    return {"weights": weights, "fallbacks": [orders[at] for at in sorted(orders)]}


def _whole(text: str, what: str, lowest: int, highest: int) -> int:
    if not text.isdecimal() or len(text) > 9 or not lowest <= int(text) <= highest:
        raise Invalid(f"{what} must be a whole number from {lowest} to {highest}.")
    return int(text)


def _places(entry: ModelEntry, connections: Sequence[Connection]) -> list[Place]:
    """Those of the routing, in its order; then what else could serve, the newest version first."""
    found = list(routed_places(entry, connections))
    known, useless = {place.name for place in found}, foreign(entry, connections)
    versions, names = versions_of(entry), names_of(entry)
    callable_versions = [one for one in versions.values() if one.endpoint and one.version not in known]
    callable_versions.sort(key=lambda one: (one.is_up, one.rolled_out_us), reverse=True)
    found += [Place(one.version, "version", why_down(one)) for one in callable_versions]
    found += [
        Place(one.name, "connection")
        for one in connections
        if not (one.name in known or one.name in versions or one.name in useless or why_closed(one, names))
    ]
    return found[:_OFFERED]


def _lines(routing: Routing, places: Sequence[Place], cooling: Collection[str]) -> tuple[RoutingLine, ...]:
    whole = sum(routing.weights.values())
    of = {place.name: place for place in places}
    return tuple(
        RoutingLine(
            place,
            of[place].kind,
            _share(routing.weights[place], whole) if routing.weights.get(place) else "",
            str(routing.fallbacks.index(place) + 1) if place in routing.fallbacks else "",
            of[place].skipped,
            comes_last=place in cooling and not of[place].skipped,
        )
        for place in routing.places
        if place in of
    )


def _share(weight: int, whole: int) -> str:
    percent = 100 * weight / whole
    return "<1\N{NARROW NO-BREAK SPACE}%" if percent < 1 else f"{percent:.3g}\N{NARROW NO-BREAK SPACE}%"


def _first(entry: ModelEntry, connections: Sequence[Connection]) -> str:
    """What serves the model where no weights say so; '' when nothing does."""
    if entry.kind != "external":
        up = [one for one in entry.deployments if one.is_up]
        if up:
            return max(up, key=lambda one: one.rolled_out_us).version
    names = names_of(entry)
    usable = [one for one in connections if not why_closed(one, names)]
    named = [one for one in usable if EVERY_MODEL not in one.models]
    every = usable if entry.kind == "external" else []
    return next((one.name for one in (*named, *every)), "")


def _form(entry: ModelEntry, routing: Routing, places: Sequence[Place], opened: Open) -> RoutingForm:
    typed = opened.typed
    # By their names: the rows may have changed since the form was sent out.
    numbers = {name: key.removeprefix("place-") for key, name in (typed or {}).items() if key.startswith("place-")}
    rows = []
    for place in places:
        weight = str(routing.weights.get(place.name, ""))
        order = str(routing.fallbacks.index(place.name) + 1) if place.name in routing.fallbacks else ""
        if typed is not None:
            number = numbers.get(place.name)
            weight, order = typed.get(f"weight-{number}", ""), typed.get(f"order-{number}", "")
        takes_weight = place.kind == "version" or entry.kind == "external"
        rows.append(RoutingRow(place.name, place.kind, weight, order, place.skipped, takes_weight))
    return RoutingForm(tuple(rows), opened.error)
