"""What is around every page: navigation, who reads, in which zone and theme."""

from datetime import tzinfo
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request

from modeltraces.api.identity import Identity
from modeltraces.api.state import parts_of
from modeltraces.run import now_us
from modeltraces.web.address import (
    API_KEYS,
    AUDIT_LOG,
    CONNECTIONS,
    GATEWAY,
    HARDWARE,
    MATCHING,
    MEMBERS,
    MODEL_TRACES,
    MODELS,
    PROFILE,
    REJECTED,
    RETENTION,
)
from modeltraces.web.alarm import alarm_of
from modeltraces.web.contexts import Alarm, NavGroup, NavItem, Shell
from modeltraces.web.formatting import zone_of

ZONE_COOKIE: Final = "tz"
THEME_COOKIE: Final = "theme"

_NAVIGATION: Final = (
    ("Monitoring", (("Model Traces", MODEL_TRACES, "traces"), ("Rejected", REJECTED, "reject"))),
    (
        "Account",
        (
            ("Models", MODELS, "cube"),
            ("Connections", CONNECTIONS, "plug"),
            ("Hardware", HARDWARE, "chip"),
            ("Matching", MATCHING, "route"),
            ("API keys", API_KEYS, "key"),
            ("Gateway", GATEWAY, "gateway"),
            ("Retention", RETENTION, "archive"),
            ("Members", MEMBERS, "people"),
            ("Audit log", AUDIT_LOG, "clock"),
        ),
    ),
    ("You", (("Profile", PROFILE, "person"),)),
)
_FOR_ADMINS: Final = frozenset({AUDIT_LOG})
"""Pages that others may not see, and are not led to."""


def zone(request: Request) -> tzinfo:
    """The reader's time zone, as the page's script found it; UTC before that."""
    return zone_of(unquote(request.cookies.get(ZONE_COOKIE, "")))


def theme(request: Request) -> str:
    """`light`, `dark`, or '' for what the system says."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in ("light", "dark") else ""


def _alarm(request: Request) -> Alarm | None:
    recorder = parts_of(request).recorder
    return alarm_of(recorder.pressure, recorder.journal.refused, zone(request), now_us())


def shell(request: Request, identity: Identity, title: str, path: str) -> Shell:
    """The shell of the page at `path`, which is an item of the navigation."""
    user = identity.user
    assert user is not None, "pages are for people; keys are refused before"
    section = next((label for label, items in _NAVIGATION for _, href, _ in items if href == path), "")
    return Shell(
        title=title,
        crumbs=(("Settings", ""), (section, ""), (title, "")),
        nav=tuple(
            NavGroup(
                label,
                tuple(
                    NavItem(name, href, icon, href == path)
                    for name, href, icon in items
                    if href not in _FOR_ADMINS or "admin" in identity.scopes
                ),
            )
            for label, items in _NAVIGATION
        ),
        account_name=user.account_name,
        email=user.email,
        role=user.role,
        csrf_token=user.csrf_token,
        zone=str(zone(request)),
        theme=theme(request),
        alarm=_alarm(request) if "admin" in identity.scopes else None,
    )
