"""The Model Traces page, and the run that is open beside its table."""

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from modeltraces.api.errors import Problem, problem_of
from modeltraces.api.hosting import deployed_since, hosting_of
from modeltraces.api.identity import Identity
from modeltraces.api.state import parts_of
from modeltraces.query.cursor import CursorError
from modeltraces.query.metrics import count_runs, metrics, requests_since_deployment
from modeltraces.query.presence import has_runs
from modeltraces.query.runs import Page, get_run, list_runs, neighbours
from modeltraces.query.series import series
from modeltraces.query.series_by import series_by
from modeltraces.run import Run
from modeltraces.store.engine import StoreError
from modeltraces.web.address import MODEL_TRACES, MODELS, PERIODS, model_path
from modeltraces.web.comparison import compared, comparison
from modeltraces.web.contexts import FirstRun, Overview, RunDetail, RunsTable, TracesPage, Trouble
from modeltraces.web.detail import detail
from modeltraces.web.filter_bar import filter_bar
from modeltraces.web.filter_rows import reads_texts
from modeltraces.web.first_run import first_run
from modeltraces.web.guard import PageReader, PageRoute, is_fragment
from modeltraces.web.hosting_card import hosting_card
from modeltraces.web.nothing_found import no_such_model, nothing_matches
from modeltraces.web.overview import overview
from modeltraces.web.payloads import model_suffix, pretty
from modeltraces.web.shell import shell
from modeltraces.web.steps import Steps
from modeltraces.web.table import PAGE_ROWS, table
from modeltraces.web.templating import html
from modeltraces.web.toolbar import toolbar
from modeltraces.web.view import View, view_of

log = structlog.get_logger(__name__)
router = APIRouter(route_class=PageRoute, include_in_schema=False)

_TITLE = "Model Traces"
_TEMPLATES = {
    "page": "part_page.html",
    # The page with its numbers, however long they take: a live view must not blink.
    "whole": "part_page.html",
    "runs": "part_runs.html",
    "overview": "part_overview.html",
    "drawer": "part_drawer.html",
    "models": "part_models.html",
}


@dataclass(frozen=True, slots=True)
class _Numbers:
    overview: Overview | None = None
    total: int | None = None
    trouble: Trouble | None = None
    deferred: bool = False


@router.get(MODEL_TRACES)
async def model_traces(request: Request, identity: PageReader) -> Response:
    return await _answer(request, identity, None)


@router.get(MODEL_TRACES + "/runs/{request_id:path}")
async def open_run(request: Request, request_id: str, identity: PageReader) -> Response:
    """The page with a run open beside the table. 404 for a run that the account does not have."""
    parts = parts_of(request)
    run = await parts.workers.query(get_run, parts.store, identity.account_id, request_id)
    if run is None:
        raise Problem(404, "This account has no run of that Request ID.")
    return await _answer(request, identity, run)


@router.get(MODEL_TRACES + "/payload/{side}/{request_id:path}")
async def payload(request: Request, side: str, request_id: str, identity: PageReader, view: str = "text") -> Response:
    """The whole input or output: as text, or as the payload's JSON in lines."""
    parts = parts_of(request)
    run = await parts.workers.query(get_run, parts.store, identity.account_id, request_id)
    if run is None or side not in ("input", "output") or view not in ("text", "json"):
        raise Problem(404, "This account has no such payload.")
    if view == "text":
        return PlainTextResponse(_encodable(run.input if side == "input" else run.output))
    entry = await parts.workers.look_up(parts.registry.get_model, identity.account_id, run.model)
    suffix = model_suffix(entry.kind if entry else None, run.deployment_version, run.connection_name)
    text = await parts.workers.query(pretty, run.request if side == "input" else run.response, suffix)
    return PlainTextResponse(_encodable(text))


def _encodable(text: str) -> bytes:
    return text.encode("utf-8", "replace")


