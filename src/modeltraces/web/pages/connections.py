"""Connections: how external models are reached. Listed, added, changed, tried out, archived, deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import Problem
from modeltraces.api.identity import Identity
from modeltraces.api.state import parts_of
from modeltraces.api.trials import try_out
from modeltraces.catalog import connections
from modeltraces.catalog.connections import EVERY_MODEL, PROTOCOLS, Connection
from modeltraces.catalog.errors import CatalogError, CatalogUnavailable, Invalid
from modeltraces.catalog.models import ModelEntry
from modeltraces.gateway.probe import Probe
from modeltraces.parts import Parts
from modeltraces.query.presence import has_runs
from modeltraces.store.engine import StoreError
from modeltraces.web.address import CONNECTIONS, model_path, with_query
from modeltraces.web.catalog_contexts import (
    ConnectionCard,
    ConnectionForm,
    ConnectionsPage,
    Pager,
)
from modeltraces.web.catalog_forms import PROTOCOL_LABELS, refusal, typed
from modeltraces.web.contexts import Empty, Option
from modeltraces.web.formatting import count
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.probe_result import probe_result
from modeltraces.web.shell import shell
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_SIZE: Final = 50
_MODELS_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address says."""

    search: str = ""
    archived: bool = False
    page: int = 1
    do: str = ""
    name: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> "_Asked":
        page = query.get("page", "")
        return cls(
            search=query.get("q", "").strip(),
            archived=query.get("archived") == "1",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 9 else 1,
            do=query.get("do", ""),
            name=query.get("name", ""),
        )

    def url(self, **changes: Any) -> str:
        """The address of another state, with nothing open unless it is said."""
        to = replace(self, **{"do": "", "name": "", **changes})
        pairs = (
            ("q", to.search),
            ("archived", "1" if to.archived else ""),
            ("page", str(to.page) if to.page > 1 else ""),
            ("do", to.do),
            ("name", to.name),
        )
        return with_query(CONNECTIONS, [pair for pair in pairs if pair[1]])

    def at(self, name: str, do: str = "") -> str:
        address = self.url(do=do, name=name) if do else self.url()
        return f"{address}#{_anchor(name)}"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a form that did not lead on: it was refused, or it was a trial."""

    error: str = ""
    typed: Mapping[str, str] | None = None
    probe: Probe | None = None


@router.get(CONNECTIONS)
async def list_connections(request: Request, identity: PageReader) -> Response:
    return await _page(request, identity)


@router.post(CONNECTIONS)
async def change_connections(request: Request, identity: PageAdmin) -> Response:
    """Does what the address' `do` says. What is refused comes back with the reason, and what was typed."""
    parts, asked = parts_of(request), _Asked.of(request.query_params)
    given = await typed(request)
    try:
        if asked.do == "test":
            return await _page(request, identity, _Outcome(probe=await _probe(parts, identity, asked.name)))
        name = await _change(parts, identity, asked, given)
    except CatalogUnavailable:
        raise
    except (CatalogError, StoreError) as error:
        says, status = refusal(error)
        return await _page(request, identity, _Outcome(says, given), status=status)
    return RedirectResponse(asked.at(name) if name else asked.url(), 303)


async def _change(parts: Parts, identity: Identity, asked: _Asked, given: Mapping[str, str]) -> str:
    """The name of the connection to show; '' when it is gone from the list. Raises Invalid, Conflict or NotFound."""
    of = parts.catalog, identity.account_id
    actor, may_link_local = identity.actor, parts.settings.allow_link_local

    async def edit(values: Mapping[str, Any], *, with_runs: bool = False) -> str:
        return await parts.workers.look_up(
            connections.edit,
            *of,
            asked.name,
            values,
            parts.vault,
            has_runs=with_runs,
            actor=actor,
            allow_link_local=may_link_local,
        )

    async def used() -> bool:
        return await parts.workers.query(has_runs, parts.store, identity.account_id, connection_name=asked.name)

    match asked.do:
        case "add":
            return await parts.workers.look_up(
                connections.create,
                *of,
                _values(given, is_new=True),
                parts.vault,
                actor=actor,
                allow_link_local=may_link_local,
            )
        case "edit":
            values = _values(given, is_new=False)
            return await edit(values, with_runs=values["name"] != asked.name and await used())
        case "archive":
            await edit({"archived": True})
            return asked.name if asked.archived else ""
        case "restore":
            return await edit({"archived": False})
        case "delete":
            gone = await used()
            await parts.workers.look_up(connections.delete, *of, asked.name, has_runs=gone, actor=actor)
            return ""
    raise Problem(404, "There is nothing of that name to be done to a connection.")


def _values(given: Mapping[str, str], *, is_new: bool) -> dict[str, Any]:
    """What the form says. A credential is only there when one was typed, or is to go. Raises Invalid."""
    models = [line.strip() for line in given.get("models", "").splitlines() if line.strip()] or [EVERY_MODEL]
    if EVERY_MODEL in models and len(models) > 1:
        raise Invalid("Of models, give either * or names, not both.")
    values: dict[str, Any] = {
        "name": given.get("name", "").strip(),
        "provider": given.get("provider", "").strip(),
        "protocol": given.get("protocol", ""),
        "base_url": given.get("base_url", "").strip(),
        "models": models,
    }
    if given.get("credential", "").strip():
        values["credential"] = given["credential"]
    elif given.get("remove_credential") and not is_new:
        values["credential"] = ""
    return values


