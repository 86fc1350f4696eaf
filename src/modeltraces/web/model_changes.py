"""What the forms of a model's page do to the catalog. Each raises Invalid, Conflict or NotFound, in words for the form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from modeltraces.api.identity import Identity
from modeltraces.catalog import model_edits
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.hosting import deployments, ledger
from modeltraces.catalog.models import ModelEntry
from modeltraces.parts import Parts
from modeltraces.web.address import MODELS, model_path
from modeltraces.web.catalog_forms import instant_of, price_of, replicas_of
from modeltraces.web.deployment_cards import anchor
from modeltraces.web.routing_card import routing_of


@dataclass(frozen=True, slots=True)
class Work:
    """One form that was sent, and to what it belongs."""

    parts: Parts
    identity: Identity
    entry: ModelEntry
    version: str
    event: str
    typed: Mapping[str, str]
    zone: tzinfo
    merged_from: str = ""
    """The merged model whose deployment it is about; '' for the model's own."""
    has_runs: bool = False
    is_unborne: bool = False
    """Whether the name typed is one that another model had before, and no run bears it."""

    @property
    def of(self) -> tuple[Any, str, str]:
        """What every change of the catalog begins with."""
        return self.parts.catalog, self.identity.account_id, self.entry.name

    @property
    def of_deployment(self) -> tuple[Any, str, str, str]:
        """What every change of a deployment that is there begins with: a merged model's is found by that model's name."""
        catalog, account_id, name = self.of
        return catalog, account_id, self.merged_from or name, self.version

    def text(self, name: str) -> str:
        return self.typed.get(name, "")

    def fields(self) -> deployments.Fields:
        """What is said of a deployment. A credential is only there when one was typed, or is to go."""
        values: dict[str, Any] = {
            name: self.text(name).strip() for name in ("hardware", "endpoint", "protocol", "upstream_model")
        }
        values["credits_per_replica_hour"] = price_of(self.text("price"))
        if self.text("credential").strip():
            values["credential"] = self.text("credential")
        elif self.text("remove_credential"):
            values["credential"] = ""
        return deployments.Fields(values, self.parts.vault, self.parts.settings.allow_link_local)


Act = Callable[[Work], str]
"""Gives the address to go on to."""


def _edit(work: Work) -> str:
    values = {name: work.text(name) for name in ("name", "kind", "base_model", "provider")}
    renamed = model_edits.edit(*work.of, values, is_unborne=work.is_unborne, actor=work.identity.actor)
    return model_path(renamed)


def _archive(work: Work) -> str:
    model_edits.edit(*work.of, {"archived": True}, actor=work.identity.actor)
    return model_path(work.entry.name)


def _restore(work: Work) -> str:
    model_edits.edit(*work.of, {"archived": False}, actor=work.identity.actor)
    return model_path(work.entry.name)


def _route(work: Work) -> str:
    model_edits.edit(*work.of, {"routing": routing_of(work.typed)}, actor=work.identity.actor)
    return model_path(work.entry.name)


def _unroute(work: Work) -> str:
    model_edits.edit(*work.of, {"routing": None}, actor=work.identity.actor)
    return model_path(work.entry.name)


def _merge(work: Work) -> str:
    into = work.text("into").strip()
    if not into:
        raise Invalid("Say which model it is merged into.")
    model_edits.merge(*work.of, into, actor=work.identity.actor)
    target = work.parts.registry.get_model(work.identity.account_id, into)
    return model_path(target.name if target else into)


def _take_back(work: Work) -> str:
    catalog, account_id, name = work.of
    model_edits.unmerge(catalog, account_id, work.text("merged"), actor=work.identity.actor)
    return model_path(name)


def _delete(work: Work) -> str:
    model_edits.delete(*work.of, has_runs=work.has_runs, actor=work.identity.actor)
    return f"{MODELS}?kind={work.entry.kind}"


def _deploy(work: Work) -> str:
    version = work.text("version").strip() or None
    return _make(work, version)


def _complete(work: Work) -> str:
    return _make(work, work.version)


def _make(work: Work, version: str | None) -> str:
    made = deployments.create(
        *work.of,
        work.fields(),
        actor=work.identity.actor,
        version=version,
        replicas=replicas_of(work.text("replicas")),
        deployed_on_us=instant_of(work.text("on"), work.zone),
    )
    return f"{model_path(work.entry.name)}#{anchor(made)}"


def _edit_deployment(work: Work) -> str:
    deployments.edit(*work.of_deployment, work.fields(), actor=work.identity.actor)
    return _at(work)


def _event(type: str) -> Act:
    def act(work: Work) -> str:
        ledger.add_event(
            *work.of_deployment,
            type,
            actor=work.identity.actor,
            replicas=None if type == "undeploy" else replicas_of(work.text("replicas")),
            on_us=instant_of(work.text("on"), work.zone),
        )
        return _at(work)

    return act


def _strike(work: Work) -> str:
    if not work.event.isdecimal() or len(work.event) > 18:
        raise Invalid("There is no such event.")
    ledger.strike_event(*work.of_deployment, int(work.event), actor=work.identity.actor)
    return _at(work)


def _delete_deployment(work: Work) -> str:
    deployments.delete(*work.of_deployment, has_runs=work.has_runs, actor=work.identity.actor)
    return model_path(work.entry.name)


def _at(work: Work) -> str:
    return f"{model_path(work.entry.name)}#{anchor(work.version, work.merged_from)}"


ACTS: Final[Mapping[str, Act]] = {
    "details": _edit,
    "archive": _archive,
    "restore": _restore,
    "routing": _route,
    "no-routing": _unroute,
    "merge": _merge,
    "take-back": _take_back,
    "delete": _delete,
    "deploy": _deploy,
    "complete": _complete,
    "edit": _edit_deployment,
    "scale": _event("scale"),
    "undeploy": _event("undeploy"),
    "deploy-again": _event("deploy"),
    "strike": _strike,
    "delete-deployment": _delete_deployment,
}
"""What `do` in the address may say, on sending."""
ASKS_RUNS: Final = frozenset({"delete", "delete-deployment"})
"""Those that must know whether there are runs."""
