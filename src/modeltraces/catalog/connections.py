"""Connections: how external models are reached, and by whose credential."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

from sqlalchemy import select

from modeltraces.catalog.addresses import check_credential_stays, clean_address
from modeltraces.catalog.changes import LONGEST_ASKED, Change, changing
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound, about
from modeltraces.catalog.routing_edits import forget_connection, rename_connection
from modeltraces.catalog.tables import EVERY_MODEL as EVERY_MODEL
from modeltraces.catalog.tables import ConnectionRow
from modeltraces.catalog.text import clean_name, is_storable
from modeltraces.catalog.vault import Vault

PROTOCOLS: Final = ("openai", "anthropic", "azure_openai")
SETTABLE: Final = ("name", "provider", "protocol", "base_url", "credential", "models", "archived")
MOST_MODELS: Final = 1000


@dataclass(frozen=True, slots=True)
class Connection:
    """As it is listed. Its credential is known to be there, never what it is."""

    name: str
    provider: str
    protocol: str
    """'' for one that was only seen on runs."""
    base_url: str
    models: tuple[str, ...]
    """The models' names upstream, or `*`."""
    has_credential: bool
    created_on_us: int
    archived: bool
    locked_credential: str | None = field(default=None, repr=False)
    """Encrypted; for the gateway alone."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a call through a connection needs. Never shown, never logged."""

    protocol: str
    base_url: str
    locked_credential: str | None = field(repr=False)


def list_connections(catalog: Catalog, account_id: str) -> list[Connection]:
    """By name; archived ones too."""
    with catalog.session() as session:
        rows = session.scalars(
            select(ConnectionRow).where(ConnectionRow.account_id == account_id).order_by(ConnectionRow.name)
        )
        return [_connection(row) for row in rows]


def reach(catalog: Catalog, account_id: str, name: str) -> Reach:
    """Raises NotFound, and Invalid for a connection that was only seen on runs."""
    row = None
    if is_storable(name, LONGEST_ASKED):
        with catalog.session() as session:
            row = session.scalar(
                select(ConnectionRow).where(ConnectionRow.account_id == account_id, ConnectionRow.name == name)
            )
    if row is None:
        raise NotFound(f"This account has no connection {name[:200]!r}.")
    if not row.protocol or not row.base_url:
        raise Invalid(f"{row.name} was only seen on runs: give it a protocol and an address first.")
    return Reach(row.protocol, row.base_url, row.credential)


def create(
    catalog: Catalog,
    account_id: str,
    values: Mapping[str, Any],
    vault: Vault,
    *,
    actor: str,
    allow_link_local: bool = False,
) -> str:
    """A connection from `SETTABLE`; its name. One that was only seen on runs becomes this one.

    Raises Invalid, and Conflict when the name is used.
    """
    for name in ("name", "protocol", "base_url"):
        if not values.get(name):
            raise Invalid(f"{name} is missing.", parameter=name)
    with about("name"):
        named = _text(values["name"], "The connection's name")
    columns = _columns({"models": [EVERY_MODEL], **values}, vault, allow_link_local)
    with changing(catalog, account_id, actor) as change:
        add(change, named, columns)
        return named


def add(change: Change, name: str, columns: "Columns") -> None:
    """As `create`, in a change that is under way and with values that were checked."""
    row = change.session.scalar(
        select(ConnectionRow).where(ConnectionRow.account_id == change.account_id, ConnectionRow.name == name)
    )
    if row is not None and row.protocol:
        raise Conflict(f"This account has a connection {name!r} already. Choose another name, or edit that one.")
    if row is None:
        row = ConnectionRow(
            id=str(uuid.uuid4()), account_id=change.account_id, name=name, provider="", created_on_us=change.now_us,
            protocol="", base_url="", credential=None, reaches="[]", archived_on_us=None,
        )  # fmt: skip
        change.session.add(row)
    _assign(row, columns, change.now_us)
    change.session.flush()
    change.record("connection.add", f"connection:{name}", None, _shown(row))


def edit(
    catalog: Catalog,
    account_id: str,
    name: str,
    values: Mapping[str, Any],
    vault: Vault,
    *,
    has_runs: bool,
    actor: str,
    allow_link_local: bool = False,
) -> str:
    """Change what is given of `SETTABLE`; the connection's name afterwards.

    An address of another server needs the credential again, or its removal. Raises Invalid, NotFound, and Conflict for
    a new name that is used, or while runs bear the old one.
    """
    columns = _columns(values, vault, allow_link_local)
    with changing(catalog, account_id, actor) as change:
        row = change.connection(name)
        before = _shown(row)
        with about("name"):
            renamed = _text(values["name"], "The connection's name") if "name" in values else row.name
        if renamed != row.name:
            taken = select(ConnectionRow.id).where(
                ConnectionRow.account_id == account_id, ConnectionRow.name == renamed
            )
            if change.session.scalar(taken) is not None:
                raise Conflict(f"This account has a connection {renamed!r} already. Choose another name.")
            if has_runs:
                raise Conflict(f"Runs bear the name {row.name!r}. Make a new connection, and archive this one.")
            rename_connection(change, row.name, renamed)
            row.name = renamed
        _revise(change, row, columns, before)
        return row.name


