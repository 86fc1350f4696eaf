"""One model: what it is, where it is deployed or how it is reached, what hosting it has cost, and what may be done to it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import Problem
from modeltraces.api.former_names import is_unborne
from modeltraces.api.identity import Identity
from modeltraces.api.state import gateway_of, parts_of
from modeltraces.api.trials import try_out
from modeltraces.catalog import connections
from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.errors import CatalogError, CatalogUnavailable, NotFound
from modeltraces.catalog.hosting.deployments import PROTOCOLS, reach
from modeltraces.catalog.hosting.hardware import Hardware, list_hardware
from modeltraces.catalog.models import ModelEntry
from modeltraces.query.presence import has_runs
from modeltraces.run import now_us
from modeltraces.store.engine import StoreError
from modeltraces.web.address import AUDIT_LOG, CONNECTIONS, MODELS, Address, model_path, with_query
from modeltraces.web.catalog_contexts import (
    ConnectionOfModel,
    DeploymentForm,
    HardwareOption,
    MergedModel,
    MergeForm,
    ModelForm,
    ModelPage,
)
from modeltraces.web.catalog_forms import KIND_LABELS, PROTOCOL_LABELS, amount, kind_options, moment, refusal, typed
from modeltraces.web.contexts import Option, Text
from modeltraces.web.deployment_cards import (
    SHOWN,
    Links,
    Open,
    credits_of,
    deployment_card,
    form_of,
    is_open,
    ordered,
    up_in_words,
)
from modeltraces.web.formatting import count, zone_label
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.model_changes import ACTS, ASKS_RUNS, Work
from modeltraces.web.routing_card import routing_card
from modeltraces.web.shell import shell, zone
from modeltraces.web.spoken import foreign
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_FORMS: Final = frozenset({"details", "merge", "deploy", "routing"})
"""What can be open that belongs to no deployment."""


@router.get(f"{MODELS}/{{name:path}}")
async def show_named(request: Request, identity: PageReader, name: str) -> Response:
    return await show_model(request, identity, name)


@router.post(f"{MODELS}/{{name:path}}")
async def change_named(request: Request, identity: PageAdmin, name: str) -> Response:
    return await change_model(request, identity, name)


async def show_model(request: Request, identity: Identity, name: str) -> Response:
    """The page of the model; a name that its runs bear, or of a model merged into it, leads to it. Raises NotFound."""
    entry = await _entry(request, identity, name)
    if entry.name != name:
        return RedirectResponse(model_path(entry.name), 303)
    query = request.query_params
    opened = Open(query.get("do", ""), query.get("version", ""), _of(entry, name, query))
    return await _page(request, identity, entry, opened)


async def change_model(request: Request, identity: Identity, name: str) -> Response:
    """Does what the address' `do` says. What is refused comes back with the reason, and what was typed."""
    parts, query = parts_of(request), request.query_params
    entry = await _entry(request, identity, name)
    do, version, of = query.get("do", ""), query.get("version", ""), _of(entry, name, query)
    act = ACTS.get(do)
    if act is None and do != "test":
        raise Problem(404, "There is nothing of that name to be done to a model.")
    given = await typed(request)
    work = Work(parts, identity, entry, version, given.get("event", ""), given, zone(request), of)
    try:
        if act is None:
            found_there = await try_out(parts, reach(entry, version, of or entry.name))
            return await _page(request, identity, entry, Open(do, version, of, probe=found_there))
        if do in ASKS_RUNS:
            found = await parts.workers.query(
                has_runs,
                parts.store,
                identity.account_id,
                models=(entry.name, *entry.recorded_names),
                deployment_version=version or None,
            )
            work = replace(work, has_runs=found)
        if do == "details":
            work = replace(work, is_unborne=await is_unborne(parts, identity.account_id, given.get("name", "")))
        return RedirectResponse(await parts.workers.look_up(act, work), 303)
    except CatalogUnavailable:
        raise
    except (CatalogError, StoreError) as error:
        says, status = refusal(error)
        refused = Open(do, version, of, given, says)
        return await _page(request, identity, await _entry(request, identity, name), refused, status=status)


def _of(entry: ModelEntry, name: str, query: Mapping[str, str]) -> str:
    """The merged model whose deployment the address is about; '' for the model's own. Raises NotFound: a page that was open
    while a merge was made or taken back must not change another's."""
    of = query.get("of", "")
    if of and of not in entry.merged:
        raise NotFound(f"{of[:200]} is no longer merged into {entry.name}. Open the model's page anew.")
    return of or entry.merged_by_name.get(name, "")


async def _entry(request: Request, identity: Identity, name: str) -> ModelEntry:
    parts = parts_of(request)
    entry = await parts.workers.look_up(parts.registry.get_model, identity.account_id, name)
    if entry is None:
        raise NotFound("This account has no such model. It may have been renamed or deleted.")
    return entry


