"""The catalog's models, with how they do today. Read-only."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from modeltraces.api.errors import problem_of
from modeltraces.catalog.models import ModelEntry
from modeltraces.query.selection import Selection, parse_selection, where
from modeltraces.store.engine import Store, StoreError
from modeltraces.web.account_contexts import ModelRow, ModelsPage
from modeltraces.web.address import MODELS, Address
from modeltraces.web.contexts import Moment, Trouble
from modeltraces.web.formatting import UNKNOWN, count, day, iso, percent
from modeltraces.web.guard import PageReader, PageRoute
from modeltraces.web.shell import shell
from modeltraces.web.templating import html
from modeltraces.web.toolbar import KIND_LABELS
from modeltraces.web.view import View, view_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_FAILING = 0.05
"""A failure rate from which on a model stands out."""
_VERSIONS_SHOWN = 4


@router.get(MODELS)
async def list_models(request: Request, identity: PageReader) -> Response:
    view = await view_of(request, identity)
    today = parse_selection([("period", "24h")], account_id=identity.account_id, now_us=view.now_us)
    found: dict[str, tuple[int, int]] = {}
    trouble = None
    try:
        found = await view.parts.workers.query(_by_model, view.parts.store, today, view)
    except StoreError as error:
        trouble = Trouble("Today's figures could not be had", problem_of(error).detail, MODELS)
    page = ModelsPage(
        shell=shell(request, identity, "Models", MODELS),
        models=tuple(_row(entry, found, view) for entry in view.entries if not entry.archived),
        trouble=trouble,
    )
    return html(request, "models.html", page)


def _by_model(store: Store, selection: Selection, view: View) -> dict[str, tuple[int, int]]:
    """Recorded name → (requests, failed)."""
    condition, params = where(replace(selection, filter=None), view.context)
    rows = store.query(
        f"SELECT model, count(), countIf(status = 'failed') FROM runs FINAL WHERE {condition} GROUP BY model",
        params,
        surface="page.models",
    )
    return {str(name): (int(total), int(failed)) for name, total, failed in rows}


def _row(entry: ModelEntry, found: dict[str, tuple[int, int]], view: View) -> ModelRow:
    counts = [found.get(name, (0, 0)) for name in entry.recorded_names or (entry.name,)]
    total, failed = sum(n for n, _ in counts), sum(n for _, n in counts)
    places = (
        [place.name for place in entry.connections]
        if entry.kind == "external"
        else [deployment.version for deployment in entry.deployments]
    )
    shown = ", ".join(places[-_VERSIONS_SHOWN:])
    more = len(places) - _VERSIONS_SHOWN
    return ModelRow(
        name=entry.name,
        kind=KIND_LABELS[entry.kind],
        base_model=entry.base_model,
        versions=f"{shown} and {more} more" if more > 0 else shown,
        first_run=None
        if entry.first_run_on_us is None
        else Moment(day(entry.first_run_on_us, view.zone), iso(entry.first_run_on_us)),
        requests=count(total),
        failure_rate=percent(failed / total) if total else UNKNOWN,
        failing=bool(total) and failed / total >= _FAILING,
        href=Address(models=entry.recorded_names or (entry.name,)).url,
    )
