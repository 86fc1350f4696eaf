"""Signing in with email and password, and how often it may be tried."""

import ipaddress
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select, update

from modeltraces.catalog import passwords
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Invalid, TooManyAttempts, WrongCredentials
from modeltraces.catalog.tables import MembershipRow, SigninAttemptRow, UserRow
from modeltraces.catalog.text import clean_email
from modeltraces.catalog.users import User, user_of

_WRONG = "Email and password do not belong together."


@dataclass(frozen=True, slots=True)
class Throttle:
    """Failures within `window_seconds` after which signing in is closed until the oldest is that old."""

    per_email: int = 5
    per_address: int = 20
    """More than one person may sit behind an address."""
    window_seconds: int = 15 * 60


class SignIn:
    def __init__(self, catalog: Catalog, throttle: Throttle | None = None) -> None:
        self._catalog = catalog
        self._throttle = throttle or Throttle()

    def check(self, email: str, password: str, address: str) -> User:
        """The user, when email and password belong together.

        `address`: the caller's IP. Raises WrongCredentials (the same, after the same time, whether the email is
        known or not) or TooManyAttempts.
        """
        try:
            email = clean_email(email)
        except Invalid:
            raise WrongCredentials(_WRONG) from None
        attempt = self._begin(email, _network(address))
        with self._catalog.session() as session:
            row = session.scalar(
                select(UserRow).where(
                    UserRow.email == email,
                    UserRow.disabled.is_(False),
                    select(MembershipRow).where(MembershipRow.user_id == UserRow.id).exists(),
                )
            )
        kept = row.password_hash if row is not None else None
        if not passwords.matches(kept, password) or row is None or kept is None:
            raise WrongCredentials(_WRONG)
        self._succeeded(attempt, row, kept, password)
        return user_of(row)

    def _begin(self, email: str, address: str) -> int:
        """Count the attempt as failed before it is tried: guesses sent at once must not all pass the check."""
        now = self._catalog.clock()
        window_us = self._throttle.window_seconds * 1_000_000
        with self._catalog.writing() as session:
            session.execute(delete(SigninAttemptRow).where(SigninAttemptRow.at_us <= now - window_us))
            row = SigninAttemptRow(email=email, address=address, at_us=now)
            session.add(row)
            session.flush()
            attempt = row.id
        opens = max(
            self._opens_at(SigninAttemptRow.email == email, attempt, self._throttle.per_email, now - window_us),
            self._opens_at(SigninAttemptRow.address == address, attempt, self._throttle.per_address, now - window_us),
        )
        if opens:
            # What is turned away was not tried: it must not keep the door shut.
            self._forget(SigninAttemptRow.id == attempt)
            raise TooManyAttempts(opens + window_us, max(1, -(-(opens + window_us - now) // 1_000_000)))
        return attempt

    def _opens_at(self, same: ColumnElement[bool], attempt: int, limit: int, since_us: int) -> int:
        """When the failure was that has to grow old before the next try, or 0 when one may be made now."""
        others = (same, SigninAttemptRow.id != attempt, SigninAttemptRow.at_us > since_us)
        with self._catalog.session() as session:
            count = session.scalar(select(func.count()).select_from(SigninAttemptRow).where(*others)) or 0
            if count < limit:
                return 0
            times = select(SigninAttemptRow.at_us).where(*others).order_by(SigninAttemptRow.at_us.desc())
            return session.scalar(times.offset(limit - 1).limit(1)) or 0

    def _succeeded(self, attempt: int, row: UserRow, kept: str, password: str) -> None:
        # The address keeps its other failures: one known password must not buy guesses at other people's.
        self._forget(SigninAttemptRow.email == row.email)
        if passwords.is_outdated(kept):
            renewed = passwords.digest(password)
            with self._catalog.writing() as session:
                session.execute(
                    update(UserRow)
                    .where(UserRow.id == row.id, UserRow.password_hash == kept)
                    .values(password_hash=renewed)
                )

    def _forget(self, which: ColumnElement[bool]) -> None:
        with self._catalog.writing() as session:
            session.execute(delete(SigninAttemptRow).where(which))


def _network(address: str) -> str:
    """IPv6 clients own a /64 and could try from each of its addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)))
    return str(parsed)
