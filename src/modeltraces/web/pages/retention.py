"""Retention: how long runs and their payloads are kept, by account and model. Owners change it, all see it."""

from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import Problem
from modeltraces.api.identity import Identity
from modeltraces.api.retention import Kept, kept_of, require_owner, would_remove
from modeltraces.api.state import parts_of
from modeltraces.catalog.errors import CatalogError, CatalogUnavailable
from modeltraces.catalog.retention.policy import Days, Policy, Said, change_policy, preview_policy, read_policy
from modeltraces.run import now_us
from modeltraces.web.address import RETENTION, model_path, with_query
from modeltraces.web.catalog_forms import moment, refusal, typed
from modeltraces.web.formatting import zone_label
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.retention_contexts import DaysForm, ModelDays, RetentionPage, Review, SweepFacts
from modeltraces.web.retention_words import TOO_MANY, days_of, days_typed, days_words, payload_words, removed_words
from modeltraces.web.shell import shell, zone
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_MOST_SUGGESTED: Final = 1000


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is open on the page: of the account (`model` None) or of a model."""

    do: str = ""
    model: str | None = None
    runs: str = ""
    payloads: str = ""
    error: str = ""
    removes: str = ""
    """Set: it is to be said yes to."""
    days: Days = Days()  # noqa: RUF009
    """What would be kept then."""


@router.get(RETENTION)
async def show_retention(request: Request, identity: PageReader) -> Response:
    query = request.query_params
    return await _page(request, identity, _Shown(query.get("do", ""), query.get("model")))


@router.post(RETENTION)
async def change_retention(request: Request, identity: PageAdmin) -> Response:
    """Does what the address' `do` says. Raises Forbidden for all but owners."""
    require_owner(identity)
    parts, query = parts_of(request), request.query_params
    do, look_up = query.get("do", ""), parts.workers.look_up
    if do == "sweep":
        await look_up(parts.sweeper.ask)
        return RedirectResponse(f"{RETENTION}#sweep", 303)
    if do not in ("account", "add", "model", "remove"):
        raise Problem(404, "There is nothing of that name to be done to what is kept.")
    given = await typed(request)
    model = None if do == "account" else given.get("model", "") if do == "add" else query.get("model", "")
    runs, payloads = ("", "") if do == "remove" else (given.get("runs", ""), given.get("payloads", ""))
    shown = _Shown(do, model, runs, payloads)
    server = parts.sweeper.server
    try:
        values = {
            "keep_runs_days": days_of(runs, "Runs"),
            "keep_payloads_days": days_of(payloads, "Payloads"),
        }
        of = (parts.catalog, identity.account_id, values)
        then = await look_up(partial(preview_policy, *of, server=server, model=model))
        if given.get("confirmed") != "yes" and (removes := await _more(request, identity, then)):
            above = server if model is None else then.account.over(server)
            days = Said(**values).over(above).capped
            return await _page(request, identity, replace(shown, removes=removes, days=days))
        await look_up(partial(change_policy, *of, server=server, actor=identity.actor, model=model))
    except CatalogUnavailable:
        raise
    except CatalogError as error:
        says, status = refusal(error)
        return await _page(request, identity, replace(shown, error=says), status=status)
    return RedirectResponse(RETENTION if model is None or do == "remove" else f"{RETENTION}#{_anchor(model)}", 303)


async def _more(request: Request, identity: Identity, then: Policy) -> str:
    """What the next sweep would remove, when that is more than it would as things are; else ''."""
    parts = parts_of(request)
    now = await parts.workers.look_up(read_policy, parts.catalog, identity.account_id, parts.sweeper.server)
    before = await would_remove(parts, identity.account_id, now)
    after = await would_remove(parts, identity.account_id, then)
    if before is None or after is None:
        return TOO_MANY if then != now else ""
    is_more = after.runs > before.runs or after.runs + after.payloads > before.runs + before.payloads
    return removed_words(after) if is_more else ""


