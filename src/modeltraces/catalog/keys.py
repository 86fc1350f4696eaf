"""API keys: made here, shown once, kept as digests."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog import audit, tokens
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound, about
from modeltraces.catalog.key_limits import LIMITS, KeyLimits, limits_of, put_limit
from modeltraces.catalog.tables import AccountRow, ApiKeyRow
from modeltraces.catalog.text import clean_name

Scope = Literal["ingest", "gateway", "read", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
DEFAULT_SCOPES: Final[tuple[Scope, ...]] = ("ingest", "gateway", "read")
"""Everything except changing the account."""

KEY_START: Final = "mt_"
_SHOWN = len(KEY_START) + 4

SETTABLE: Final = ("name", "default_source_type", "default_source", *LIMITS)
"""What can be changed of a key. Its scopes cannot: who holds it would gain or lose rights unseen."""
_TEXTS: Final = {
    "name": "The key's name",
    "default_source_type": "The source type",
    "default_source": "The source",
}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed. The key itself is not known here."""

    id: str
    account_id: str
    name: str
    prefix: str
    """Its first characters, to tell keys apart: `mt_abcd…`."""
    scopes: tuple[Scope, ...]
    default_source_type: str
    default_source: str
    created_on_us: int
    created_by: str
    expires_on_us: int | None
    revoked_on_us: int | None
    last_used_on_us: int | None
    limits: KeyLimits = field(default_factory=KeyLimits)


