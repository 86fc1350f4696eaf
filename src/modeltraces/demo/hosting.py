"""The demo's hosting: what its models run on, since when, and by which connections the external ones are reached."""

from typing import Final

from modeltraces.catalog import connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.hosting import deployments, hardware, ledger
from modeltraces.catalog.vault import Vault
from modeltraces.demo.models import MODELS, DemoModel

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
_LINGERS_DAYS: Final = 2.0
"""How long an old version stays up when the new one has all the traffic: one can go back."""


def seed_hosting(catalog: Catalog, vault: Vault, account_id: str, *, end_us: int, days: int) -> bool:
    """Enter it; False when it is there already. `end_us`: the end of the history; `days`: its length."""
    if hardware.list_hardware(catalog, account_id):
        return False
    for name, price in _PRICES.items():
        hardware.set_price(catalog, account_id, name, price, actor=_ACTOR)
    for name, (provider, protocol, address, models) in _CONNECTIONS.items():
        values = {"name": name, "provider": provider, "protocol": protocol, "base_url": address, "models": models}
        connections.create(catalog, account_id, values, vault, actor=_ACTOR)
    for model in MODELS.values():
        _deploy(catalog, vault, account_id, model, end_us, days)
    return True


def _deploy(catalog: Catalog, vault: Vault, account_id: str, model: DemoModel, end_us: int, days: int) -> None:
    def at(days_before_end: float) -> int:
        return end_us - int(days_before_end * _DAY_US)

    for number, rollout in enumerate(model.rollouts):
        first, last = rollout.steps[0][0], rollout.steps[-1][0]
        host = f"{model.name.replace('.', '-')}-{rollout.version}.models.example.com"
        fields = {
            "hardware": _HARDWARE[model.name],
            "endpoint": f"https://{host}/v1",
            "protocol": "openai",
            "upstream_model": model.base_model,
        }
        deployments.create(
            catalog, account_id, model.name, deployments.Fields(fields, vault), actor=_ACTOR, version=rollout.version,
            replicas=1, deployed_on_us=at(min(first, float(days)) + 0.05),
        )  # fmt: skip
        if len(rollout.steps) > 1:
            ledger.add_event(
                catalog, account_id, model.name, rollout.version, "scale", actor=_ACTOR, replicas=2, on_us=at(last)
            )
        if number:
            before = model.rollouts[number - 1].version
            ledger.add_event(
                catalog, account_id, model.name, before, "undeploy", actor=_ACTOR, on_us=at(last - _LINGERS_DAYS)
            )
