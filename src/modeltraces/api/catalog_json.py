"""The catalog in the contract's JSON. Credits are decimal strings; a credential is only ever `has_credential`."""

from typing import Any

from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.connections import Connection
from modeltraces.catalog.hosting.hardware import Hardware
from modeltraces.catalog.hosting.ledger import LedgerEvent
from modeltraces.catalog.model_entries import DeploymentEntry
from modeltraces.catalog.models import ModelEntry
from modeltraces.query.times import rfc3339


def model_json(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "base_model": entry.base_model or None,
        "provider": entry.provider or None,
        "deployments": [deployment_json(deployment) for deployment in entry.deployments],
        "connections": [
            {"name": connection.name, "provider": connection.provider or None} for connection in entry.connections
        ],
        "first_run_on": _instant(entry.first_run_on_us),
        "deployed_on": _instant(entry.deployed_on_us),
        "merged": list(entry.merged),
        "archived": entry.archived,
        "routing": entry.routing.stored if entry.routing else None,
    }


def deployment_json(deployment: DeploymentEntry) -> dict[str, Any]:
    """`replicas`: how many are up now; 0 when none are, and for a version that was only seen on runs.

    `merged_from`: the merged model whose deployment it is; null for one of the model itself.
    """
    current = deployment.intervals[-1] if deployment.replicas else None
    price = current.credits_per_replica_hour if current else deployment.credits_per_replica_hour
    return {
        "version": deployment.version,
        "merged_from": deployment.merged_from or None,
        "created_on": rfc3339(deployment.created_on_us),
        "deployed_on": _instant(deployment.deployed_on_us),
        "replicas": deployment.replicas,
        "hardware": deployment.hardware or None,
        "credits_per_replica_hour": amount_text(price) if price is not None else None,
        "endpoint": deployment.endpoint or None,
        "protocol": deployment.protocol or None,
        "upstream_model": deployment.upstream_model or None,
        "has_credential": deployment.has_credential,
    }


def event_json(entry: LedgerEvent) -> dict[str, Any]:
    event = entry.event
    price = event.credits_per_replica_hour
    return {
        "id": entry.id,
        "type": event.type,
        "on": rfc3339(event.on_us),
        "replicas": event.replicas,
        "credits_per_replica_hour": amount_text(price) if price is not None else None,
        "hardware": event.hardware or None,
        "actor": entry.actor,
        "recorded_on": rfc3339(entry.recorded_on_us),
        "struck_on": _instant(entry.struck_on_us),
        "struck_by": entry.struck_by,
    }


def connection_json(connection: Connection) -> dict[str, Any]:
    return {
        "name": connection.name,
        "provider": connection.provider or None,
        "protocol": connection.protocol or None,
        "base_url": connection.base_url or None,
        "models": list(connection.models),
        "has_credential": connection.has_credential,
        "created_on": rfc3339(connection.created_on_us),
        "archived": connection.archived,
    }


def hardware_json(hardware: Hardware) -> dict[str, Any]:
    return {
        "name": hardware.name,
        "credits_per_replica_hour": amount_text(hardware.credits_per_replica_hour),
        "prices": [
            {
                "from": rfc3339(price.from_us),
                "credits_per_replica_hour": amount_text(price.credits_per_replica_hour),
                "actor": price.actor,
            }
            for price in hardware.prices
        ],
    }


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else rfc3339(at_us)