def parse_scopes(values: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes, each once, in a fixed order. Raises Invalid for an unknown one, or none."""
    given = set(values)
    if unknown := sorted(given.difference(SCOPES)):
        raise Invalid(f"Unknown scope {unknown[0]!r}: the scopes are {', '.join(SCOPES)}.", parameter="scopes")
    if not given:
        raise Invalid(f"A key needs at least one scope of {', '.join(SCOPES)}.", parameter="scopes")
    return tuple(scope for scope in SCOPES if scope in given)


def granted(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """What the scopes allow: `admin` reads and ingests, too. It does not spend money through the gateway."""
    allowed = set(scopes)
    if "admin" in allowed:
        allowed |= {"read", "ingest"}
    return frozenset(allowed)


def create_key(
    catalog: Catalog,
    account_id: str,
    name: str,
    *,
    actor: str,
    scopes: Iterable[str] = DEFAULT_SCOPES,
    default_source_type: str = "",
    default_source: str = "",
    expires_on_us: int | None = None,
    limits: Mapping[str, Any] | None = None,
) -> tuple[str, ApiKey]:
    """The key itself, which is not kept, and what is.

    The defaults are a run's source type and source when the sender names none. `limits`: members of `LIMITS`, each
    absent or None for no limit. Raises Invalid, and NotFound for an unknown account.
    """
    now = catalog.clock()
    if expires_on_us is not None and expires_on_us <= now:
        raise Invalid("The key would have expired already: choose a later time.", parameter="expires_on")
    plain = KEY_START + tokens.new_token()
    row = ApiKeyRow(
        id=str(uuid.uuid4()),
        account_id=account_id,
        name=_clean("name", name),
        key_hash=tokens.digest(plain),
        prefix=plain[:_SHOWN] + "…",
        scopes=" ".join(parse_scopes(scopes)),
        default_source_type=_clean("default_source_type", default_source_type),
        default_source=_clean("default_source", default_source),
        created_on_us=now,
        created_by=actor,
        expires_on_us=expires_on_us,
        revoked_on_us=None,
        last_used_on_us=None,
    )
    for limit in LIMITS:
        put_limit(row, limit, (limits or {}).get(limit))
    with catalog.writing() as session:
        if session.get(AccountRow, account_id) is None:
            raise NotFound("There is no such account.")
        session.add(row)
        audit.record(
            session,
            account_id=account_id,
            at_us=now,
            actor=actor,
            action="key.create",
            object=f"key:{row.name}",
            after={
                "id": row.id,
                "prefix": row.prefix,
                "scopes": row.scopes.split(),
                "default_source_type": row.default_source_type,
                "default_source": row.default_source,
                "expires_on_us": expires_on_us,
                **{
                    name: value
                    for name, value in _told(row).items()
                    if name in LIMITS and value not in (None, [], "full")
                },
            },
        )
    return plain, key_of(row)


def list_keys(catalog: Catalog, account_id: str, *, include_revoked: bool = False) -> list[ApiKey]:
    """The account's keys, newest first."""
    query = (
        select(ApiKeyRow)
        .where(ApiKeyRow.account_id == account_id)
        .order_by(ApiKeyRow.created_on_us.desc(), ApiKeyRow.id)
    )
    if not include_revoked:
        query = query.where(ApiKeyRow.revoked_on_us.is_(None))
    with catalog.session() as session:
        return [key_of(row) for row in session.scalars(query)]


def find_key(catalog: Catalog, account_id: str, which: str) -> ApiKey:
    """The live key of that id, prefix (`mt_abcd` or `mt_abcd…`) or name.

    Raises NotFound, and Conflict when several have that name.
    """
    live = list_keys(catalog, account_id)
    prefix = which.rstrip("…") + "…"
    found = [key for key in live if which in (key.id, key.name) or key.prefix == prefix]
    if not found:
        raise NotFound(f"There is no key {which!r} in this account.")
    if len(found) > 1:
        ids = ", ".join(f"{key.id} ({key.prefix})" for key in found)
        raise Conflict(f"Several keys are called {which!r}: give one's id: {ids}.")
    return found[0]


def change_key(catalog: Catalog, account_id: str, key_id: str, values: Mapping[str, Any], *, actor: str) -> ApiKey:
    """Change members of `SETTABLE` of a live key. This process holds to it at once, others within the authenticator's
    few seconds.

    Raises Invalid, and NotFound, also for another account's key and for one that was revoked.
    """
    with catalog.writing() as session:
        row = _live(session, account_id, key_id)
        before = _told(row)
        for name, value in values.items():
            _put(row, name, value)
        after = _told(row)
        if changed := [name for name in SETTABLE if before[name] != after[name]]:
            audit.record(
                session,
                account_id=account_id,
                at_us=catalog.clock(),
                actor=actor,
                action="key.change",
                object=f"key:{row.name}",
                before={"id": row.id, **{name: before[name] for name in changed}},
                after={"id": row.id, **{name: after[name] for name in changed}},
            )
    catalog.changed("keys")
    return key_of(row)


def revoke_key(catalog: Catalog, account_id: str, key_id: str, *, actor: str) -> None:
    """End the key. This process refuses it at once, others within the authenticator's few seconds.

    Raises NotFound, also for another account's key and for one that was revoked before.
    """
    with catalog.writing() as session:
        row = _live(session, account_id, key_id)
        now = catalog.clock()
        row.revoked_on_us = now
        audit.record(
            session,
            account_id=account_id,
            at_us=now,
            actor=actor,
            action="key.revoke",
            object=f"key:{row.name}",
            before={"id": row.id, "prefix": row.prefix},
        )
    catalog.changed("keys")


def key_of(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        account_id=row.account_id,
        name=row.name,
        prefix=row.prefix,
        scopes=parse_scopes(row.scopes.split()),
        default_source_type=row.default_source_type,
        default_source=row.default_source,
        created_on_us=row.created_on_us,
        created_by=row.created_by,
        expires_on_us=row.expires_on_us,
        revoked_on_us=row.revoked_on_us,
        last_used_on_us=row.last_used_on_us,
        limits=limits_of(row),
    )


def _live(session: Session, account_id: str, key_id: str) -> ApiKeyRow:
    # Two who revoke it at once (PostgreSQL): the second finds it revoked.
    row = session.get(ApiKeyRow, key_id, with_for_update=True)
    if row is None or row.account_id != account_id or row.revoked_on_us is not None:
        raise NotFound("There is no such key in this account.")
    return row


def _put(row: ApiKeyRow, name: str, value: Any) -> None:
    if name in LIMITS:
        put_limit(row, name, value)
        return
    if not isinstance(value, str | None):
        raise Invalid(f"{_TEXTS[name]} must be text.", parameter=name)
    setattr(row, name, _clean(name, value or ""))


def _clean(name: str, value: str) -> str:
    """One of `_TEXTS`. Raises Invalid."""
    with about(name):
        return clean_name(value, _TEXTS[name]) if name == "name" else _optional(value, _TEXTS[name])


def _told(row: ApiKeyRow) -> dict[str, Any]:
    """What can be changed, as the audit log has it."""
    limits = limits_of(row)
    return {
        **{name: getattr(row, name) for name in _TEXTS},
        **{name: getattr(limits, name) for name in LIMITS},
        "allowed_models": list(limits.allowed_models),
    }


def _optional(value: str, what: str) -> str:
    return clean_name(value, what) if value.strip() else ""
