"""The rules that nobody has to write: what the catalog's endpoints, connections and hosted intervals say by themselves."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.matching.rules import Rule, address_of
from modeltraces.catalog.model_entries import DeploymentEntry, ModelEntry


def implied_rules(entries: Sequence[ModelEntry], connections: Sequence[Connection]) -> list[Rule]:
    """They only fill what a recording leaves open, most certain first:

    1. the server that was called is the endpoint of one deployment of the run's model;
    2. it is the address of one connection that reaches the model;
    3. of the run's model exactly one version was up at that time;
    4. exactly one connection reaches the model by its name.
    """
    hosted = [entry for entry in entries if entry.kind != "external"]
    external = [entry for entry in entries if entry.kind == "external"]
    usable = [connection for connection in connections if connection.base_url and not connection.archived]
    return [*_by_endpoint(hosted), *_by_address(usable), *_by_time(hosted), *_by_name(external, usable)]


def _names(entry: ModelEntry) -> tuple[str, ...]:
    # A star in a name would be one in a pattern.
    return tuple(name for name in dict.fromkeys((*entry.recorded_names, entry.name)) if "*" not in name)


def _by_endpoint(entries: Iterable[ModelEntry]) -> Iterable[Rule]:
    for entry in entries:
        at: dict[str, list[DeploymentEntry]] = defaultdict(list)
        for deployment in entry.deployments:
            for address in _spellings(deployment.endpoint):
                at[address].append(deployment)
        for address, found in at.items():
            if len({one.version for one in found}) == 1:
                version = found[0].version
                names = dict.fromkeys((*_names(entry), *filter(None, (one.upstream_model for one in found))))
                yield Rule(
                    f"endpoint of {entry.name}@{version}",
                    (("server_address", (address,)), ("model", tuple(names)), ("deployment_version", ("",))),
                    (("deployment_version", version),),
                    only_fills=True,
                )


def _by_address(connections: Iterable[Connection]) -> Iterable[Rule]:
    at: dict[str, list[Connection]] = defaultdict(list)
    for connection in connections:
        for address in _spellings(connection.base_url):
            at[address].append(connection)
    for address, found in at.items():
        if len(found) == 1:
            (connection,) = found
            reached = () if EVERY_MODEL in connection.models else (("model", connection.models),)
            yield Rule(
                f"address of {connection.name}",
                (("server_address", (address,)), ("connection_name", ("",)), *reached),
                (("connection_name", connection.name),),
                only_fills=True,
            )


def _by_time(entries: Iterable[ModelEntry]) -> Iterable[Rule]:
    """From the instants at which versions went up and down: in between, the versions that are up stay the same."""
    for entry in entries:
        intervals = [
            (deployment.version, interval) for deployment in entry.deployments for interval in deployment.intervals
        ]
        bounds = sorted(
            {at for _, interval in intervals for at in (interval.from_us, interval.to_us) if at is not None}
        )
        alone: list[tuple[str, int, int | None]] = []
        for start, end in zip_longest(bounds, bounds[1:]):
            up = {
                version
                for version, interval in intervals
                if interval.from_us <= start and (interval.to_us is None or interval.to_us > start)
            }
            if len(up) != 1:
                continue
            (version,) = up
            if alone and alone[-1][0] == version and alone[-1][2] == start:
                alone[-1] = (version, alone[-1][1], end)
            else:
                alone.append((version, start, end))
        for version, start, end in alone:
            yield Rule(
                f"only {entry.name}@{version} was up",
                (("model", _names(entry)), ("deployment_version", ("",))),
                (("deployment_version", version),),
                only_fills=True,
                from_us=start,
                to_us=end,
            )


def _by_name(entries: Iterable[ModelEntry], connections: Sequence[Connection]) -> Iterable[Rule]:
    for entry in entries:
        names = _names(entry)
        lowered = {name.lower() for name in names}
        found = [one for one in connections if lowered & {model.lower() for model in one.models}]
        if len(found) == 1:
            yield Rule(
                f"only {found[0].name} reaches {entry.name}",
                (("model", names), ("connection_name", ("",))),
                (("connection_name", found[0].name),),
                only_fills=True,
            )


def _spellings(url: str) -> tuple[str, ...]:
    """How emitters write the server: with its port or, for the scheme's own, without."""
    address = address_of(url) if url else ""
    if not address:
        return ()
    host, _, port = address.rpartition(":")
    return (address, host) if port in ("80", "443") else (address,)
