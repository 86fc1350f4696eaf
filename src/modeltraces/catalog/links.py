"""One-time sign-in links: for the first owner, for a user without a password, for the demo.

A link is a secret like a password: only its digest is kept. Opening its page changes nothing (mail scanners and chat
previews open links); `redeem` or `bootstrap.accept` does, once.
"""

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from modeltraces.catalog import tokens
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, NotFound
from modeltraces.catalog.tables import MembershipRow, SigninLinkRow, UserRow
from modeltraces.catalog.users import has_owner

PATH = "/sign-in/link/"
"""Followed by the token: the page that a link opens."""

_HOUR_US = 3_600_000_000
_GONE = "This link was used already, or it is too old. Ask for a new one."


@dataclass(frozen=True, slots=True)
class SigninLink:
    account_id: str
    user_id: str | None
    """None: the link makes the account's first owner."""
    email: str | None
    needs_password: bool
    """Whether who opens it has to choose a password."""
    expires_on_us: int


def path_of(token: str) -> str:
    """The link without scheme and host."""
    return PATH + token


def create(catalog: Catalog, account_id: str, user_id: str | None, *, valid_hours: int = 24) -> str:
    """A new link's token. `user_id`: whom it signs in; None: it makes the account's first owner.

    Whoever has the link is that user: hand it to the operator only. For a colleague use `invite`.
    Raises NotFound unless the user is a member of the account.
    """
    with catalog.writing() as session:
        if user_id is not None and session.get(MembershipRow, (account_id, user_id)) is None:
            raise NotFound("There is no such member in this account.")
        return _add(session, catalog, account_id, user_id, valid_hours)


def invite(catalog: Catalog, account_id: str, user_id: str, *, valid_hours: int = 72) -> str:
    """The token of a link by which a new member chooses a password; links made for them before end.

    Raises NotFound for who is not a member. Raises Conflict for a user who has a password or belongs to another
    account, too: who may add members to one account must not get into others with it.
    """
    with catalog.writing() as session:
        user = session.get(UserRow, user_id)
        accounts = session.scalars(select(MembershipRow.account_id).where(MembershipRow.user_id == user_id)).all()
        if user is None or account_id not in accounts:
            raise NotFound("There is no such member in this account.")
        if user.password_hash is not None or len(accounts) > 1:
            raise Conflict(f"{user.email} has a login already, and signs in with it.")
        session.execute(delete(SigninLinkRow).where(SigninLinkRow.user_id == user_id))
        return _add(session, catalog, account_id, user_id, valid_hours)


def peek(catalog: Catalog, token: str) -> SigninLink | None:
    """What the link is for, or None when it is unknown, used or too old. Changes nothing."""
    with catalog.session() as session:
        return open_link(session, catalog, token)


def redeem(catalog: Catalog, token: str) -> SigninLink:
    """Use the link of a user up. Raises NotFound, also for a first owner's link (see `bootstrap.accept`)."""
    with catalog.writing() as session:
        link = open_link(session, catalog, token)
        if link is None or link.user_id is None:
            raise NotFound(_GONE)
        use(session, catalog, token)
        return link


def open_link(session: Session, catalog: Catalog, token: str) -> SigninLink | None:
    """`peek`, inside a transaction."""
    row = session.get(SigninLinkRow, tokens.digest(token))
    if row is None or row.used_on_us is not None or row.expires_on_us <= catalog.clock():
        return None
    if row.user_id is None:
        if has_owner(session, row.account_id):
            return None
        return SigninLink(row.account_id, None, None, True, row.expires_on_us)
    user = session.get(UserRow, row.user_id)
    if user is None or user.disabled or session.get(MembershipRow, (row.account_id, row.user_id)) is None:
        return None
    return SigninLink(row.account_id, user.id, user.email, user.password_hash is None, row.expires_on_us)


def use(session: Session, catalog: Catalog, token: str) -> None:
    """Mark the link as used. Raises NotFound when another transaction did so in between."""
    marked = session.scalars(
        update(SigninLinkRow)
        .where(SigninLinkRow.token_hash == tokens.digest(token), SigninLinkRow.used_on_us.is_(None))
        .values(used_on_us=catalog.clock())
        .returning(SigninLinkRow.token_hash)
        .execution_options(synchronize_session=False)
    ).all()
    if not marked:
        raise NotFound(_GONE)


def _add(session: Session, catalog: Catalog, account_id: str, user_id: str | None, valid_hours: int) -> str:
    now = catalog.clock()
    token = tokens.new_token()
    session.execute(delete(SigninLinkRow).where(SigninLinkRow.expires_on_us <= now))
    session.add(
        SigninLinkRow(
            token_hash=tokens.digest(token),
            account_id=account_id,
            user_id=user_id,
            created_on_us=now,
            expires_on_us=now + valid_hours * _HOUR_US,
            used_on_us=None,
        )
    )
    return token
