"""Gateway: how a program calls a model through it, ready to paste, with a key made on the spot."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from modeltraces.api.state import gateway_of, parts_of
from modeltraces.catalog import connections, key_usage, keys
from modeltraces.catalog.connections import EVERY_MODEL, Connection
from modeltraces.catalog.errors import NotFound
from modeltraces.catalog.key_limits import RECORDINGS, Recording
from modeltraces.catalog.key_usage import DAY, NOTHING, window_of
from modeltraces.catalog.keys import ApiKey
from modeltraces.catalog.models import ModelEntry
from modeltraces.days import US_PER_DAY
from modeltraces.gateway.no_target import NoTarget
from modeltraces.gateway.target_book import TargetBook
from modeltraces.gateway.targets import SPOKEN, Family
from modeltraces.parts import Parts
from modeltraces.query.presence import most_called
from modeltraces.run import now_us
from modeltraces.store.engine import StoreError
from modeltraces.web import shown_once
from modeltraces.web.address import CONNECTIONS, GATEWAY, MODELS, with_query
from modeltraces.web.called_for import Task, is_unlike_chats, operation_of, task_of
from modeltraces.web.contexts import Empty, ModelGroup, Option
from modeltraces.web.formatting import count
from modeltraces.web.gateway_advice import KnownNames, of_a_name_taken_blindly, of_a_name_that_cannot_be_called
from modeltraces.web.gateway_contexts import Advice, GatewayPage, SnippetTab, TryBox
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.shell import shell
from modeltraces.web.snippets import TOOLS, VARIABLE, snippet
from modeltraces.web.templating import html
from modeltraces.web.toolbar import KIND_LABELS
from modeltraces.web.try_it import live_keys, may_try

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_FAMILIES: Final[dict[Family, tuple[str, str]]] = {
    "openai": ("OpenAI's API", "/gateway/openai/v1"),
    "anthropic": ("Anthropic's API", "/gateway/anthropic"),
}
_KEY_NAME: Final = "Gateway"
_LATELY_US: Final = 7 * US_PER_DAY


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address says."""

    model: str = ""
    key: str = ""
    tool: str = ""

    @classmethod
    def of(cls, query: QueryParams) -> "_Asked":
        return cls(query.get("model", "").strip(), query.get("key", ""), query.get("tool", ""))

    def url(self, path: str = GATEWAY, **changes: str) -> str:
        to = replace(self, **changes)
        pairs = (("model", to.model), ("key", to.key), ("tool", to.tool))
        return with_query(path, [pair for pair in pairs if pair[1]])


@dataclass(frozen=True, slots=True)
class _Found:
    """What the catalog has, for the page of one account."""

    names: frozenset[str]
    """The models that can be called."""
    entries: Sequence[ModelEntry]
    keys: Sequence[ApiKey]
    used_up: frozenset[str]
    """The ids of those that have used up their day."""
    usable: Sequence[Connection]
    served: frozenset[str]
    """Those that a deployment or connection serves that was made for them."""


@dataclass(frozen=True, slots=True)
class _Reach:
    families: Sequence[Family]
    """The APIs by which the model is called."""
    spellings: frozenset[str]
    """Of the model, and of it at each place: one of them must be among a key's models."""
    connections: Sequence[str]
    """By which it is called."""
    why_not: str
    """Why it cannot be called; '' when it can."""


