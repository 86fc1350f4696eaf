"""The first owner of a fresh installation: from the settings, or through a link printed at its first start."""

from dataclasses import dataclass

from modeltraces.catalog import accounts, audit, links, passwords, users
from modeltraces.catalog.accounts import Account
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, Invalid, NotFound
from modeltraces.catalog.text import clean_email


@dataclass(frozen=True, slots=True)
class FirstOwner:
    account: Account
    link_token: str | None
    """The link to print (`links.path_of`), while the account has no owner."""


def first_owner(catalog: Catalog, email: str = "", password: str = "") -> FirstOwner:
    """Make sure that the default account is there and can be entered. Call at every start.

    With `email` and `password` its first owner is made; once there is one, both are left alone. Without them, and
    without an owner, a new link is made. Raises Invalid for a bad email or password, or one without the other.
    """
    account = accounts.ensure_default(catalog)
    if bool(email) != bool(password):
        raise Invalid("MODELTRACES_ADMIN_EMAIL and MODELTRACES_ADMIN_PASSWORD go together: give both or neither.")
    with catalog.session() as session:
        if users.has_owner(session, account.id):
            return FirstOwner(account, None)
    if not email:
        return FirstOwner(account, links.create(catalog, account.id, None, valid_hours=7 * 24))
    _make_owner(catalog, account.id, email, password)
    return FirstOwner(account, None)


def _make_owner(catalog: Catalog, account_id: str, email: str, password: str) -> None:
    email = clean_email(email)
    password_hash = passwords.digest(password)
    with catalog.writing() as session:
        audit.hold_account(session, account_id)
        # Another process that started with the same settings may have been faster.
        if not users.has_owner(session, account_id):
            users.add_member(session, catalog, account_id, email, "owner", actor="server", password_hash=password_hash)


def accept(catalog: Catalog, token: str, password: str, *, email: str = "") -> links.SigninLink:
    """Use a link up and set the password of whom it is for; then sign them in.

    `email`: the new owner's, for a first owner's link. Raises NotFound for a link that is gone, Invalid for an email
    or password, Conflict for an email that has a login.
    """
    password_hash = passwords.digest(password)
    if (link := links.peek(catalog, token)) is None:
        raise NotFound("This link was used already, or it is too old. Ask for a new one.")
    email = link.email or clean_email(email)
    with catalog.writing() as session:
        audit.hold_account(session, link.account_id)
        # Looked at again under the lock: two first owners at once must not both pass.
        current = links.open_link(session, catalog, token)
        if current is None:
            raise NotFound("This link was used already, or it is too old. Ask for a new one.")
        links.use(session, catalog, token)
        if current.user_id is not None:
            if not current.needs_password:
                raise Conflict(f"{email} has a password already.")
            users.set_password(session, catalog, current.user_id, password_hash, actor=email)
            return current
        user = users.add_member(
            session, catalog, current.account_id, email, "owner", actor=email, password_hash=password_hash
        )
        return links.SigninLink(current.account_id, user.id, user.email, False, current.expires_on_us)
