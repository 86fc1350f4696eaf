"""Settings → Audit log: every change in the account, with filters and export. For owners and admins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.identity import Identity
from modeltraces.api.state import parts_of
from modeltraces.catalog import audit
from modeltraces.catalog.audit import AuditChoices, AuditEntry, AuditFilter
from modeltraces.query.times import FIRST_US, LAST_US, PERIODS, parse_instant, rfc3339, us_of
from modeltraces.run import now_us
from modeltraces.web import audit_words as words
from modeltraces.web.address import AUDIT_LOG, AUDIT_LOG_EXPORT, with_query
from modeltraces.web.audit_contexts import AuditChoiceGroup, AuditForm, AuditLine, AuditPage
from modeltraces.web.contexts import Empty, Moment, Option
from modeltraces.web.formatting import at, instant, iso, zone_label
from modeltraces.web.guard import PageAdmin, PageRoute
from modeltraces.web.shell import shell, zone
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PAGE_ENTRIES: Final = 50
_ANY: Final = "all"
_CUSTOM: Final = "custom"
_PERIODS: Final = {
    _ANY: "Any time",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    _CUSTOM: "From … to …",
}
_LAST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address says. `from_` and `to` are those of the period `custom`, RFC 3339 or ''."""

    actor: str = ""
    action: str = ""
    object: str = ""
    period: str = _ANY
    from_: str = ""
    to: str = ""
    before: int | None = None
    after: int | None = None

    def pairs(self) -> list[tuple[str, str]]:
        period = self.period if self.period not in (_ANY, _CUSTOM) else ""
        places = ((name, str(place or "")) for name, place in (("before", self.before), ("after", self.after)))
        pairs = (*self._narrowing(), ("period", period), ("from", self.from_), ("to", self.to), *places)
        return [(name, value) for name, value in pairs if value]

    def _narrowing(self) -> tuple[tuple[str, str], ...]:
        return ("actor", self.actor), ("action", self.action), ("object", self.object)

    @property
    def url(self) -> str:
        return with_query(AUDIT_LOG, self.pairs())

    def filter(self, now: int) -> AuditFilter:
        length = PERIODS.get(self.period)
        start = now - length if length is not None else parse_instant(self.from_) if self.from_ else None
        return AuditFilter(self.actor, self.action, self.object, start, parse_instant(self.to) if self.to else None)

    def export_url(self, format: str, filter: AuditFilter) -> str:
        times = [(name, rfc3339(us)) for name, us in (("from", filter.from_us), ("to", filter.to_us)) if us is not None]
        return with_query(
            AUDIT_LOG_EXPORT, [("format", format), *(pair for pair in self._narrowing() if pair[1]), *times]
        )


@router.get(AUDIT_LOG)
async def audit_log(request: Request, identity: PageAdmin) -> Response:
    parts, here, now = parts_of(request), zone(request), now_us()
    choices = await parts.workers.look_up(audit.choices, parts.catalog, identity.account_id)
    try:
        asked = _asked(request.query_params, here)
    except ValueError as error:
        form = _form(_typed(request.query_params), choices, here, now, str(error))
        return html(request, "audit_log.html", _page(request, identity, form, ()), status=400)
    if "period" in request.query_params and asked.pairs() != request.query_params.multi_items():
        # The form sends every field of it, and its times without a zone: the address to share is another.
        return RedirectResponse(asked.url, 303)
    filter = asked.filter(now)
    found = await parts.workers.look_up(
        audit.list_entries, parts.catalog, identity.account_id, filter,
        limit=PAGE_ENTRIES + 1, before_id=asked.before, after_id=asked.after,
    )  # fmt: skip
    more = len(found) > PAGE_ENTRIES
    if asked.after is not None and not more:
        # The newest page is a whole one.
        return RedirectResponse(replace(asked, after=None).url, 303)
    shown = found[:PAGE_ENTRIES] if asked.after is None else found[-PAGE_ENTRIES:]
    page = _page(
        request,
        identity,
        _form(asked, choices, here, now),
        tuple(_line(entry, here, now) for entry in shown),
        exports=tuple(
            Option(label, asked.export_url(format, filter), hint=hint)
            for format, label, hint in (("csv", "CSV", "for spreadsheets"), ("jsonl", "JSON Lines", "for programs"))
        )
        if shown
        else (),
        older=replace(asked, after=None, before=shown[-1].id).url
        if asked.after is not None or (more and shown)
        else "",
        newer=replace(asked, before=None, after=shown[0].id).url
        if shown and (asked.before is not None or asked.after is not None)
        else "",
        empty=None if shown else _empty(asked),
    )
    return html(request, "audit_log.html", page)


def _asked(params: QueryParams, here: tzinfo) -> _Asked:
    """What the address says. Raises ValueError with a sentence for the reader."""
    typed = _typed(params)
    if typed.period not in _PERIODS:
        raise ValueError(f"There is no period {typed.period!r}. Choose one of the list.")
    for name in ("actor", "action", "object"):
        if "\0" in getattr(typed, name):
            raise ValueError(f"The {name} holds a character that no entry has.")
    typed = replace(typed, before=_place(params.get("before", "")), after=_place(params.get("after", "")))
    if typed.period != _CUSTOM:
        return replace(typed, from_="", to="")
    start, end = _instant(typed.from_, here, "From"), _instant(typed.to, here, "To")
    if start is not None and end is not None and start >= end:
        raise ValueError("The period must begin before it ends.")
    from_, to = ("" if us is None else rfc3339(us).replace(".000000Z", "Z") for us in (start, end))
    return replace(typed, period=_CUSTOM if from_ or to else _ANY, from_=from_, to=to)