async def _answer(request: Request, identity: Identity, run: Run | None) -> Response:
    view = await view_of(request, identity)
    part = request.headers.get("x-part", "") if is_fragment(request) else ""
    if view.knows_no_model and view.selection is not None and await _is_anywhere(view):
        view = replace(view, knows_no_model=False)
    if not view.has_runs and run is None:
        return _respond(request, view, part, first=first_run(request, identity))
    if part == "models":
        return _respond(request, view, part)
    if part == "drawer" and run is not None:
        return _respond(request, view, part, detail=await _detail(view, run))
    if part == "runs":
        runs, total = await asyncio.gather(_rows(view), _total(view))
        return _respond(request, view, part, runs=await _table(view, runs, total, run))
    if part == "overview":
        numbers = await _numbers(view)
        counted = await _table(view, Page([], None, None), numbers.total, run)
        return _respond(request, view, part, runs=counted, numbers=numbers)
    # Reading texts takes its time, once for the rows and several times for the numbers: the rows are shown first.
    wait = part != "page" or view.selection is None or not reads_texts(view.selection.filter)
    numbers, runs, opened = await asyncio.gather(_numbers(view) if wait else _later(), _rows(view), _detail(view, run))
    rows = await _table(view, runs, numbers.total, run)
    return _respond(request, view, part, runs=rows, numbers=numbers, detail=opened)


def _respond(
    request: Request,
    view: View,
    part: str,
    *,
    runs: RunsTable | None = None,
    numbers: _Numbers | None = None,
    detail: RunDetail | None = None,
    first: FirstRun | None = None,
) -> Response:
    selection = view.selection
    wrong_filter = view.error if view.error and view.error.parameter == "filter" else None
    page = TracesPage(
        shell=shell(request, view.identity, _TITLE if detail is None else f"Run {detail.request_id}", MODEL_TRACES),
        toolbar=toolbar(
            view.address,
            view.entries,
            view.zone,
            now_us=view.now_us,
            from_us=selection.from_us if selection else None,
            to_us=selection.to_us if selection else None,
            may_export=view.identity.may_export,
            lists_all=part == "models",
        ),
        overview=numbers.overview if numbers else None,
        filter=filter_bar(
            view.address, selection.filter if selection else None, wrong_filter, zone=view.zone, now_us=view.now_us
        ),
        runs=runs or RunsTable((), (), ""),
        detail=detail,
        first_run=first,
        trouble=numbers.trouble if numbers else None,
        notices=view.notices,
        deferred=numbers.deferred if numbers else False,
        hosted=view.hosting_applies,
    )
    template = _TEMPLATES.get(part, "traces.html")
    status = 200
    # A part that says what is wrong is shown like any other; the browser would log an error for its status.
    if template == "traces.html":
        wrong = page.trouble or page.runs.trouble
        status = wrong.status if wrong else 200
    return html(request, template, page, status=status)


async def _numbers(view: View) -> _Numbers:
    """Metrics, the period before, and the chart; what keeps them away is said in their place, the table stands."""
    if (selection := view.selection) is None:
        return _Numbers()
    if view.knows_no_model:
        return _Numbers(total=0)
    query, store, context = view.parts.workers.query, view.parts.store, view.context
    before, compare = selection.before(), view.address.compare
    hosting, since = hosting_of(selection, view.entries), deployed_since(view.entries)
    try:
        now, then, ever, points, groups = await asyncio.gather(
            query(metrics, store, selection, context, hosting.names),
            query(metrics, store, before, context) if before else _nothing(),
            query(requests_since_deployment, store, selection, context, since),
            query(partial(series, tz=_zone_info(view)), store, selection, context),
            query(partial(series_by, tz=_zone_info(view)), store, selection, context, compare)
            if compare
            else _nothing(),
        )
    except StoreError as error:
        return _Numbers(trouble=_trouble(error, view.address.url))
    words = f"the {PERIODS[view.address.period]} before" if view.address.period in PERIODS else "the period before"
    steps = Steps.of(points, selection.from_us, selection.to_us, view.now_us)
    card = None
    if view.hosting_applies:
        earlier = hosting_of(before, view.entries).hosted if before else None
        several = len(view.address.models) != 1
        page = MODELS if several else model_path(view.facts.name_of(view.address.models[0]))
        card = hosting_card(hosting, now, earlier, steps, period=words, several=several, href=page)
    offers = comparison(
        view.address, hosted=view.hosting_applies, external="external" in view.kinds(), several=view.several
    )
    chart = None
    if groups is not None and groups.groups:
        chart = compared(view.address, groups, points, offers, view.zone, now_us=view.now_us, several=view.several)
    made = overview(
        now, then, points, steps,
        address=view.address, ever=ever, period=words, hosting=card, zone=view.zone, now_us=view.now_us, comparison=offers, chart=chart,
    )  # fmt: skip
    return _Numbers(made, now.total_requests)


