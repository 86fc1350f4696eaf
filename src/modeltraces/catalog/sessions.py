"""Server-side sessions: the cookie is an opaque token, everything else is here and can be ended here."""

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from modeltraces.catalog import tokens
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable, NotFound
from modeltraces.catalog.tables import AccountRow, MembershipRow, SessionRow, UserRow
from modeltraces.catalog.users import Role, parse_role

_HOUR_US = 3_600_000_000
_TOUCH_US = 60_000_000
"""`last_seen` and the expiry are written at most this often: a page load should not be a write."""
_LONGEST_TOKEN = 100
_LONGEST_USER_AGENT = 300


@dataclass(frozen=True, slots=True)
class NewSession:
    token: str
    """The cookie's value. It is not kept and cannot be shown again."""
    csrf_token: str
    expires_on_us: int


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """Who a session's cookie stands for, as of now: a role that was taken away is gone at once."""

    id_hash: str
    user_id: str
    email: str
    account_id: str
    account_name: str
    role: Role
    csrf_token: str
    created_on_us: int
    expires_on_us: int


class Sessions:
    """`lifetime_hours`: how long a session lasts without use. `longest_days`: how long with use."""

    def __init__(self, catalog: Catalog, *, lifetime_hours: int = 24 * 14, longest_days: int = 90) -> None:
        self._catalog = catalog
        self._lifetime_us = lifetime_hours * _HOUR_US
        self._longest_us = max(longest_days * 24 * _HOUR_US, self._lifetime_us)

    @property
    def lifetime_seconds(self) -> int:
        """The cookie's Max-Age: as long as a session can last with use. That it ended sooner, the server knows."""
        return self._longest_us // 1_000_000

    def create(self, user_id: str, account_id: str, *, user_agent: str = "") -> NewSession:
        """Raises NotFound unless the user is an enabled member of the account. Clears expired sessions away."""
        now = self._catalog.clock()
        new = NewSession(tokens.new_token(), tokens.new_token(), now + self._lifetime_us)
        with self._catalog.writing() as session:
            user = session.get(UserRow, user_id)
            if user is None or user.disabled or session.get(MembershipRow, (account_id, user_id)) is None:
                raise NotFound("There is no such member in this account.")
            session.execute(delete(SessionRow).where(SessionRow.expires_on_us <= now))
            session.add(
                SessionRow(
                    id_hash=tokens.digest(new.token),
                    user_id=user_id,
                    account_id=account_id,
                    csrf_token=new.csrf_token,
                    created_on_us=now,
                    last_seen_on_us=now,
                    expires_on_us=new.expires_on_us,
                    user_agent=_printable(user_agent)[:_LONGEST_USER_AGENT],
                )
            )
        return new

    def lookup(self, token: str) -> SessionIdentity | None:
        """Who the cookie stands for, or None when it is unknown, expired, ended or its user may no longer enter."""
        if not 0 < len(token) <= _LONGEST_TOKEN:
            return None
        now = self._catalog.clock()
        query = (
            select(SessionRow, UserRow.email, MembershipRow.role, AccountRow.name)
            .join(UserRow, UserRow.id == SessionRow.user_id)
            .join(AccountRow, AccountRow.id == SessionRow.account_id)
            .join(
                MembershipRow,
                (MembershipRow.user_id == SessionRow.user_id) & (MembershipRow.account_id == SessionRow.account_id),
            )
            .where(
                SessionRow.id_hash == tokens.digest(token),
                SessionRow.expires_on_us > now,
                UserRow.disabled.is_(False),
            )
        )
        with self._catalog.session() as session:
            found = session.execute(query).one_or_none()
        if found is None:
            return None
        row, email, role, account_name = found
        expires_on_us = row.expires_on_us
        if now - row.last_seen_on_us >= _TOUCH_US:
            expires_on_us = min(now + self._lifetime_us, row.created_on_us + self._longest_us)
            self._touch(row.id_hash, now, expires_on_us)
        return SessionIdentity(
            id_hash=row.id_hash,
            user_id=row.user_id,
            email=email,
            account_id=row.account_id,
            account_name=account_name,
            role=parse_role(role),
            csrf_token=row.csrf_token,
            created_on_us=row.created_on_us,
            expires_on_us=expires_on_us,
        )

    def _touch(self, id_hash: str, now: int, expires_on_us: int) -> None:
        try:
            with self._catalog.writing() as session:
                session.execute(
                    update(SessionRow)
                    .where(SessionRow.id_hash == id_hash)
                    .values(last_seen_on_us=now, expires_on_us=expires_on_us)
                )
        except CatalogUnavailable:
            # A full disk must not lock readers out; the next request tries again.
            return

    def switch_account(self, token: str, account_id: str) -> None:
        """Let the session look at another account of its user. Raises NotFound."""
        with self._catalog.writing() as session:
            row = session.get(SessionRow, tokens.digest(token))
            if row is None or session.get(MembershipRow, (account_id, row.user_id)) is None:
                raise NotFound("There is no such account.")
            row.account_id = account_id

    def revoke(self, token: str) -> None:
        """Sign out. Says nothing when there is no such session."""
        with self._catalog.writing() as session:
            session.execute(delete(SessionRow).where(SessionRow.id_hash == tokens.digest(token)))

    def revoke_all(self, user_id: str, *, keep_session: str | None = None) -> None:
        """End every session of the user, except the one with the id hash `keep_session`."""
        with self._catalog.writing() as session:
            session.execute(
                delete(SessionRow).where(SessionRow.user_id == user_id, SessionRow.id_hash != (keep_session or ""))
            )


def _printable(value: str) -> str:
    return "".join(character for character in value if character.isprintable())
