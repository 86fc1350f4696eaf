"""Which connections to every model are none for a model: they speak another API than all that is known to serve it."""

from collections.abc import Sequence

from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.models import ModelEntry
from modeltraces.catalog.places import names_of
from modeltraces.gateway.targets import SPOKEN, Family


def foreign(entry: ModelEntry, connections: Sequence[Connection]) -> frozenset[str]:
    """Their names. None is foreign to a model of which nothing is known yet."""
    names = names_of(entry)
    came = {place.name for place in entry.connections}
    protocols = [one.protocol or "openai" for one in entry.deployments if one.endpoint]
    protocols += [
        one.protocol for one in connections if one.name in came or names & {name.lower() for name in one.models}
    ]
    known = {family for protocol in protocols if (family := _family(protocol))}
    if not known:
        return frozenset()
    return frozenset(
        one.name
        for one in connections
        if EVERY_MODEL in one.models and one.name not in came and _family(one.protocol) not in known
    )


def _family(protocol: str) -> Family | None:
    return next((family for family, spoken in SPOKEN.items() if protocol in spoken), None)