def _typed(params: QueryParams) -> _Asked:
    from_, to = (params.get(name, "").strip() for name in ("from", "to"))
    return _Asked(
        actor=params.get("actor", ""),
        action=params.get("action", ""),
        object=params.get("object", "").strip(),
        period=params.get("period", "") or (_CUSTOM if from_ or to else _ANY),
        from_=from_,
        to=to,
    )


def _place(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _LAST_ID):
        raise ValueError("This address names no place in the log. Begin at the newest entry.")
    return int(text)


def _instant(text: str, here: tzinfo, what: str) -> int | None:
    """RFC 3339, or a date with or without a clock in the reader's zone. Raises ValueError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        us = us_of(moment if moment.tzinfo is not None else moment.replace(tzinfo=here))
    except (ValueError, OverflowError):
        us = LAST_US
    if not FIRST_US <= us < LAST_US:
        raise ValueError(f"{what} is not a time. Write it like 2026-11-01 12:00.")
    return us


def _page(
    request: Request,
    identity: Identity,
    form: AuditForm,
    lines: tuple[AuditLine, ...],
    *,
    exports: tuple[Option, ...] = (),
    older: str = "",
    newer: str = "",
    empty: Empty | None = None,
) -> AuditPage:
    return AuditPage(shell(request, identity, "Audit log", AUDIT_LOG), form, lines, exports, older, newer, empty)


def _form(asked: _Asked, choices: AuditChoices, here: tzinfo, now: int, error: str = "") -> AuditForm:
    actors = _with(choices.actors, asked.actor)
    return AuditForm(
        actors=(
            Option("Anyone", "", not asked.actor),
            *(Option(_actor_label(actor), "", actor == asked.actor, value=actor) for actor in actors),
        ),
        actions=_action_groups(_with(choices.actions, asked.action.removesuffix(".*")), asked.action),
        any_action=Option("Anything", "", not asked.action),
        object=words.shown(asked.object),
        periods=tuple(Option(label, "", name == asked.period, value=name) for name, label in _PERIODS.items()),
        from_local=_local(asked.from_, here),
        to_local=_local(asked.to, here),
        zone_label=zone_label(here, now),
        clear_href=AUDIT_LOG if error or replace(asked, before=None, after=None).pairs() else "",
        error=words.shown(error),
    )


def _with(known: Sequence[str], chosen: str) -> list[str]:
    """What an address names is among the choices, also when the log does not know it."""
    return [*known, *([chosen] if chosen and chosen not in known else [])]


def _actor_label(actor: str) -> str:
    name, kind = words.actor_words(actor)
    return f"{kind} {name}" if kind else name


def _action_groups(actions: Sequence[str], chosen: str) -> tuple[AuditChoiceGroup, ...]:
    groups: dict[str, list[str]] = {}
    for action in actions:
        groups.setdefault(action.partition(".")[0], []).append(action)
    return tuple(
        AuditChoiceGroup(
            words.noun_words(noun),
            (
                Option(f"{words.noun_words(noun)}: anything", "", chosen == f"{noun}.*", value=f"{noun}.*"),
                *(
                    Option(words.action_words(action), "", action == chosen, value=action)
                    for action in members
                    if action != noun
                ),
            ),
        )
        for noun, members in sorted(groups.items())
    )


def _local(text: str, here: tzinfo) -> str:
    try:
        us = _instant(text, here, "")
    except ValueError:
        us = None
    if us is None:
        return ""
    moment = at(us, here)
    return (moment - timedelta(microseconds=moment.microsecond)).strftime("%Y-%m-%dT%H:%M:%S")


def _line(entry: AuditEntry, here: tzinfo, now: int) -> AuditLine:
    actor, actor_kind = words.actor_words(entry.actor)
    name, kind = words.object_words(entry.object)
    changes = words.changes(entry.before, entry.after, here)
    return AuditLine(
        id=entry.id,
        at=Moment(instant(entry.at_us, here, now_us=now), iso(entry.at_us)),
        actor=actor,
        actor_kind=actor_kind,
        action=words.shown(entry.action),
        action_words=words.action_words(entry.action),
        object=name,
        object_kind=kind,
        object_href=_Asked(object=words.shown(entry.object)).url,
        changes=tuple(changes[: words.CHANGES_SHOWN]),
        more_changes=tuple(changes[words.CHANGES_SHOWN :]),
        unseen=not changes and entry.before is not None and entry.after is not None,
    )


def _empty(asked: _Asked) -> Empty:
    newest = replace(asked, before=None, after=None)
    if asked.before is not None or asked.after is not None:
        return Empty("No older entries", "The log begins here.", (Option("To the newest", newest.url),))
    if newest.pairs():
        return Empty(
            "No entry matches", "Nothing of this kind was changed in this period.", (Option("Show all", AUDIT_LOG),)
        )
    return Empty("Nothing was changed yet", "Every change to models, keys, members and settings will be listed here.")
