"""What the page Gateway says of a name that nobody knows, or that cannot be called."""

from collections.abc import Callable, Collection, Sequence

from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.models import ModelEntry
from modeltraces.catalog.nearest import nearest_names
from modeltraces.web.contexts import Option
from modeltraces.web.gateway_contexts import Advice


class KnownNames:
    """What the catalog has, and what connections name."""

    def __init__(self, entries: Sequence[ModelEntry], usable: Sequence[Connection]) -> None:
        self._exact = {name for one in entries for name in (one.name, *one.merged, *one.recorded_names)}
        self._listed = {name.lower() for one in usable for name in one.models if name != EVERY_MODEL}
        self._usable = usable

    def __contains__(self, name: str) -> bool:
        return name in self._exact or name.lower() in self._listed

    def in_catalog(self, name: str) -> bool:
        return name in self._exact

    def place_of(self, asked: str) -> tuple[str, str]:
        """(name, place) of `name@place`; ('', '') for a name that is known with its `@`, and for one without."""
        if asked in self or "@" not in asked:
            return "", ""
        name, _, place = asked.rpartition("@")
        return name, place

    def connection(self, name: str) -> Connection | None:
        return next((one for one in self._usable if one.name == name), None)


def of_a_name_taken_blindly(
    known: KnownNames,
    asked: str,
    taken_by: Collection[str],
    callable_names: Collection[str],
    href: Callable[[str], str],
) -> Advice | None:
    """`taken_by`: the connections that are called by it. None for a name that somebody knows."""
    name = known.place_of(asked)[0] or asked
    if name in known or not taken_by:
        return None
    who = " and ".join(taken_by)
    says = (
        f"No model “{name}” is in the catalog, and no connection names it. "
        f"{who} {'takes' if len(taken_by) == 1 else 'take'} any name, so the call goes there."
    )
    return Advice(says, _options(nearest_names(name, callable_names), href))


def of_a_name_that_cannot_be_called(
    known: KnownNames, asked: str, why_not: str, callable_names: Collection[str], href: Callable[[str], str]
) -> Advice:
    """`why_not`: what the gateway says of it."""
    name, place = known.place_of(asked)
    if not name or known.in_catalog(name):
        return Advice(why_not)
    connection = known.connection(place)
    if connection is None:
        says = f"There is no model “{name}” in this account, and no deployment or connection “{place}”."
        return Advice(says, _options(nearest_names(name, callable_names), href))
    near = [f"{one}@{place}" for one in nearest_names(name, connection.models)]
    return Advice(f"{place} names no model “{name}”: add it there under Settings, Connections.", _options(near, href))


def _options(names: Sequence[str], href: Callable[[str], str]) -> tuple[Option, ...]:
    return tuple(Option(name, href(name)) for name in names)
