"""The catalog's models, by kind: where each is up or how it is reached, and how it does today. New ones are added here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import problem_of
from modeltraces.api.former_names import is_unborne
from modeltraces.api.identity import Identity
from modeltraces.catalog import connections, model_edits
from modeltraces.catalog.connections import Connection
from modeltraces.catalog.errors import CatalogError, CatalogUnavailable
from modeltraces.catalog.models import ModelEntry
from modeltraces.query.selection import Selection, parse_selection
from modeltraces.query.totals import Question, totals
from modeltraces.store.engine import Store, StoreError
from modeltraces.web.address import MODEL_TRACES, MODELS, Address, model_path, with_query
from modeltraces.web.catalog_contexts import ModelForm, ModelLine, ModelsPage, Pager, Place
from modeltraces.web.catalog_forms import KIND_LABELS, kind_options, refusal, typed
from modeltraces.web.contexts import Empty, Moment, Option, Trouble
from modeltraces.web.deployment_cards import label_of
from modeltraces.web.formatting import UNKNOWN, count, day, iso, percent
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.pages.model import change_model, show_model
from modeltraces.web.shell import shell
from modeltraces.web.templating import html
from modeltraces.web.view import View, view_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_SIZE: Final = 50
_FAILING: Final = 0.05
"""A failure rate from which on a model stands out."""
_PLACES_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address says: every state of the page is in it."""

    kind: str = ""
    search: str = ""
    archived: bool = False
    page: int = 1
    adding: bool = False

    @classmethod
    def of(cls, query: QueryParams) -> "_Asked":
        page = query.get("page", "")
        return cls(
            kind=query.get("kind", ""),
            search=query.get("q", "").strip(),
            archived=query.get("archived") == "1",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 9 else 1,
            adding=query.get("do") == "add",
        )

    def url(self, **changes: object) -> str:
        """The address of another state; another page only if asked for."""
        to = replace(self, **{"page": 1, "adding": False, **changes})  # type: ignore[arg-type]
        pairs = (
            ("kind", to.kind),
            ("q", to.search),
            ("archived", "1" if to.archived else ""),
            ("page", str(to.page) if to.page > 1 else ""),
            ("do", "add" if to.adding else ""),
        )
        return with_query(MODELS, [pair for pair in pairs if pair[1]])


@router.get(MODELS)
async def list_models(request: Request, identity: PageReader) -> Response:
    if name := request.query_params.get("model", ""):
        return await show_model(request, identity, name)
    return await _page(request, identity)


@router.post(MODELS)
async def add_model(request: Request, identity: PageAdmin) -> Response:
    if name := request.query_params.get("model", ""):
        return await change_model(request, identity, name)
    view = await view_of(request, identity)
    given = await typed(request)
    form = ModelForm(
        given.get("name", ""), given.get("kind", ""), given.get("base_model", ""), given.get("provider", "")
    )
    try:
        create = partial(
            model_edits.create, view.parts.catalog, identity.account_id, form.name, form.kind,
            base_model=form.base_model, provider=form.provider, actor=identity.actor,
            is_unborne=await is_unborne(view.parts, identity.account_id, form.name),
        )  # fmt: skip
        name = await view.parts.workers.look_up(create)
    except CatalogUnavailable:
        raise
    except (CatalogError, StoreError) as error:
        says, status = refusal(error)
        return await _page(request, identity, replace(form, error=says), status=status)
    return RedirectResponse(model_path(name), 303)


