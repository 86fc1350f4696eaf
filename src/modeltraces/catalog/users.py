"""Users and their memberships. A user signs in with an email and may be a member of several accounts."""

import uuid
from dataclasses import dataclass
from typing import Final, Literal, get_args

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from modeltraces.catalog import audit, passwords
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound, WrongCredentials
from modeltraces.catalog.tables import AccountRow, MembershipRow, SessionRow, UserRow
from modeltraces.catalog.text import clean_email

Role = Literal["owner", "admin", "member", "viewer"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class User:
    id: str
    email: str
    created_on_us: int
    disabled: bool
    has_password: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A user as a member of one account."""

    user: User
    role: Role
    joined_on_us: int


def parse_role(value: str) -> Role:
    """Raises Invalid with the roles there are."""
    for role in ROLES:
        if role == value:
            return role
    raise Invalid(f"The role must be one of {', '.join(ROLES)}; it was {value!r}.")


def may_manage(acting: Role, current: Role | None, new: Role | None) -> bool:
    """Whether somebody with role `acting` may turn a member's role `current` into `new` (None: not a member)."""
    if acting == "owner":
        return True
    return acting == "admin" and "owner" not in (current, new)


def user_of(row: UserRow) -> User:
    return User(row.id, row.email, row.created_on_us, row.disabled, row.password_hash is not None)


def find(catalog: Catalog, email: str) -> User | None:
    """The user of that email in whatever case, or None."""
    with catalog.session() as session:
        row = session.scalar(select(UserRow).where(UserRow.email == clean_email(email)))
        return user_of(row) if row else None


def get_member(catalog: Catalog, account_id: str, user_id: str) -> Member:
    """Raises NotFound, also for a member of another account."""
    with catalog.session() as session:
        membership, row = _member(session, account_id, user_id)
        return Member(user_of(row), parse_role(membership.role), membership.created_on_us)


def create(
    catalog: Catalog, account_id: str, email: str, role: Role, *, actor: str, password: str | None = None
) -> User:
    """A new member of the account; a new user, too, unless the email is known from another account.

    Without `password` the user signs in by a link first (`links.invite`). Raises Invalid; NotFound for an unknown
    account; Conflict for who is a member already, and for a password given for a user who has a login.
    """
    email = clean_email(email)
    password_hash = passwords.digest(password) if password is not None else None
    try:
        with catalog.writing() as session:
            return add_member(session, catalog, account_id, email, role, actor=actor, password_hash=password_hash)
    except IntegrityError:
        raise Conflict(f"{email} was added by somebody else at the same time.") from None


def add_member(
    session: Session,
    catalog: Catalog,
    account_id: str,
    email: str,
    role: Role,
    *,
    actor: str,
    password_hash: str | None,
) -> User:
    """`create`, inside a transaction; `email` is clean already."""
    now = catalog.clock()
    if session.get(AccountRow, account_id) is None:
        raise NotFound("There is no such account.")
    row = session.scalar(select(UserRow).where(UserRow.email == email))
    if row is None:
        row = UserRow(id=str(uuid.uuid4()), email=email, password_hash=password_hash, created_on_us=now, disabled=False)
        session.add(row)
        session.flush()
    elif session.get(MembershipRow, (account_id, row.id)) is not None:
        raise Conflict(f"{email} is a member of this account already.")
    elif password_hash is not None:
        raise Conflict(f"{email} has a login already: add them without a password.")
    session.add(MembershipRow(account_id=account_id, user_id=row.id, role=role, created_on_us=now))
    audit.record(
        session,
        account_id=account_id,
        at_us=now,
        actor=actor,
        action="member.add",
        object=f"user:{email}",
        after={"role": role},
    )
    return user_of(row)


def list_members(catalog: Catalog, account_id: str) -> list[Member]:
    """The account's members by email."""
    query = (
        select(MembershipRow, UserRow)
        .join(UserRow, UserRow.id == MembershipRow.user_id)
        .where(MembershipRow.account_id == account_id)
        .order_by(UserRow.email)
    )
    with catalog.session() as session:
        return [
            Member(user_of(row), parse_role(membership.role), membership.created_on_us)
            for membership, row in session.execute(query)
        ]


def has_owner(session: Session, account_id: str, *, beside: str | None = None) -> bool:
    """Whether the account has an owner who can sign in, not counting the user `beside`."""
    query = (
        select(func.count())
        .select_from(MembershipRow)
        .join(UserRow, UserRow.id == MembershipRow.user_id)
        .where(MembershipRow.account_id == account_id, MembershipRow.role == "owner", UserRow.disabled.is_(False))
    )
    if beside is not None:
        query = query.where(MembershipRow.user_id != beside)
    return bool(session.scalar(query))


def set_role(catalog: Catalog, account_id: str, user_id: str, role: Role, *, actor: str) -> None:
    """Raises NotFound for who is not a member, Conflict when the account would be left without an owner."""
    with catalog.writing() as session:
        audit.hold_account(session, account_id)
        membership, row = _member(session, account_id, user_id)
        if membership.role == role:
            return
        if membership.role == "owner" and not has_owner(session, account_id, beside=user_id):
            raise Conflict(f"{row.email} is the last owner: make somebody else an owner first.")
        before, membership.role = membership.role, role
        audit.record(
            session,
            account_id=account_id,
            at_us=catalog.clock(),
            actor=actor,
            action="member.role",
            object=f"user:{row.email}",
            before={"role": before},
            after={"role": role},
        )


def remove_member(catalog: Catalog, account_id: str, user_id: str, *, actor: str) -> None:
    """End the membership and its sessions. Raises NotFound; Conflict for the last owner."""
    with catalog.writing() as session:
        audit.hold_account(session, account_id)
        membership, row = _member(session, account_id, user_id)
        if membership.role == "owner" and not has_owner(session, account_id, beside=user_id):
            raise Conflict(f"{row.email} is the last owner: make somebody else an owner first.")
        session.delete(membership)
        session.execute(delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.account_id == account_id))
        audit.record(
            session,
            account_id=account_id,
            at_us=catalog.clock(),
            actor=actor,
            action="member.remove",
            object=f"user:{row.email}",
            before={"role": membership.role},
        )