async def _page(
    request: Request, identity: Identity, entry: ModelEntry, opened: Open, *, status: int = 200
) -> Response:
    parts, here, now = parts_of(request), zone(request), now_us()
    look_up, account_id = parts.workers.look_up, identity.account_id
    may_change = "admin" in identity.scopes
    is_external = entry.kind == "external"
    path = model_path(entry.name)
    links = Links(path, may_change)
    names = (entry.name,)
    hardware: Sequence[Hardware] = ()
    reached = await look_up(connections.list_connections, parts.catalog, account_id)
    if not is_external:
        hardware = await look_up(list_hardware, parts.catalog, account_id)
    others: tuple[str, ...] = ()
    if may_change and opened.do == "merge":
        entries = await look_up(parts.registry.list_models, account_id, archived=True)
        others = tuple(one.name for one in entries if one.kind == entry.kind and one.id != entry.id)
    prices: dict[str, Decimal] = {one.name: one.credits_per_replica_hour for one in hardware}
    every = ordered(entry.deployments)
    show_all = request.query_params.get("all") == "1" or len(every) <= SHOWN
    shown = every if show_all else [
        one for place, one in enumerate(every) if place < SHOWN or one.replicas or is_open(one, opened)
    ]  # fmt: skip
    kept = _kept_because(entry)
    surround = shell(request, identity, "Models", MODELS)
    if opened.version:
        belongs_to_none = not any(is_open(one, opened) for one in shown) or is_external
    else:
        belongs_to_none = opened.do not in _FORMS or (is_external and opened.do == "deploy")
    page = ModelPage(
        shell=replace(
            surround, title=entry.name, crumbs=(*surround.crumbs[:-1], ("Models", _list_href(entry)), (entry.name, ""))
        ),
        name=entry.name,
        kind=entry.kind,
        kind_label=KIND_LABELS[entry.kind],
        kinds=kind_options(),
        base_model=entry.base_model,
        provider=entry.provider,
        archived=entry.archived,
        first_run=None if entry.first_run_on_us is None else moment(entry.first_run_on_us, here, now),
        created=moment(entry.created_on_us, here, now),
        recorded_names=() if entry.recorded_names in ((), (entry.name,)) else entry.recorded_names,
        may_change=may_change,
        traces_href=Address(models=names).url,
        history_href=with_query(AUDIT_LOG, [("object", entry.name)]) if may_change else "",
        path=path,
        zone_label=zone_label(here, now),
        deployments=()
        if is_external
        else tuple(
            deployment_card(
                one,
                prices,
                links,
                opened,
                model=entry.name,
                traces_href=Address(models=names, filter=f"deployment_version:{_quoted(one.version)}").url,
                zone=here,
                now_us=now,
            )
            for one in shown
        ),
        more_deployments=None
        if len(shown) == len(every)
        else Option(f"Show all {count(len(every))}", with_query(path, [("all", "1")])),
        credits=Text("") if is_external else credits_of(entry.deployments, now),
        deployed=None if entry.deployed_on_us is None else moment(entry.deployed_on_us, here, now),
        hardware=tuple(HardwareOption(one.name, amount(one.credits_per_replica_hour)) for one in hardware),
        protocols=tuple(Option(PROTOCOL_LABELS[name], "", value=name) for name in PROTOCOLS),
        connections=_connections(entry, reached) if is_external else (),
        routing=routing_card(
            entry,
            reached,
            links,
            opened,
            cooling=gateway_of(request).router.cooling(account_id, entry.name),
        ),
        merged=tuple(MergedModel(name, links.doing("take-back")) for name in entry.merged),
        deploy_href=links.doing("deploy"),
        edit_href=links.doing("details"),
        merge_href=links.doing("merge"),
        archive_href=links.doing("restore" if entry.archived else "archive"),
        still_up=up_in_words(entry.deployments),
        delete_href="" if kept else links.doing("delete"),
        kept_because=kept,
        deploy=_deploy_form(entry, opened) if may_change and opened.do == "deploy" and not is_external else None,
        edit=_edit_form(entry, opened) if may_change and opened.do == "details" else None,
        merge=MergeForm((opened.typed or {}).get("into", ""), others, opened.error)
        if may_change and opened.do == "merge"
        else None,
        error=opened.error if belongs_to_none else "",
    )
    return html(request, "model.html", page, status=status)


def _list_href(entry: ModelEntry) -> str:
    return with_query(MODELS, [("kind", entry.kind), *((("archived", "1"),) if entry.archived else ())])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _kept_because(entry: ModelEntry) -> str:
    """Why the model cannot be deleted; '' when it can."""
    if entry.first_run_on_us is not None:
        return "It has runs, which would lose their model."
    if any(deployment.intervals for deployment in entry.deployments):
        return "It was hosted; its credits would be gone."
    if entry.merged:
        return "Other models are merged into it. Take that back first."
    return ""


def _edit_form(entry: ModelEntry, opened: Open) -> ModelForm:
    given = opened.typed
    if given is None:
        return ModelForm(entry.name, entry.kind, entry.base_model, entry.provider)
    return ModelForm(
        given.get("name", ""),
        given.get("kind", ""),
        given.get("base_model", ""),
        given.get("provider", ""),
        opened.error,
    )


def _deploy_form(entry: ModelEntry, opened: Open) -> DeploymentForm:
    if opened.typed is not None:
        return form_of(opened.typed, True, opened.error)
    # The next version is most often like the one before it.
    like = next(iter(ordered(entry.deployments)), None)
    if like is None or not like.events:
        return DeploymentForm(is_new=True)
    return DeploymentForm(is_new=True, hardware=like.hardware, protocol=like.protocol)


def _connections(entry: ModelEntry, found: Sequence[Connection]) -> tuple[ConnectionOfModel, ...]:
    came = {place.name for place in entry.connections}
    names, useless = {entry.name, *entry.recorded_names}, foreign(entry, found)
    listed = []
    for one in found:
        if one.name in came:
            reach = "its runs came through it"
        elif not one.archived and names & set(one.models):
            reach = "reaches it by name"
        elif not one.archived and EVERY_MODEL in one.models and one.name not in useless:
            reach = "reaches every model"
        else:
            continue
        listed.append(
            ConnectionOfModel(
                name=one.name,
                href=with_query(CONNECTIONS, [("q", one.name), *((("archived", "1"),) if one.archived else ())]),
                provider=one.provider,
                protocol=PROTOCOL_LABELS.get(one.protocol, one.protocol),
                base_url=one.base_url,
                reach=reach,
                archived=one.archived,
                seen_only=not one.protocol,
            )
        )
    return tuple(sorted(listed, key=lambda one: one.name not in came))