async def _page(request: Request, identity: Identity, form: ModelForm | None = None, *, status: int = 200) -> Response:
    view = await view_of(request, identity)
    asked = _Asked.of(request.query_params)
    may_change = "admin" in identity.scopes
    found: dict[str, tuple[int, int]] | None = None
    trouble = None
    try:
        today = parse_selection([("period", "24h")], account_id=identity.account_id, now_us=view.now_us)
        found = await view.parts.workers.query(_by_model, view.parts.store, today, view)
    except StoreError as error:
        trouble = Trouble("Today's figures could not be had", problem_of(error).detail, MODELS)
    reached = _by_reached(
        await view.parts.workers.look_up(connections.list_connections, view.parts.catalog, identity.account_id)
    )
    listed = [entry for entry in view.entries if asked.archived or not entry.archived]
    matching = [entry for entry in listed if _matches(entry, asked.search.casefold())]
    kind = _kind(asked, matching or listed)
    asked = replace(asked, kind=kind)
    here = [entry for entry in matching if entry.kind == kind]
    last_page = max(1, -(-len(here) // PAGE_SIZE))
    asked = replace(asked, page=min(asked.page, last_page))
    first = (asked.page - 1) * PAGE_SIZE
    rows = here[first : first + PAGE_SIZE]
    hidden_archived = sum(entry.archived for entry in view.entries)
    page = ModelsPage(
        shell=shell(request, identity, "Models", MODELS),
        tabs=tuple(
            Option(label, asked.url(kind=name), name == kind, count(sum(entry.kind == name for entry in matching)))
            for name, label in KIND_LABELS.items()
        ),
        kind=kind,
        kinds=kind_options(),
        models=tuple(_line(entry, found, reached, view) for entry in rows),
        search=asked.search,
        hidden=(("kind", kind), *((("archived", "1"),) if asked.archived else ())),
        archived=Option(
            "Hide archived" if asked.archived else f"Show archived ({count(hidden_archived)})",
            asked.url(archived=not asked.archived),
            asked.archived,
        )
        if hidden_archived
        else None,
        pager=_pager(asked, first, len(rows), len(here), last_page),
        empty=None if rows else _empty(asked, view, may_change),
        add_href=asked.url(adding=True, page=asked.page) if may_change else "",
        close_href=asked.url(page=asked.page),
        form=(form or (ModelForm(kind=kind) if asked.adding else None)) if may_change else None,
        may_change=may_change,
        trouble=trouble,
    )
    return html(request, "models.html", page, status=status)


def _kind(asked: _Asked, entries: Sequence[ModelEntry]) -> str:
    """The tab of the address; without one, the first that has models."""
    if asked.kind in KIND_LABELS:
        return asked.kind
    return next((name for name in KIND_LABELS if any(entry.kind == name for entry in entries)), "open_source")


def _matches(entry: ModelEntry, search: str) -> bool:
    texts = (entry.name, entry.base_model, entry.provider, *entry.merged)
    return not search or any(search in text.casefold() for text in texts)


def _pager(asked: _Asked, first: int, shown: int, total: int, last_page: int) -> Pager | None:
    if last_page == 1:
        return None
    return Pager(
        words=f"{count(first + 1)}\N{EN DASH}{count(first + shown)} of {count(total)}",
        previous_href=asked.url(page=asked.page - 1) if asked.page > 1 else "",
        next_href=asked.url(page=asked.page + 1) if asked.page < last_page else "",
    )


def _empty(asked: _Asked, view: View, may_change: bool) -> Empty:
    if asked.search:
        return Empty(
            "No model matches",
            f"No {_words(asked.kind)} model has “{asked.search}” in its name, base model or provider.",
            (Option("Clear the search", asked.url(search="")),),
        )
    add = (Option("Add a model", asked.url(adding=True)),) if may_change else ()
    if not view.entries:
        return Empty(
            "No models yet",
            "A model is listed here with its first run. Or add one now, and say where it is deployed.",
            (Option("How to send a run", MODEL_TRACES), *add),
        )
    return Empty(
        f"No {_words(asked.kind)} models",
        "Each is listed with its first run. One that is under the wrong tab can be given another kind on its own page.",
        add,
    )


def _words(kind: str) -> str:
    return kind.replace("_", "-")


def _by_model(store: Store, selection: Selection, view: View) -> dict[str, tuple[int, int]]:
    """Recorded name → (requests, failed)."""
    question = Question(
        replace(selection, filter=None),
        view.context,
        percentiles=False,
        name="toString(model)",
        fields=frozenset({"model"}),
    )
    return {one.name: (one.numbers[0], one.numbers[1]) for one in totals(store, question, surface="page.models")}


def _by_reached(found: Iterable[Connection]) -> dict[str, list[Connection]]:
    """Model's name upstream → the connections that name it."""
    by_name: dict[str, list[Connection]] = {}
    for connection in found:
        if not connection.archived:
            for name in connection.models:
                by_name.setdefault(name, []).append(connection)
    return by_name


def _line(
    entry: ModelEntry,
    found: Mapping[str, tuple[int, int]] | None,
    reached: Mapping[str, Sequence[Connection]],
    view: View,
) -> ModelLine:
    counts = [(found or {}).get(name, (0, 0)) for name in dict.fromkeys((entry.name, *entry.recorded_names))]
    total, failed = sum(n for n, _ in counts), sum(n for _, n in counts)
    places, note = _connections(entry, reached) if entry.kind == "external" else _deployments(entry)
    return ModelLine(
        name=entry.name,
        href=model_path(entry.name),
        traces_href=Address(models=(entry.name,)).url,
        base_model=entry.base_model,
        provider=entry.provider,
        merged=", ".join(entry.merged),
        archived=entry.archived,
        places=places[:_PLACES_SHOWN],
        more_places=max(0, len(places) - _PLACES_SHOWN),
        places_note=note,
        first_run=None
        if entry.first_run_on_us is None
        else Moment(day(entry.first_run_on_us, view.zone), iso(entry.first_run_on_us)),
        requests=UNKNOWN if found is None else count(total),
        failure_rate=percent(failed / total) if total else UNKNOWN,
        failing=bool(total) and failed / total >= _FAILING,
    )


def _deployments(entry: ModelEntry) -> tuple[tuple[Place, ...], str]:
    """Those that are up, newest first; where none is, what is known of the others."""
    up = [deployment for deployment in entry.deployments if deployment.replicas]
    places = tuple(
        Place(
            label_of(deployment),
            f"{count(deployment.replicas)} \N{MULTIPLICATION SIGN} {deployment.intervals[-1].hardware}"
            if deployment.intervals[-1].hardware
            else f"{count(deployment.replicas)} replica{'s' if deployment.replicas != 1 else ''}",
        )
        for deployment in reversed(up)
    )
    if places:
        return places, ""
    seen = [deployment.version for deployment in entry.deployments if not deployment.events]
    if seen:
        more = len(seen) - _PLACES_SHOWN
        words = ", ".join(seen[-_PLACES_SHOWN:])
        return (), f"{words}{f' and {more} more' if more > 0 else ''} seen on runs"
    return (), "none up" if entry.deployments else ""


def _connections(entry: ModelEntry, reached: Mapping[str, Sequence[Connection]]) -> tuple[tuple[Place, ...], str]:
    names = dict.fromkeys(place.name for place in entry.connections if not place.archived)
    for name in (entry.name, *entry.recorded_names):
        names |= dict.fromkeys(connection.name for connection in reached.get(name, ()))
    return tuple(Place(name) for name in names), ""
