"""Matching: by which rules runs get their model, deployment and connection; tried out, and applied to past runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import Problem
from modeltraces.api.identity import Identity
from modeltraces.api.state import parts_of
from modeltraces.catalog import connections, jobs
from modeltraces.catalog.errors import CatalogError, CatalogUnavailable, Invalid
from modeltraces.catalog.matching import book
from modeltraces.catalog.matching.job import KIND
from modeltraces.catalog.matching.rules import Outcome
from modeltraces.catalog.matching.written import WrittenRule
from modeltraces.parts import Parts
from modeltraces.run import now_us
from modeltraces.store.engine import StoreError
from modeltraces.web.address import MATCHING
from modeltraces.web.catalog_forms import instant_of, typed
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.matching_address import Asked
from modeltraces.web.matching_contexts import JobPage, MatchingPage, PastRuns, RuleForm, RuleLine, Trial
from modeltraces.web.matching_forms import (
    condition_fields,
    condition_words,
    outcome_fields,
    outcome_words,
    rule_refusal,
    typed_rule,
    values_of,
)
from modeltraces.web.matching_parts import implied, job_status, preview, trial
from modeltraces.web.shell import shell, zone
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_MOST_SUGGESTED: Final = 1000
_ADDING: Final = ("add", "add_from")
"""`add_from` begins with what was tried out."""
_OF_PAST: Final = ("preview", "apply")


@dataclass(frozen=True, slots=True)
class _Refused:
    error: str = ""
    typed: Mapping[str, str] | None = None


@router.get(MATCHING)
async def show_rules(request: Request, identity: PageReader) -> Response:
    return await _page(request, identity, _Refused())


@router.get(f"{MATCHING}/job")
async def show_job(request: Request, identity: PageReader) -> Response:
    """How far the job is: the page's script asks while one runs."""
    past = await _past(request, identity, Asked(), "")
    return html(request, "matching_job.html", JobPage(shell(request, identity, "Matching", MATCHING), past))


@router.post(MATCHING)
async def change_rules(request: Request, identity: PageAdmin) -> Response:
    """Does what the address' `do` says. What is refused comes back with the reason, and what was typed."""
    parts, asked = parts_of(request), Asked.of(request.query_params)
    given = await typed(request)
    try:
        to = await _change(parts, identity, asked, given)
    except CatalogUnavailable:
        raise
    except (CatalogError, StoreError) as error:
        says, status = rule_refusal(error)
        return await _page(request, identity, _Refused(says, given), status=status)
    return RedirectResponse(to, 303)


async def _change(parts: Parts, identity: Identity, asked: Asked, given: Mapping[str, str]) -> str:
    """Where to go on. Raises Invalid, Conflict or NotFound."""
    of, actor, look_up = (parts.catalog, identity.account_id), identity.actor, parts.workers.look_up

    async def edit(values: Mapping[str, Any]) -> str:
        made = await look_up(book.edit_rule, *of, asked.name, values, actor=actor)
        return f"{asked.url()}#{_anchor(made.name)}"

    async def moved(by: int) -> str:
        rules = await look_up(book.list_rules, *of)
        place = next((rule.position for rule in rules if rule.name == asked.name), 1)
        return await edit({"position": max(1, place + by)})

    match asked.do:
        case "add" | "add_from":
            made = await look_up(book.create_rule, *of, values_of(given), actor=actor)
            return f"{asked.url()}#{_anchor(made.name)}"
        case "edit":
            return await edit(values_of(given))
        case "on" | "off":
            return await edit({"enabled": asked.do == "on"})
        case "up":
            return await moved(-1)
        case "down":
            return await moved(1)
        case "delete":
            await look_up(book.delete_rule, *of, asked.name, actor=actor)
            return asked.url()
        case "apply":
            await parts.workers.query(parts.rematcher.start, identity.account_id, actor=actor)
            return f"{asked.url()}#past"
    raise Problem(404, "There is nothing of that name to be done to rules.")