async def _page(request: Request, identity: Identity, shown: _Shown, *, status: int = 200) -> Response:
    parts = parts_of(request)
    kept = await kept_of(parts, identity.account_id)
    policy, here, now = kept.policy, zone(request), now_us()
    may_change = identity.role == "owner"
    above = policy.account.over(policy.server).capped
    when = "within a minute" if kept.next_sweep_us <= now else f"on {moment(kept.next_sweep_us, here, now).text}"

    def review(name: str | None) -> Review | None:
        if not shown.removes:
            return None
        hidden = [("runs", shown.runs), ("payloads", shown.payloads), ("confirmed", "yes")]
        if shown.do == "add":
            hidden.append(("model", shown.model or ""))
        action = _doing(shown.do, None if shown.do == "add" else name)
        return Review(_kept_words(name, shown.days), shown.removes, when, action, tuple(hidden))

    def line(name: str, said: Said) -> ModelDays:
        days = policy.days_of(name)
        is_open = may_change and shown.model == name and shown.do in ("model", "remove")
        changed = is_open and shown.do == "model"
        return ModelDays(
            name=name,
            href=model_path(name),
            anchor=_anchor(name),
            runs=days_words(days.runs),
            payloads=payload_words(days),
            runs_inherited=said.keep_runs_days is None,
            payloads_inherited=said.keep_payloads_days is None,
            change_href=_doing("model", name) if may_change else "",
            remove_href=_doing("remove", name) if may_change else "",
            form=_form(shown, said, above, _doing("model", name), name) if changed and not shown.removes else None,
            review=review(name) if is_open else None,
        )

    listed = tuple(line(name, said) for name, said in policy.models.items())
    adds = may_change and shown.do == "add"
    known: tuple[str, ...] = ()
    if adds:
        entries = await parts.workers.look_up(parts.registry.list_models, identity.account_id)
        known = tuple(entry.name for entry in entries if entry.name not in policy.models)[:_MOST_SUGGESTED]
    of_account = shown if shown.do == "account" else _Shown()
    page = RetentionPage(
        shell=shell(request, identity, "Retention", RETENTION),
        runs=days_words(policy.days.runs),
        payloads=payload_words(policy.days),
        source="as the server is set" if policy.account.nothing else "as an owner set it",
        oldest_run=moment(kept.oldest_run_us, here, now) if kept.oldest_run_us is not None else None,
        oldest_payload=moment(kept.oldest_payload_us, here, now) if kept.oldest_payload_us is not None else None,
        sweep=_sweep(kept, here, now, may_change),
        zone_label=zone_label(here, now),
        may_change=may_change,
        form=_form(of_account, policy.account, policy.server.capped, _doing("account")) if may_change else None,
        review=review(None) if shown.do == "account" else None,
        models=listed,
        add_href=f"{_doing('add')}#add" if may_change else "",
        add=replace(_form(shown, Said(), above, _doing("add"), shown.model or ""), is_new=True, known=known)
        if adds and not shown.removes
        else None,
        add_review=review(shown.model) if adds else None,
        error=shown.error if shown.do in ("model", "remove") and shown.model not in policy.models else "",
    )
    return html(request, "retention.html", page, status=status)


def _kept_words(model: str | None, days: Days) -> str:
    whose = "" if model is None else f" of {model}"
    return f"Runs{whose} kept {days_words(days.runs)}, payloads {payload_words(days)}"


def _form(shown: _Shown, said: Said, above: Days, action: str, model: str = "") -> DaysForm:
    typed_in = bool(shown.error or shown.removes)
    return DaysForm(
        action=action,
        runs=shown.runs if typed_in else days_typed(said.keep_runs_days),
        payloads=shown.payloads if typed_in else days_typed(said.keep_payloads_days),
        above_runs=days_words(above.runs),
        above_payloads=payload_words(above),
        error=shown.error,
        model=model,
    )


def _sweep(kept: Kept, here: tzinfo, now: int, may_change: bool) -> SweepFacts:
    sweep = kept.sweep
    if not sweep.started_on_us:
        state, at = "none", None
    elif sweep.runs_now:
        state, at = "running", sweep.started_on_us
    else:
        state, at = ("failed" if sweep.error else "done"), sweep.ended_on_us
    return SweepFacts(
        state=state,
        at=None if at is None else moment(at, here, now),
        removed=removed_words(sweep.removed),
        error=sweep.error,
        next=moment(kept.next_sweep_us, here, now) if kept.next_sweep_us > now else None,
        href=_doing("sweep") if may_change else "",
    )


def _doing(do: str, model: str | None = None) -> str:
    return with_query(RETENTION, [("do", do), *([("model", model)] if model is not None else [])])


def _anchor(name: str) -> str:
    return f"model-{quote(name, safe='')}"