def revise(change: Change, row: ConnectionRow, columns: "Columns") -> None:
    """As `edit` without a new name, in a change that is under way and with values that were checked."""
    _revise(change, row, columns, _shown(row))


def _revise(change: Change, row: ConnectionRow, columns: "Columns", before: dict[str, Any]) -> None:
    _assign(row, columns, change.now_us)
    change.session.flush()
    after = _shown(row)
    if columns.get("credential") and before["credential"] == "set":
        after["credential"] = "changed"
    if before != after:
        change.record("connection.edit", f"connection:{before['name']}", before, after)


def delete(catalog: Catalog, account_id: str, name: str, *, has_runs: bool, actor: str) -> None:
    """Raises NotFound, and Conflict for one that runs came through: archive it instead."""
    with changing(catalog, account_id, actor) as change:
        drop(change, change.connection(name), has_runs=has_runs)


def drop(change: Change, row: ConnectionRow, *, has_runs: bool) -> None:
    """As `delete`, in a change that is under way."""
    if has_runs:
        raise Conflict(f"Runs came through {row.name}. Archive it instead.")
    change.record("connection.delete", f"connection:{row.name}", _shown(row))
    change.session.delete(row)
    change.session.flush()
    forget_connection(change, row.name)


class Columns(TypedDict, total=False):
    """What is kept of a connection, checked; what is not named stays as it is."""

    provider: str
    protocol: str
    base_url: str
    credential: str | None
    """Locked."""
    models: list[str]
    archived: bool


def _assign(row: ConnectionRow, columns: Columns, now_us: int) -> None:
    if row.credential and "credential" not in columns:
        with about("base_url"):
            check_credential_stays(row.base_url, columns.get("base_url", row.base_url))
    row.provider = columns.get("provider", row.provider)
    row.protocol = columns.get("protocol", row.protocol)
    row.base_url = columns.get("base_url", row.base_url)
    row.credential = columns.get("credential", row.credential)
    if "models" in columns:
        row.reaches = json.dumps(columns["models"])
    if "archived" in columns:
        row.archived_on_us = (row.archived_on_us or now_us) if columns["archived"] else None


def _columns(values: Mapping[str, Any], vault: Vault, allow_link_local: bool) -> Columns:
    columns = Columns()
    if unknown := sorted(set(values) - set(SETTABLE)):
        raise Invalid(f"A connection has no field {unknown[0]!r}; it has {', '.join(SETTABLE)}.", parameter=unknown[0])
    for name in SETTABLE:
        if name in values:
            with about(name):
                _clean(columns, name, values[name], vault, allow_link_local)
    return columns


def _clean(columns: Columns, name: str, value: Any, vault: Vault, allow_link_local: bool) -> None:
    match name:
        case "provider":
            columns["provider"] = _text(value, "The provider") if value else ""
        case "protocol":
            if value not in PROTOCOLS:
                raise Invalid(f"protocol must be one of {', '.join(PROTOCOLS)}.")
            columns["protocol"] = value
        case "base_url":
            if not isinstance(value, str):
                raise Invalid("base_url must be text.")
            columns["base_url"] = clean_address(value, "The address", allow_link_local=allow_link_local)
        case "credential":
            if value is not None and not isinstance(value, str):
                raise Invalid("credential must be text.")
            columns["credential"] = vault.lock(value) if value else None
        case "models":
            columns["models"] = clean_models(value)
        case "archived":
            if not isinstance(value, bool):
                raise Invalid("archived must be true or false.")
            columns["archived"] = value


def clean_models(value: Any) -> list[str]:
    """The names that a connection reaches, each once. Raises Invalid."""
    if not isinstance(value, list) or not value or len(value) > MOST_MODELS:
        raise Invalid(f'models must be a list of 1 to {MOST_MODELS} names, or ["*"] for every model.')
    names = list(dict.fromkeys(_text(name, "A model's name") for name in value))
    if EVERY_MODEL in names and len(names) > 1:
        raise Invalid('models is either ["*"] or a list of names, not both.')
    return names


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{what} must be text.")
    return clean_name(value, what)


def _shown(row: ConnectionRow) -> dict[str, Any]:
    """For the audit log: of the credential, only whether there is one."""
    return {
        "name": row.name,
        "provider": row.provider,
        "protocol": row.protocol,
        "base_url": row.base_url,
        "models": json.loads(row.reaches),
        "credential": "set" if row.credential else "none",
        "archived": row.archived_on_us is not None,
    }


def _connection(row: ConnectionRow) -> Connection:
    return Connection(
        name=row.name,
        provider=row.provider,
        protocol=row.protocol,
        base_url=row.base_url,
        models=tuple(json.loads(row.reaches)),
        has_credential=row.credential is not None,
        created_on_us=row.created_on_us,
        archived=row.archived_on_us is not None,
        locked_credential=row.credential,
    )