async def _page(request: Request, identity: Identity, refused: _Refused, *, status: int = 200) -> Response:
    parts, asked = parts_of(request), Asked.of(request.query_params)
    here, now, may_change = zone(request), now_us(), "admin" in identity.scopes
    look_up, account = parts.workers.look_up, identity.account_id
    written = await look_up(book.list_rules, parts.catalog, account)
    every = await look_up(parts.rules.rules, account)
    known: Mapping[Outcome, list[str]] = {}
    if may_change and asked.do in (*_ADDING, "edit"):
        known = await look_up(_known, parts, account)
    wrong, at = "", now
    try:
        at = instant_of(asked.on, here) or now
    except Invalid as error:
        wrong, status = str(error), 422
    tried: Trial = trial(asked, every, at, wrong, may_change=may_change, zone_label=str(here))
    names = {rule.name for rule in written}
    beside = asked.do in _ADDING or asked.do in _OF_PAST or asked.name in names
    page = MatchingPage(
        shell=shell(request, identity, "Matching", MATCHING),
        may_change=may_change,
        rules=tuple(_line(rule, len(written), asked, refused, known, may_change) for rule in written),
        add_href=f"{asked.url(do='add')}#add" if may_change else "",
        close_href=asked.url(),
        form=_new_form(asked, refused, known) if may_change and asked.do in _ADDING else None,
        implied=implied(asked, [rule for rule in every.rules if rule.only_fills], here, now),
        trial=tried,
        past=await _past(request, identity, asked, refused.error if asked.do == "apply" else ""),
        error="" if beside else refused.error,
    )
    return html(request, "matching.html", page, status=status)


def _line(
    rule: WrittenRule,
    last: int,
    asked: Asked,
    refused: _Refused,
    known: Mapping[Outcome, list[str]],
    may_change: bool,
) -> RuleLine:
    chosen = asked.name == rule.name
    editing = chosen and may_change and asked.do == "edit"

    def doing(do: str, *, possible: bool = True) -> str:
        return f"{asked.url(do=do, name=rule.name)}#{_anchor(rule.name)}" if may_change and possible else ""

    form = None
    if editing:
        given = refused.typed
        if given is None:
            given = {**typed_rule(rule.name, rule.conditions, rule.outcomes), "enabled": "1" if rule.enabled else ""}
        form = _form(given, doing("edit"), refused.error, known)
    return RuleLine(
        position=rule.position,
        name=rule.name,
        anchor=_anchor(rule.name),
        conditions=condition_words(rule.conditions.items()),
        outcomes=outcome_words(rule.outcomes.items()),
        enabled=rule.enabled,
        up_href=doing("up", possible=rule.position > 1),
        down_href=doing("down", possible=rule.position < last),
        switch_href=doing("off" if rule.enabled else "on"),
        edit_href=doing("edit"),
        delete_href=doing("delete"),
        form=form,
        error=refused.error if chosen and not editing and asked.do not in _ADDING else "",
    )


def _new_form(asked: Asked, refused: _Refused, known: Mapping[Outcome, list[str]]) -> RuleForm:
    given = refused.typed
    if given is None:
        said = {fact: [value] for fact, value in asked.facts.items()} if asked.do == "add_from" else {}
        given = typed_rule("", said, {})
    return _form(given, f"{asked.url(do=asked.do)}#add", refused.error, known)


def _form(given: Mapping[str, str], action: str, error: str, known: Mapping[Outcome, list[str]]) -> RuleForm:
    return RuleForm(
        given.get("name", ""),
        condition_fields(given),
        outcome_fields(given, known),
        given.get("enabled") == "1",
        action,
        error,
    )


def _known(parts: Parts, account_id: str) -> Mapping[Outcome, list[str]]:
    """What the catalog has, to be suggested as outcomes."""
    entries = parts.registry.list_models(account_id)
    versions = {deployment.version for entry in entries for deployment in entry.deployments}
    reached = [one.name for one in connections.list_connections(parts.catalog, account_id) if not one.archived]
    return {
        "model": [entry.name for entry in entries][:_MOST_SUGGESTED],
        "deployment_version": sorted(versions)[:_MOST_SUGGESTED],
        "connection_name": reached[:_MOST_SUGGESTED],
    }


async def _past(request: Request, identity: Identity, asked: Asked, error: str) -> PastRuns:
    parts, here, now = parts_of(request), zone(request), now_us()
    may_apply = "admin" in identity.scopes
    latest = await parts.workers.look_up(jobs.latest, parts.catalog, identity.account_id, KIND)
    past = PastRuns(
        job=job_status(latest, here, now) if latest else None,
        may_apply=may_apply,
        preview_href=f"{asked.url(do='preview')}#past" if may_apply else "",
        apply_href=f"{asked.url(do='apply')}#past" if may_apply else "",
        close_href=f"{asked.url()}#past",
        error=error,
    )
    if asked.do != "preview" or not may_apply:
        return past
    try:
        found = await parts.workers.query(parts.rematcher.preview, identity.account_id)
    except CatalogUnavailable:
        raise
    except (CatalogError, StoreError) as problem:
        return replace(past, error=rule_refusal(problem)[0])
    return replace(past, preview=preview(found))


def _anchor(name: str) -> str:
    return f"rule-{quote(name, safe='')}"