async def _later() -> _Numbers:
    return _Numbers(deferred=True)


async def _is_anywhere(view: View) -> bool:
    """Whether runs bear the name of a chosen model all the same: of very many models the catalog lists the first."""
    names = view.address.models
    try:
        return await view.parts.workers.query(
            partial(has_runs, view.parts.store, view.identity.account_id, models=names)
        )
    except StoreError:
        # The table says what is wrong.
        return True


async def _nothing() -> None:
    return None


def _zone_info(view: View) -> ZoneInfo | None:
    return view.zone if isinstance(view.zone, ZoneInfo) else None


async def _total(view: View) -> int | None:
    if view.selection is None:
        return None
    try:
        return await view.parts.workers.query(count_runs, view.parts.store, view.selection, view.context)
    except StoreError:
        # The table says what is wrong; the count is only missing.
        return None


async def _rows(view: View) -> Page | Trouble:
    if view.error is not None or view.selection is None:
        return _misunderstood(view)
    try:
        return await view.parts.workers.query(
            partial(list_runs, limit=PAGE_ROWS, cursor=view.address.cursor or None, secret=view.parts.secret),
            view.parts.store, view.selection, view.context,
        )  # fmt: skip
    except CursorError:
        return Trouble(
            "This place in the list is gone",
            "The address was changed, or it belongs to another list. Begin with the first page.",
            view.address.changed().url,
            "First page",
            400,
        )
    except StoreError as error:
        return _trouble(error, view.address.url)


async def _table(view: View, rows: Page | Trouble, total: int | None, run: Run | None) -> RunsTable:
    if view.knows_no_model:
        # Near names are looked for beside the event loop.
        empty = await view.parts.workers.look_up(no_such_model, view.address, view.entries)
    else:
        empty = nothing_matches(view.address)
    return table(
        view.address,
        rows if isinstance(rows, Page) else None,
        total,
        view.zone,
        now_us=view.now_us,
        open_id=run.request_id if run else "",
        several=view.several,
        empty=empty,
        trouble=rows if isinstance(rows, Trouble) else None,
    )


async def _detail(view: View, run: Run | None) -> RunDetail | None:
    if run is None:
        return None
    before: str | None = None
    after: str | None = None
    if view.selection is not None:
        try:
            before, after = await view.parts.workers.query(
                neighbours, view.parts.store, view.selection, view.context, run.request_id
            )
        except StoreError as error:
            # The run itself is here; its neighbours are a convenience.
            log.warning("the neighbours of a run could not be found", error=str(error))
    return detail(
        replace(run, model=view.facts.name_of(run.model)),
        view.address,
        view.zone,
        kind=view.facts.kinds.get(run.model),
        base_model=view.facts.base_models.get(run.model, ""),
        previous_id=before,
        next_id=after,
        now_us=view.now_us,
    )


def _misunderstood(view: View) -> Trouble:
    assert view.error is not None
    if view.error.parameter == "filter":
        without = view.address.changed(filter="").url
        return Trouble("The filter cannot be read", "Correct it above, or clear it.", without, "Clear the filter", 400)
    return Trouble(
        "This address cannot be understood", view.error.message, MODEL_TRACES, "All runs of the last 7 days", 400
    )


def _trouble(error: StoreError, address: str) -> Trouble:
    problem = problem_of(error)
    log.error("the page's query failed", error=str(error), exc_info=error if problem.status == 500 else None)
    return Trouble("The answer could not be had", problem.detail, address, status=problem.status)