async def _probe(parts: Parts, identity: Identity, name: str) -> Probe:
    """One real call with the stored credential. Raises NotFound, and Invalid for what cannot be tried."""
    reach = await parts.workers.look_up(connections.reach, parts.catalog, identity.account_id, name)
    return await try_out(parts, reach)


async def _page(
    request: Request, identity: Identity, outcome: _Outcome | None = None, *, status: int = 200
) -> Response:
    parts, asked, came = parts_of(request), _Asked.of(request.query_params), outcome or _Outcome()
    may_change = "admin" in identity.scopes
    found = await parts.workers.look_up(connections.list_connections, parts.catalog, identity.account_id)
    entries = await parts.workers.look_up(parts.registry.list_models, identity.account_id, archived=True)
    users = _by_connection(entries)
    search = asked.search.casefold()
    listed = [
        one
        for one in found
        if (asked.archived or not one.archived)
        and (not search or any(search in text.casefold() for text in (one.name, one.provider, one.base_url)))
    ]
    last_page = max(1, -(-len(listed) // PAGE_SIZE))
    asked = replace(asked, page=min(asked.page, last_page))
    first = (asked.page - 1) * PAGE_SIZE
    rows = listed[first : first + PAGE_SIZE]
    hidden = sum(one.archived for one in found)
    adding = may_change and asked.do == "add"
    page = ConnectionsPage(
        shell=shell(request, identity, "Connections", CONNECTIONS),
        connections=tuple(_card(one, users.get(one.name, []), asked, came, may_change) for one in rows),
        protocols=tuple(Option(PROTOCOL_LABELS[name], "", value=name) for name in PROTOCOLS),
        archived=Option(
            "Hide archived" if asked.archived else f"Show archived ({count(hidden)})",
            asked.url(archived=not asked.archived, page=1),
            asked.archived,
        )
        if hidden
        else None,
        search=asked.search,
        hidden=(("archived", "1"),) if asked.archived else (),
        pager=Pager(
            f"{count(first + 1)}\N{EN DASH}{count(first + len(rows))} of {count(len(listed))}",
            asked.url(page=asked.page - 1) if asked.page > 1 else "",
            asked.url(page=asked.page + 1) if asked.page < last_page else "",
        )
        if last_page > 1
        else None,
        empty=None if rows else _empty(asked, may_change),
        add_href=asked.url(do="add") if may_change else "",
        close_href=asked.url(),
        form=_form(came.typed, came.error) if adding else None,
        error=came.error if not adding and asked.name not in {one.name for one in rows} else "",
        may_change=may_change,
    )
    return html(request, "connections.html", page, status=status)


def _empty(asked: _Asked, may_change: bool) -> Empty:
    if asked.search:
        return Empty(
            "No connection matches",
            f"None has “{asked.search}” in its name, provider or address.",
            (Option("Clear the search", asked.url(search="", page=1)),),
        )
    return Empty(
        "No connections yet",
        "A connection is the address and the credential by which an external model is reached. "
        "One that runs name is listed here by itself.",
        (Option("Add a connection", asked.url(do="add")),) if may_change else (),
    )


def _by_connection(entries: Sequence[ModelEntry]) -> dict[str, list[ModelEntry]]:
    """Connection's name → the models whose runs came through it."""
    users: dict[str, list[ModelEntry]] = {}
    for entry in entries:
        for connection in entry.connections:
            users.setdefault(connection.name, []).append(entry)
    return users


def _card(
    one: Connection, users: Sequence[ModelEntry], asked: _Asked, came: _Outcome, may_change: bool
) -> ConnectionCard:
    here = asked.name == one.name
    editing = here and may_change and asked.do == "edit"

    def doing(do: str) -> str:
        return asked.at(one.name, do) if may_change else ""

    every = EVERY_MODEL in one.models
    return ConnectionCard(
        name=one.name,
        anchor=_anchor(one.name),
        provider=one.provider,
        protocol=PROTOCOL_LABELS.get(one.protocol, one.protocol),
        base_url=one.base_url,
        models=() if every else one.models[:_MODELS_SHOWN],
        more_models=0 if every else max(0, len(one.models) - _MODELS_SHOWN),
        every_model=every,
        has_credential=one.has_credential,
        seen_only=not one.protocol,
        archived=one.archived,
        used_by=tuple(Option(entry.name, model_path(entry.name)) for entry in users[:_MODELS_SHOWN]),
        more_used_by=max(0, len(users) - _MODELS_SHOWN),
        test_href=doing("test") if one.protocol and one.base_url else "",
        edit_href=doing("edit"),
        archive_href=doing("restore" if one.archived else "archive"),
        delete_href="" if users else doing("delete"),
        form=_edit_form(one, came) if editing else None,
        probe=probe_result(came.probe, one.protocol, one.models) if here and came.probe else None,
        error=came.error if here and not editing else "",
    )


def _edit_form(one: Connection, came: _Outcome) -> ConnectionForm:
    if came.typed is not None:
        return _form(came.typed, came.error, one.has_credential)
    return ConnectionForm(
        one.name, one.provider, one.protocol, one.base_url, "\n".join(one.models) or EVERY_MODEL, one.has_credential
    )


def _form(given: Mapping[str, str] | None, error: str, has_credential: bool = False) -> ConnectionForm:
    """What was typed; never the credential."""
    if given is None:
        return ConnectionForm()
    return ConnectionForm(
        given.get("name", ""),
        given.get("provider", ""),
        given.get("protocol", ""),
        given.get("base_url", ""),
        given.get("models", ""),
        has_credential,
        error,
        lost_credential=bool(given.get("credential", "").strip()),
    )


def _anchor(name: str) -> str:
    return f"connection-{quote(name, safe='')}"
