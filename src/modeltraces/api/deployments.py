"""`/api/v1/models/{name}/deployments`: versions of open-source and fine-tuned models, and the ledger of their hosting.

Of several hosted deployments of one version, after a merge, the one of the model `{name}` is meant, merged or not.
"""

from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from modeltraces.api.bodies import instant_of, object_of
from modeltraces.api.catalog_json import deployment_json, event_json
from modeltraces.api.errors import Problem
from modeltraces.api.identity import Admin, Identity, Reader
from modeltraces.api.models import entry_of
from modeltraces.api.state import parts_of
from modeltraces.api.trials import trial_json, try_out
from modeltraces.catalog.hosting import deployments, ledger
from modeltraces.catalog.model_entries import DeploymentEntry
from modeltraces.parts import Parts
from modeltraces.query.presence import has_runs


class _Encoded(APIRoute):
    """Takes a percent-encoded slash for a part of a name: there are models `accounts/a/deployments/x`, and versions
    `release/7`. Routes are matched by the decoded path, which does not tell where a name ends.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        raw: bytes = scope.get("raw_path") or b""
        if b"%2f" not in raw.lower():
            return super().matches(scope)
        below = self.path.split("/")[_NAME_AT + 1 :]
        segments = [unquote(part) for part in raw.decode("ascii", "replace").split("/")]
        name, given = segments[_NAME_AT : -len(below)], segments[-len(below) :]
        if not name:
            return Match.NONE, {}
        # With names that hold no slash, the library matches the rest.
        plain = [one if one.startswith("{") else said for one, said in zip(below, given, strict=False)]
        path = "/".join([*self.path.split("/")[:_NAME_AT], "name", *plain])
        match, child = super().matches({**scope, "path": path})
        if match is not Match.NONE:
            said = {part[1:-1]: value for part, value in zip(below, given, strict=True) if part.startswith("{")}
            child["path_params"] = {**child["path_params"], "name": "/".join(name), **said}
        return match, child


router = APIRouter(prefix="/api/v1/models", tags=["deployments"], route_class=_Encoded)

_ALL: Final = "/{name:path}/deployments"
_NAME_AT: Final = "/api/v1/models/{name:path}".count("/")
_ONE: Final = "/{name:path}/deployments/{version}"
_TEST: Final = "/{name:path}/deployments/{version}/test"
_EVENTS: Final = "/{name:path}/deployments/{version}/events"


async def _deployment(parts: Parts, identity: Identity, name: str, version: str) -> DeploymentEntry:
    deployment = (await entry_of(parts, identity, name)).deployment(version, name)
    if deployment is None:
        raise Problem(404, "This model has no deployment of that version.")
    return deployment


@router.post(_TEST, summary="Try a deployment's endpoint out")
async def test_deployment(request: Request, name: str, version: str, identity: Admin) -> dict[str, Any]:
    """One real call with its credential: `{ok, says, status, elapsed_ms, models}`. A failing server is still a 200 here."""
    parts = parts_of(request)
    entry = await entry_of(parts, identity, name)
    return trial_json(await try_out(parts, deployments.reach(entry, version, name)))


@router.get(_EVENTS, summary="A deployment's ledger")
async def list_events(request: Request, name: str, version: str, identity: Reader) -> dict[str, Any]:
    """`{events: [{id, type, on, replicas, credits_per_replica_hour, hardware, actor, recorded_on, struck_on, struck_by}]}`."""
    deployment = await _deployment(parts_of(request), identity, name, version)
    return {"events": [event_json(event) for event in deployment.events]}


@router.post(_EVENTS, summary="Deploy, scale or undeploy", status_code=201)
async def add_event(request: Request, name: str, version: str, identity: Admin) -> dict[str, Any]:
    """`{type: scale|undeploy|deploy, replicas?, on?}`; `on` (RFC 3339) is now when absent, and never in the future.

    409 for what does not follow from the other events: undeploying what is down, deploying what is up.
    """
    parts = parts_of(request)
    body = await object_of(request, ("type", "replicas", "on"), required=("type",))
    add = partial(
        ledger.add_event, parts.catalog, identity.account_id, name, version, body["type"],
        replicas=body.get("replicas"), on_us=instant_of(body.get("on"), "on"), actor=identity.actor,
    )  # fmt: skip
    return event_json(await parts.workers.look_up(add))


@router.delete(_EVENTS + "/{event_id}", summary="Strike an event out", status_code=204)
async def strike_event(request: Request, name: str, version: str, event_id: int, identity: Admin) -> Response:
    """For a mistake: it stays in the ledger and counts no more. 409 when the later events would make no sense without it."""
    parts = parts_of(request)
    await parts.workers.look_up(
        partial(ledger.strike_event, parts.catalog, identity.account_id, name, version, event_id, actor=identity.actor)
    )
    return Response(status_code=204)


@router.get(_ONE, summary="One deployment")
async def get_deployment(request: Request, name: str, version: str, identity: Reader) -> dict[str, Any]:
    return deployment_json(await _deployment(parts_of(request), identity, name, version))


@router.patch(_ONE, summary="Change a deployment")
async def edit_deployment(request: Request, name: str, version: str, identity: Admin) -> dict[str, Any]:
    """Any of `{hardware, credits_per_replica_hour, endpoint, protocol, upstream_model, credential}`; null clears.

    A new price holds from the deployment's next event on.
    """
    parts = parts_of(request)
    body = await object_of(request, deployments.SETTABLE)
    edit = partial(
        deployments.edit, parts.catalog, identity.account_id, name, version, _fields(parts, body), actor=identity.actor
    )
    await parts.workers.look_up(edit)
    return deployment_json(await _deployment(parts, identity, name, version))


@router.delete(_ONE, summary="Delete a deployment", status_code=204)
async def delete_deployment(request: Request, name: str, version: str, identity: Admin) -> Response:
    """Only one that has no runs and was never hosted; 409 otherwise: undeploy it with an event."""
    parts = parts_of(request)
    entry = await entry_of(parts, identity, name)
    found = await parts.workers.query(
        partial(
            has_runs, parts.store, identity.account_id,
            models=(*entry.recorded_names, entry.name), deployment_version=version,
        )
    )  # fmt: skip
    await parts.workers.look_up(
        partial(
            deployments.delete, parts.catalog, identity.account_id, name, version, has_runs=found, actor=identity.actor
        )
    )
    return Response(status_code=204)


@router.get(_ALL, summary="A model's deployments")
async def list_deployments(request: Request, name: str, identity: Reader) -> dict[str, Any]:
    """`{deployments: [{version, replicas, hardware, credits_per_replica_hour, endpoint, …}]}`, `v2` before `v10`."""
    entry = await entry_of(parts_of(request), identity, name)
    return {"deployments": [deployment_json(deployment) for deployment in entry.deployments]}


@router.post(_ALL, summary="Deploy a version", status_code=201)
async def create_deployment(request: Request, name: str, identity: Admin) -> dict[str, Any]:
    """`{version?, hardware?, replicas, credits_per_replica_hour?, endpoint?, protocol?, upstream_model?, credential?, deployed_on?}`.

    Without a version it becomes `v1`, `v2`, …. Its price is its own, or that of its hardware at that time. 409 when
    the version is used, or the model is external.
    """
    parts = parts_of(request)
    body = await object_of(request, ("version", "replicas", "deployed_on", *deployments.SETTABLE))
    version = body.get("version")
    if version is not None and not isinstance(version, str):
        raise Problem(422, "version must be text.", parameter="version")
    create = partial(
        deployments.create, parts.catalog, identity.account_id, name,
        _fields(parts, {key: value for key, value in body.items() if key in deployments.SETTABLE}),
        version=version, replicas=body.get("replicas"),
        deployed_on_us=instant_of(body.get("deployed_on"), "deployed_on"), actor=identity.actor,
    )  # fmt: skip
    made = await parts.workers.look_up(create)
    return deployment_json(await _deployment(parts, identity, name, made))


def _fields(parts: Parts, values: dict[str, Any]) -> deployments.Fields:
    return deployments.Fields(values, parts.vault, parts.settings.allow_link_local)
