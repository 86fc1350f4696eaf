"""Accounts: the tenants. Everything else belongs to one."""

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import NotFound
from modeltraces.catalog.tables import AccountRow, MembershipRow
from modeltraces.catalog.text import clean_name

DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    name: str
    created_on_us: int


def _account(row: AccountRow) -> Account:
    return Account(row.id, row.name, row.created_on_us)


def find(catalog: Catalog, name: str) -> Account | None:
    """The account of that name, or None."""
    with catalog.session() as session:
        row = session.scalar(select(AccountRow).where(AccountRow.name == name))
        return _account(row) if row else None


def get(catalog: Catalog, account_id: str) -> Account:
    """Raises NotFound."""
    with catalog.session() as session:
        row = session.get(AccountRow, account_id)
        if row is None:
            raise NotFound("There is no such account.")
        return _account(row)


def list_accounts(catalog: Catalog) -> list[Account]:
    """Every account, by name. For the operator: no page shows one account to another."""
    with catalog.session() as session:
        return [_account(row) for row in session.scalars(select(AccountRow).order_by(AccountRow.name))]


def accounts_of(catalog: Catalog, user_id: str) -> list[Account]:
    """The accounts that the user is a member of, the one joined first at the head."""
    query = (
        select(AccountRow)
        .join(MembershipRow, MembershipRow.account_id == AccountRow.id)
        .where(MembershipRow.user_id == user_id)
        .order_by(MembershipRow.created_on_us, AccountRow.name)
    )
    with catalog.session() as session:
        return [_account(row) for row in session.scalars(query)]


def ensure(catalog: Catalog, name: str, *, actor: str) -> tuple[Account, bool]:
    """The account of that name, made if it is not there; True if it was made. Raises Invalid for a bad name."""
    name = clean_name(name, "The account's name")
    if (account := find(catalog, name)) is not None:
        return account, False
    account = Account(str(uuid.uuid4()), name, catalog.clock())
    try:
        with catalog.writing() as session:
            session.add(AccountRow(id=account.id, name=name, created_on_us=account.created_on_us, models_revision=0))
            session.flush()
            audit.record(
                session,
                account_id=account.id,
                at_us=account.created_on_us,
                actor=actor,
                action="account.create",
                object=f"account:{name}",
                after={"name": name},
            )
    except IntegrityError:
        # Another process made it in between.
        made = find(catalog, name)
        assert made is not None
        return made, False
    return account, True


def ensure_default(catalog: Catalog) -> Account:
    """The account that a fresh installation starts with."""
    return ensure(catalog, DEFAULT_NAME, actor="server")[0]