@router.get(GATEWAY)
async def show_gateway(request: Request, identity: PageReader) -> Response:
    parts, book = parts_of(request), gateway_of(request).targets
    found = await parts.workers.look_up(_find, parts, book, identity.account_id)
    asked = _Asked.of(request.query_params)
    new = shown_once.said(request, identity)
    listed = sorted(found.names, key=str.lower)
    model = asked.model or await _first(parts, identity.account_id, found, listed)
    reach = await parts.workers.look_up(_reach, book, identity.account_id, model)
    chosen = _chosen(asked.key, found, reach)
    here = replace(asked, model=model, key=chosen.id if chosen else "")
    base = str(request.base_url).rstrip("/")
    operation = await operation_of(parts, identity.account_id, found.entries, model)
    tabs = _tabs(here, base, reach.families, task_of(operation), new.get("key", ""))
    tool = next((tool for tool in TOOLS if any(tab.key == tool.key and tab.current for tab in tabs)), None)
    known = KnownNames(found.entries, found.usable)

    def advise() -> tuple[Advice | None, Advice | None]:
        """Looks for near names."""
        trouble = _trouble(found, known, reach, chosen, here) if model else None
        of_the_name = of_a_name_taken_blindly(
            known, model, reach.connections, found.names, lambda name: here.url(model=name)
        )
        return trouble, of_the_name

    trouble, advice = await parts.workers.look_up(advise)
    page = GatewayPage(
        shell=shell(request, identity, "Gateway", GATEWAY),
        address=base,
        model=model,
        models=_groups(found, here),
        keys=tuple(
            Option(key.name, here.url(key=key.id), chosen is not None and key.id == chosen.id, hint=key.prefix)
            for key in found.keys
        ),
        key_id=chosen.id if chosen else "",
        key_name=chosen.name if chosen else "",
        tabs=tabs,
        families=tuple(Option(_FAMILIES[one][0], "", value=base + _FAMILIES[one][1]) for one in reach.families),
        trouble=trouble,
        advice=advice,
        other_task=operation if is_unlike_chats(operation) else "",
        empty=None if model else _empty("admin" in identity.scopes),
        reach_every=tuple(one.name for one in found.usable if EVERY_MODEL in one.models),
        create_href=here.url(f"{GATEWAY}/key") if "admin" in identity.scopes else "",
        new_key=new.get("key", ""),
        new_key_name=new.get("name", ""),
        variable=VARIABLE,
        may_try=may_try(identity),
        box=TryBox(model, chosen.id, tool.family, tool.task, chosen.name, _note(chosen, found))
        if chosen and tool and may_try(identity)
        else None,
    )
    return shown_once.forget(request, html(request, "gateway.html", page))


async def _first(parts: Parts, account_id: str, found: _Found, listed: Sequence[str]) -> str:
    """Of the models that can be called, one that will answer: a misspelt name that a connection to every model took is one, too."""
    for name in listed:
        if name in found.served:
            return name
    if not listed:
        return ""
    try:
        since = now_us() - _LATELY_US
        called = await parts.workers.query(most_called, parts.store, account_id, listed, since)
    except StoreError:
        called = ""
    return called or listed[0]


@router.post(f"{GATEWAY}/key")
async def create_key(request: Request, identity: PageAdmin) -> Response:
    """A key that may call models, shown once where the page was."""
    parts, asked = parts_of(request), _Asked.of(request.query_params)

    def create() -> tuple[str, ApiKey]:
        taken = {key.name for key in keys.list_keys(parts.catalog, identity.account_id)}
        numbered = (f"{_KEY_NAME} {number}" for number in itertools.count(2))
        name = next(name for name in itertools.chain((_KEY_NAME,), numbered) if name not in taken)
        return keys.create_key(parts.catalog, identity.account_id, name, actor=identity.actor, scopes=("gateway",))

    plain, key = await parts.workers.look_up(create)
    return shown_once.redirect_saying(request, identity, asked.url(key=key.id), key=plain, name=key.name)


def _find(parts: Parts, book: TargetBook, account_id: str) -> _Found:
    found = connections.list_connections(parts.catalog, account_id)
    usable = [one for one in found if one.protocol and one.base_url and not one.archived]
    entries = parts.registry.list_models(account_id)
    named = {name for one in usable for name in one.models}
    live = live_keys(parts, account_id)
    up = {entry.name for entry in entries if any(one.is_up for one in entry.deployments)}
    return _Found(
        frozenset(name for family in SPOKEN for name in book.names(account_id, family)),
        entries,
        live,
        _used_up(parts, account_id, live),
        usable,
        frozenset(named | up | {one.name for one in entries if named.intersection(one.recorded_names)}),
    )


def _used_up(parts: Parts, account_id: str, live: Sequence[ApiKey]) -> frozenset[str]:
    bound = {key.id: key.limits.tokens_per_day for key in live if key.limits.tokens_per_day is not None}
    if not bound:
        return frozenset()
    used, now = key_usage.current(parts.catalog, account_id), now_us()
    return frozenset(one for one, most in bound.items() if used.get(window_of(one, DAY, now), NOTHING).tokens >= most)