def set_disabled(catalog: Catalog, user_id: str, disabled: bool, *, actor: str) -> None:
    """Close or open a login in every account. Raises NotFound; Conflict for an account's last owner."""
    with catalog.writing() as session:
        row = session.get(UserRow, user_id)
        if row is None:
            raise NotFound("There is no such user.")
        memberships = session.scalars(select(MembershipRow).where(MembershipRow.user_id == user_id)).all()
        for membership in sorted(memberships, key=lambda m: m.account_id):
            audit.hold_account(session, membership.account_id)
            last = membership.role == "owner" and not has_owner(session, membership.account_id, beside=user_id)
            if disabled and last:
                raise Conflict(f"{row.email} is the last owner of an account: make somebody else an owner first.")
            audit.record(
                session,
                account_id=membership.account_id,
                at_us=catalog.clock(),
                actor=actor,
                action="user.disable" if disabled else "user.enable",
                object=f"user:{row.email}",
                before={"disabled": row.disabled},
                after={"disabled": disabled},
            )
        row.disabled = disabled
        if disabled:
            session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))


def change_password(
    catalog: Catalog,
    user_id: str,
    new: str,
    *,
    actor: str,
    current: str | None = None,
    keep_session: str | None = None,
) -> None:
    """Set the password and end the user's other sessions.

    `current`: checked when given (a page always gives it, unless the user has no password yet).
    `keep_session`: the id hash of the session that asks. Raises Invalid, NotFound, WrongCredentials.
    """
    with catalog.session() as session:
        row = session.get(UserRow, user_id)
        if row is None:
            raise NotFound("There is no such user.")
        kept = row.password_hash
    if current is not None and not passwords.matches(kept, current):
        raise WrongCredentials("The current password is not right.")
    password_hash = passwords.digest(new)
    with catalog.writing() as session:
        set_password(session, catalog, user_id, password_hash, actor=actor, keep_session=keep_session)


def set_password(
    session: Session,
    catalog: Catalog,
    user_id: str,
    password_hash: str,
    *,
    actor: str,
    keep_session: str | None = None,
) -> None:
    """`change_password`, inside a transaction and without its checks."""
    row = session.get(UserRow, user_id)
    if row is None:
        raise NotFound("There is no such user.")
    row.password_hash = password_hash
    session.execute(delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.id_hash != (keep_session or "")))
    mine = select(MembershipRow.account_id).where(MembershipRow.user_id == user_id)
    # Held in one order: two that hold each other's would wait for ever.
    for account_id in session.scalars(mine.order_by(MembershipRow.account_id)).all():
        audit.record(
            session,
            account_id=account_id,
            at_us=catalog.clock(),
            actor=actor,
            action="user.password",
            object=f"user:{row.email}",
        )


def _member(session: Session, account_id: str, user_id: str) -> tuple[MembershipRow, UserRow]:
    membership = session.get(MembershipRow, (account_id, user_id))
    row = session.get(UserRow, user_id)
    if membership is None or row is None:
        raise NotFound("There is no such member in this account.")
    return membership, row
