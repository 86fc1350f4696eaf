"""The demo's hosting: what its models run on, since when, and by which connections the external ones are reached."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from modeltraces.catalog import audit, connections
from modeltraces.catalog.audit import AuditFilter
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.hosting import deployments, hardware, ledger
from modeltraces.catalog.models import ModelRegistry
from modeltraces.catalog.vault import Vault
from modeltraces.demo.models import MODELS, DemoModel
from modeltraces.demo.upstream import port_of

_ACTOR: Final = "demo"
_DAY_US: Final = 86_400_000_000
_PRICES: Final = {"H100 80 GB": "2.4", "A100 40 GB": "1.25", "L40S 48 GB": "0.8"}
_HARDWARE: Final = {
    "llama-3.1-8b-instruct": "L40S 48 GB",
    "mistral-small": "A100 40 GB",
    "qwen2.5-coder": "H100 80 GB",
    "support-triage": "L40S 48 GB",
    "invoice-extractor": "L40S 48 GB",
}
_CONNECTIONS: Final = {
    "azure-eu": ("azure", "azure_openai", "https://azure-eu.example.com", ["gpt-4o"]),
    "openai-direct": ("openai", "openai", "https://openai.example.com/v1", ["gpt-4o", "text-embedding-3-small"]),
    "anthropic-prod": ("anthropic", "anthropic", "https://anthropic.example.com", ["*"]),
}
"""Their addresses, where nobody is, until a start brings them to the demo's own upstream."""
_LINGERS_DAYS: Final = 2.0
"""How long an old version stays up when the new one has all the traffic: one can go back."""


def seed_hosting(catalog: Catalog, vault: Vault, account_id: str, *, end_us: int, days: int) -> bool:
    """Enter what is not entered yet; False when all of it was. `end_us`: the end of the history; `days`: its length.

    A start that ended half-way is completed by the next. What was entered once is left to its readers from then on: they
    may have changed or removed it.
    """
    entered = {
        (entry.action, entry.object)
        for page in audit.pages(catalog, account_id, AuditFilter(actor=_ACTOR))
        for entry in page
    }
    left = [
        step for step in _steps(catalog, vault, account_id, end_us, days) if (step.action, step.object) not in entered
    ]
    for step in left:
        step.enter()
    return bool(left)


def lead_to_upstream(
    catalog: Catalog, registry: ModelRegistry, vault: Vault, account_id: str, start: Callable[[int], str]
) -> None:
    """Bring the places that lead to the demo's own upstream to its address of this start.

    `start` gets the port of the last start, 0 for none, and gives the address. A place that somebody led elsewhere, or
    gave a credential, is left as it is.
    """
    reached = [
        one
        for one in connections.list_connections(catalog, account_id)
        if one.name in _CONNECTIONS and not one.has_credential and _is_ours(one.base_url, _CONNECTIONS[one.name][2])
    ]
    deployed = [
        (name, one)
        for entry in registry.list_models(account_id)
        for one in entry.deployments
        if (name := one.merged_from or entry.name) in _HARDWARE
        and one.locked_credential is None
        and _is_ours(one.endpoint, _endpoint(name, one.version))
    ]
    addresses = [*(one.base_url for one in reached), *(one.endpoint for _, one in deployed)]
    address = start(next((port for one in addresses if (port := port_of(one))), 0))
    for connection in reached:
        base_url = f"{address}/v1" if connection.protocol == "openai" else address
        if connection.base_url != base_url:
            values = {"base_url": base_url}
            connections.edit(catalog, account_id, connection.name, values, vault, has_runs=True, actor=_ACTOR)
    for name, one in deployed:
        if one.endpoint != f"{address}/v1":
            fields = deployments.Fields({"endpoint": f"{address}/v1"}, vault)
            deployments.edit(catalog, account_id, name, one.version, fields, actor=_ACTOR)


def _is_ours(address: str, first: str) -> bool:
    return address == first or port_of(address) is not None


def _endpoint(model: str, version: str) -> str:
    return f"https://{model.replace('.', '-')}-{version}.models.example.com/v1"


@dataclass(frozen=True, slots=True)
class _Step:
    action: str
    object: str
    """As the audit log has them: in the transaction of the step itself."""
    enter: Callable[[], Any]


def _steps(catalog: Catalog, vault: Vault, account_id: str, end_us: int, days: int) -> Iterator[_Step]:
    for name, price in _PRICES.items():
        enter: Callable[[], Any] = partial(hardware.set_price, catalog, account_id, name, price, actor=_ACTOR)
        yield _Step("hardware.add", f"hardware:{name}", enter)
    for name, (provider, protocol, address, models) in _CONNECTIONS.items():
        values = {"name": name, "provider": provider, "protocol": protocol, "base_url": address, "models": models}
        enter = partial(connections.create, catalog, account_id, values, vault, actor=_ACTOR)
        yield _Step("connection.add", f"connection:{name}", enter)
    for model in MODELS.values():
        yield from _of_model(catalog, vault, account_id, model, end_us, days)


def _of_model(
    catalog: Catalog, vault: Vault, account_id: str, model: DemoModel, end_us: int, days: int
) -> Iterator[_Step]:
    def at(days_before_end: float) -> int:
        return end_us - int(days_before_end * _DAY_US)

    def event(type: str, version: str, on_us: int, replicas: int | None = None) -> _Step:
        enter = partial(
            ledger.add_event, catalog, account_id, model.name, version, type,
            actor=_ACTOR, replicas=replicas, on_us=on_us,
        )  # fmt: skip
        return _Step(f"deployment.{type}", f"deployment:{model.name}@{version}", enter)

    for number, rollout in enumerate(model.rollouts):
        first, last = rollout.steps[0][0], rollout.steps[-1][0]
        fields = {
            "hardware": _HARDWARE[model.name],
            "endpoint": _endpoint(model.name, rollout.version),
            "protocol": "openai",
            "upstream_model": model.base_model,
        }
        enter = partial(
            deployments.create, catalog, account_id, model.name, deployments.Fields(fields, vault), actor=_ACTOR,
            version=rollout.version, replicas=1, deployed_on_us=at(min(first, float(days)) + 0.05),
        )  # fmt: skip
        yield _Step("deployment.deploy", f"deployment:{model.name}@{rollout.version}", enter)
        if len(rollout.steps) > 1:
            yield event("scale", rollout.version, at(last), 2)
        if number:
            yield event("undeploy", model.rollouts[number - 1].version, at(last - _LINGERS_DAYS))