def _chosen(key_id: str, found: _Found, reach: _Reach) -> ApiKey | None:
    """The one that was asked for, else the newest that calls the model, today, and records all of it, as far as there is one.

    Raises NotFound for one that the account does not have, or that may not call models.
    """
    if not key_id:
        return min(
            found.keys,
            key=lambda one: (
                not one.limits.allows(*reach.spellings),
                one.id in found.used_up,
                RECORDINGS.index(one.limits.recording),
            ),
            default=None,
        )
    for key in found.keys:
        if key.id == key_id:
            return key
    raise NotFound("There is no such key that may call models in this account.")


def _reach(book: TargetBook, account_id: str, model: str) -> _Reach:
    families: list[Family] = []
    places: dict[str, None] = {}
    spellings, why = {model}, ""
    for family in SPOKEN:
        try:
            found = book.resolve(account_id, model, family)
        except NoTarget as error:
            # That it speaks the other API is no trouble.
            why = why or (str(error) if error.status == 404 else "")
            continue
        families.append(family)
        places |= dict.fromkeys(one.connection_name for one in found.every if one.connection_name)
        spellings |= {name for one in found.every for name in (one.model, f"{one.model}@{one.place}")}
    return _Reach(families, frozenset(spellings), tuple(places), "" if families else why)


def _trouble(found: _Found, known: KnownNames, reach: _Reach, key: ApiKey | None, here: _Asked) -> Advice | None:
    """Why the model cannot be called, or not with the chosen key."""
    if reach.families and key is not None and not key.limits.allows(*reach.spellings):
        return Advice(f"The key “{key.name}” may not call this model. Choose another, or let it under API keys.")
    if reach.why_not:
        return of_a_name_that_cannot_be_called(
            known, here.model, reach.why_not, found.names, lambda name: here.url(model=name)
        )
    return None


def _groups(found: _Found, here: _Asked) -> tuple[ModelGroup, ...]:
    groups = []
    for kind, label in KIND_LABELS.items():
        options = tuple(
            Option(entry.name, here.url(model=entry.name), entry.name == here.model, hint=entry.provider)
            for entry in found.entries
            if entry.kind == kind and entry.name in found.names
        )
        if options:
            groups.append(ModelGroup(label, options))
    uncalled = sorted(found.names - {entry.name for entry in found.entries}, key=str.lower)
    if uncalled:
        options = tuple(Option(name, here.url(model=name), name == here.model) for name in uncalled)
        groups.append(ModelGroup("Named by connections, not called yet", options))
    return tuple(groups)


def _tabs(here: _Asked, base: str, families: Sequence[Family], task: Task, new_key: str) -> tuple[SnippetTab, ...]:
    spoken = [tool for tool in TOOLS if tool.family in families]
    # Anthropic's API has nothing but chats.
    tools = [tool for tool in spoken if tool.task == task] or spoken
    open_one = here.tool if any(tool.key == here.tool for tool in tools) else tools[0].key if tools else ""
    spelled = {tool.label for tool in tools if tool.family == "openai"}
    return tuple(
        SnippetTab(
            tool.key,
            # Both APIs reach it: what is called alike is told apart.
            f"{tool.label}, Anthropic" if tool.family == "anthropic" and tool.label in spelled else tool.label,
            snippet(tool.key, base, here.model, new_key),
            here.url(tool=tool.key),
            tool.key == open_one,
        )
        for tool in tools
    )


def _note(key: ApiKey, found: _Found) -> str:
    if key.id in found.used_up:
        most = count(key.limits.tokens_per_day)
        return f"This key has used up its {most} tokens of today: calls are refused until midnight, UTC."
    notes: dict[Recording, str] = {
        "full": "",
        "metadata": "This key records metadata only: the run keeps no texts.",
        "off": "This key records nothing: there will be no run.",
    }
    return notes[key.limits.recording]


def _empty(may_change: bool) -> Empty:
    return Empty(
        "No models to call",
        "The gateway calls what is deployed with an endpoint under Models, or reached by a connection. "
        + (
            "Add either, and programs can call it here."
            if may_change
            else "An owner or admin of the account adds them."
        ),
        (Option("Connections", CONNECTIONS), Option("Models", MODELS)),
    )
