"""An account's catalog as the text of a file, which says the same when it is applied elsewhere, but for credentials."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import tomlkit
from sqlalchemy.orm import Session
from tomlkit.items import AoT, Array, InlineTable, Table

from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.file.state import DeploymentState, ModelState, State, read_state, that_count
from modeltraces.catalog.hosting.ledger import ledger_event
from modeltraces.catalog.matching.written import WrittenRule
from modeltraces.catalog.tables import ConnectionRow, DeploymentEventRow
from modeltraces.catalog.times import instant_text

_HEAD: Final = (
    "The catalog of Model Traces. Apply it with: modeltraces catalog apply FILE.toml",
    "Credentials are never in it. Name where one comes from, at a connection or a deployment:",
    'credential_env = "A_VARIABLE" or credential_file = "/a/path"',
)


def export_text(session: Session, account_id: str) -> str:
    """The same text for the same catalog."""
    state = read_state(session, account_id)
    document = tomlkit.document()
    for line in _HEAD:
        document.add(tomlkit.comment(line))
    tables = {
        "hardware": [
            _table({"name": name, "credits_per_replica_hour": price}) for name, price in state.hardware.items()
        ],
        "connections": [_connection(row) for row in state.connections.values()],
        "models": [_model(model, state) for model in state.models.values()],
        "rules": [_rule(rule) for rule in state.rules],
    }
    for name, parts in tables.items():
        if parts:
            document.append(name, _array_of_tables(parts))
    return document.as_string()


def _connection(row: ConnectionRow) -> Table:
    return _table(
        {
            "name": row.name,
            "provider": row.provider,
            "protocol": row.protocol,
            "base_url": row.base_url,
            "models": json.loads(row.reaches),
            "archived": row.archived_on_us is not None,
        }
    )


def _model(model: ModelState, state: State) -> Table:
    row = model.row
    table = _table(
        {
            "name": row.name,
            "kind": row.kind,
            "kind_is_inferred": row.kind_is_inferred,
            "base_model": row.base_model,
            "provider": row.provider,
            "archived": row.archived_on_us is not None,
            "merged": list(model.merged),
            "routing": row.routing and {name: part for name, part in row.routing.items() if part},
        }
    )
    if model.deployments:
        table.append(
            "deployments", _array_of_tables(_deployment(one, row.name, state) for one in that_count(model.deployments))
        )
    return table


def _deployment(deployment: DeploymentState, model: str, state: State) -> Table:
    row = deployment.row
    own = None if row.credits_per_replica_hour is None else Decimal(row.credits_per_replica_hour)
    table = _table(
        {
            "version": row.version,
            "merged_from": "" if deployment.model == model else deployment.model,
            "hardware": deployment.hardware,
            "credits_per_replica_hour": own,
            "endpoint": row.endpoint,
            "protocol": row.protocol,
            "upstream_model": row.upstream_model,
        }
    )
    if deployment.events:
        price = state.hardware.get(deployment.hardware) if own is None else own
        events = tomlkit.array()
        for event in deployment.events:
            events.add_line(_event(event, price, deployment.hardware))
        events.add_line(indent="")
        table.append("events", events)
    return table


def _rule(rule: WrittenRule) -> Table:
    table = _table({"name": rule.name, "conditions": rule.conditions, "outcomes": rule.outcomes})
    if not rule.enabled:
        table.append("enabled", False)
    return table


def _event(row: DeploymentEventRow, price: Decimal | None, hardware: str) -> InlineTable:
    """With its own price and hardware only where those of the deployment would not be taken."""
    event = ledger_event(row).event
    table = tomlkit.inline_table()
    table.append("type", event.type)
    table.append("on", tomlkit.datetime(instant_text(event.on_us)))
    if event.type != "undeploy":
        table.append("replicas", event.replicas or 1)
        if event.credits_per_replica_hour != price:
            table.append("credits_per_replica_hour", _value(event.credits_per_replica_hour))
        if event.hardware != hardware:
            table.append("hardware", event.hardware)
    return table


def _table(values: Mapping[str, Any]) -> Table:
    """Without what is empty or false: that is what the file means by saying nothing."""
    table = tomlkit.table()
    for name, value in values.items():
        if value or isinstance(value, Decimal):
            table.append(name, _value(value))
    return table


def _value(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        # Not float_, which is a float and drops digits.
        return tomlkit.value(amount_text(value))
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for name, one in value.items():
            table.append(tomlkit.key(name), _value(one))
        return table
    if isinstance(value, list):
        array: Array = tomlkit.array()
        array.extend(value)
        return array.multiline(len(value) > 5)
    return value


def _array_of_tables(parts: Iterable[Table]) -> AoT:
    array = tomlkit.aot()
    for part in parts:
        array.append(part)
    return array
