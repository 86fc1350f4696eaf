"""The contexts of the pages around Model Traces: keys, members, rejections, profile, and the door."""

from dataclasses import dataclass
from typing import Literal

from modeltraces.catalog.keys import DEFAULT_SCOPES
from modeltraces.web.contexts import Moment, Option, Shell


@dataclass(frozen=True, slots=True)
class Rejection:
    at: Moment
    signal: str
    reason: str
    subject: str
    key_name: str


@dataclass(frozen=True, slots=True)
class RejectedPage:
    shell: Shell
    rejections: tuple[Rejection, ...]
    most: int
    """How many are shown at most."""


@dataclass(frozen=True, slots=True)
class KeyLimit:
    """One line about what a key may do through the gateway."""

    text: str
    is_reached: bool = False
    """Calls are refused until the minute or day ends."""
    title: str = ""


@dataclass(frozen=True, slots=True)
class KeyForm:
    name: str = ""
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    source_type: str = ""
    source: str = ""
    expires: str = ""
    requests_per_minute: str = ""
    tokens_per_day: str = ""
    models: str = ""
    """One a line."""
    recording: str = "full"
    error: str = ""

    @property
    def has_limits(self) -> bool:
        return bool(self.requests_per_minute or self.tokens_per_day or self.models or self.recording != "full")


@dataclass(frozen=True, slots=True)
class KeyRow:
    id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    defaults: str
    created: Moment
    created_by: str
    last_used: Moment | None
    expires: Moment | None
    expired: bool
    limits: tuple[KeyLimit, ...]
    doubts: tuple[str, ...]
    """What of its models is most likely misspelt."""
    anchor: str
    edit_href: str
    form: KeyForm | None
    """The key is being changed."""


@dataclass(frozen=True, slots=True)
class KeysPage:
    shell: Shell
    keys: tuple[KeyRow, ...]
    may_change: bool
    key_places: tuple[str, ...]
    """Where a program puts its key."""
    recordings: tuple[Option, ...]
    create_href: str
    """The page with the form of a new key open; '' for who may not create one."""
    form: KeyForm | None
    """Of a new key."""
    new_key: str = ""
    new_key_row: KeyRow | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    id: str
    email: str
    role: str
    joined: Moment
    pending: bool
    disabled: bool
    you: bool
    manageable: bool


@dataclass(frozen=True, slots=True)
class MembersPage:
    shell: Shell
    members: tuple[MemberRow, ...]
    roles: tuple[str, ...]
    """Those that the reader may give."""
    may_change: bool
    error: str = ""
    email: str = ""
    invited_email: str = ""
    invite_link: str = ""
    invited_is_pending: bool = False
    """Whether they have no password yet."""


@dataclass(frozen=True, slots=True)
class ProfilePage:
    shell: Shell
    accounts: tuple[Option, ...]
    """Those that the reader is a member of."""
    error: str = ""
    done: str = ""


@dataclass(frozen=True, slots=True)
class DoorPage:
    """Sign-in, and what a sign-in link opens."""

    title: str
    text: str
    theme: str
    kind: Literal["password", "confirm", "choose", "gone"]
    action: str = ""
    email: str = ""
    asks_email: bool = False
    next: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class MessagePage:
    """A page that says why there is no other: not found, not allowed, out of order."""

    shell: Shell | None
    theme: str
    status: int
    title: str
    text: str
    actions: tuple[Option, ...] = ()
