"""The catalog's shapes as JSON Schema: what is read, and what is sent to change it."""

from typing import Any, Final

from modeltraces.api.shapes import (
    AMOUNT,
    COUNT,
    FLAG,
    INSTANT,
    KIND,
    MAYBE_AMOUNT,
    MAYBE_COUNT,
    MAYBE_INSTANT,
    MAYBE_TEXT,
    TEXT,
    Schema,
    listed,
    nullable,
    reference,
    shaped,
)
from modeltraces.catalog.connections import PROTOCOLS as CONNECTION_PROTOCOLS
from modeltraces.catalog.hosting.deployments import PROTOCOLS as DEPLOYMENT_PROTOCOLS
from modeltraces.catalog.hosting.ledger import EVENT_TYPES, MOST_REPLICAS
from modeltraces.catalog.routing import HIGHEST_WEIGHT

_PRICE_IN: Final[Schema] = {"type": ["string", "number"], "description": "A decimal string or a number, from 0 up."}
_REPLICAS: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": MOST_REPLICAS}
_EVENT_TYPE: Final[Schema] = {"type": "string", "enum": list(EVENT_TYPES)}

CATALOG_SCHEMAS: Final[dict[str, Any]] = {
    "Deployment": shaped(
        {
            "version": TEXT,
            "merged_from": MAYBE_TEXT,
            "created_on": INSTANT,
            "deployed_on": MAYBE_INSTANT,
            "replicas": COUNT,
            "hardware": MAYBE_TEXT,
            "credits_per_replica_hour": MAYBE_AMOUNT,
            "endpoint": MAYBE_TEXT,
            "protocol": MAYBE_TEXT,
            "upstream_model": MAYBE_TEXT,
            "has_credential": FLAG,
        }
    ),
    "Deployments": shaped({"deployments": listed(reference("Deployment"))}),
    "DeploymentEvent": shaped(
        {
            "id": {"type": "integer"},
            "type": _EVENT_TYPE,
            "on": INSTANT,
            "replicas": MAYBE_COUNT,
            "credits_per_replica_hour": MAYBE_AMOUNT,
            "hardware": MAYBE_TEXT,
            "actor": TEXT,
            "recorded_on": INSTANT,
            "struck_on": MAYBE_INSTANT,
            "struck_by": MAYBE_TEXT,
        }
    ),
    "DeploymentEvents": shaped({"events": listed(reference("DeploymentEvent"))}),
    "Model": shaped(
        {
            "name": TEXT,
            "kind": KIND,
            "base_model": MAYBE_TEXT,
            "provider": MAYBE_TEXT,
            "deployments": listed(reference("Deployment")),
            "connections": listed(shaped({"name": TEXT, "provider": MAYBE_TEXT})),
            "first_run_on": MAYBE_INSTANT,
            "deployed_on": MAYBE_INSTANT,
            "merged": listed(TEXT),
            "archived": FLAG,
            "routing": {"anyOf": [reference("Routing"), {"type": "null"}]},
            "warnings": listed(TEXT),
        },
        optional=("warnings",),
    ),
    "Routing": shaped(
        {
            "weights": {
                "type": "object",
                "additionalProperties": {"type": "integer", "minimum": 0, "maximum": HIGHEST_WEIGHT},
            },
            "fallbacks": listed(TEXT),
        },
        optional=("weights", "fallbacks"),
        description="How the gateway spreads the model's calls. Places are deployment versions and connections.",
    ),
    "Models": shaped({"models": listed(reference("Model"))}),
    "Connection": shaped(
        {
            "name": TEXT,
            "provider": MAYBE_TEXT,
            "protocol": MAYBE_TEXT,
            "base_url": MAYBE_TEXT,
            "models": listed(TEXT),
            "has_credential": FLAG,
            "created_on": INSTANT,
            "archived": FLAG,
        }
    ),
    "Connections": shaped({"connections": listed(reference("Connection"))}),
    "ConnectionTest": shaped(
        {
            "ok": FLAG,
            "says": TEXT,
            "status": nullable("integer"),
            "elapsed_ms": {"type": "number", "minimum": 0},
            "models": listed(TEXT),
        }
    ),
    "Hardware": shaped(
        {
            "name": TEXT,
            "credits_per_replica_hour": AMOUNT,
            "prices": listed(shaped({"from": INSTANT, "credits_per_replica_hour": AMOUNT, "actor": TEXT})),
        }
    ),
    "AuditEntry": shaped(
        {
            "id": COUNT,
            "at": INSTANT,
            "actor": TEXT,
            "action": TEXT,
            "object": TEXT,
            "before": nullable("object"),
            "after": nullable("object"),
        },
        description="A change: who did what to what, and the values that it was about.",
    ),
    "AuditLogPage": shaped({"entries": listed(reference("AuditEntry")), "next_cursor": MAYBE_TEXT}),
    "PriceList": shaped({"hardware": listed(reference("Hardware"))}),
    "NewModel": shaped(
        {"name": TEXT, "kind": KIND, "base_model": MAYBE_TEXT, "provider": MAYBE_TEXT},
        optional=("base_model", "provider"),
    ),
    "ModelChange": shaped(
        {
            "name": TEXT,
            "kind": KIND,
            "base_model": MAYBE_TEXT,
            "provider": MAYBE_TEXT,
            "archived": FLAG,
            "routing": {"anyOf": [reference("Routing"), {"type": "null"}]},
        },
        optional=("name", "kind", "base_model", "provider", "archived", "routing"),
    ),
    "MergeInto": shaped({"into": TEXT}),
    "DeploymentChange": shaped(
        _SETTABLE := {
            "hardware": MAYBE_TEXT,
            "credits_per_replica_hour": {"anyOf": [_PRICE_IN, {"type": "null"}]},
            "endpoint": MAYBE_TEXT,
            "protocol": {"enum": [*DEPLOYMENT_PROTOCOLS, None]},
            "upstream_model": MAYBE_TEXT,
            "credential": MAYBE_TEXT,
        },
        optional=tuple(_SETTABLE),
    ),
    "NewDeployment": shaped(
        _DEPLOYED := {"version": TEXT, "replicas": _REPLICAS, "deployed_on": INSTANT, **_SETTABLE},
        optional=tuple(_DEPLOYED),
    ),
    "NewDeploymentEvent": shaped(
        {"type": _EVENT_TYPE, "replicas": _REPLICAS, "on": INSTANT}, optional=("replicas", "on")
    ),
    "NewConnection": shaped(
        _CONNECTED := {
            "name": TEXT,
            "protocol": {"type": "string", "enum": list(CONNECTION_PROTOCOLS)},
            "base_url": {"type": "string", "format": "uri"},
            "provider": TEXT,
            "credential": MAYBE_TEXT,
            "models": listed(TEXT),
        },
        optional=("provider", "credential", "models"),
    ),
    "ConnectionChange": shaped({**_CONNECTED, "archived": FLAG}, optional=(*_CONNECTED, "archived")),
    "NewPrice": shaped({"name": TEXT, "credits_per_replica_hour": _PRICE_IN}),
    "PriceChange": shaped({"credits_per_replica_hour": _PRICE_IN}),
}
