"""What a database says when it cannot be used, in one line for the person who runs the server: without a password."""

from typing import Final

from sqlalchemy.exc import DBAPIError

from modeltraces.catalog.errors import CatalogBusy, CatalogUnavailable

_MET: Final = ("40001", "40P01")
"""serialization_failure, deadlock_detected."""
_WAITED: Final = "55P03"
"""lock_not_available: `lock_timeout` is over."""

_ADVICE: Final = {
    "unable to open": "Check that its directory exists and that this user may write there.",
    "readonly": "Let this user write the file and its directory.",
    "database is locked": "Another process holds it: end that process, or try again.",
    "database or disk is full": "Free some disk space.",
    "disk I/O": "Check the disk.",
    "not a database": "The file is something else or damaged: restore it from a backup, or choose another path.",
    "malformed": "The file is damaged: restore it from a backup.",
    "no such table": "Start the server once, which creates the tables.",
    "authentication failed": "Check the user and password of MODELTRACES_CATALOG_URL.",
    "no password supplied": "Put the password into MODELTRACES_CATALOG_URL, or into the file of MODELTRACES_CATALOG_URL_FILE.",
    "too many": "Raise its max_connections, or lower MODELTRACES_CATALOG_CONNECTIONS.",
    "remaining connection slots": "Raise its max_connections, or lower MODELTRACES_CATALOG_CONNECTIONS.",
    "read-only transaction": "This is a standby: name the primary, say with target_session_attrs=read-write.",
    "permission denied": "The user must own the database, or may CREATE in its schema.",
    "No space left": "Free some disk space on its server.",
    "relation ": "Start the server once, which creates the tables.",
    "connection": "Check that PostgreSQL runs and takes this address, user and password.",
}
"""By a sign in what the database says; the first that is met."""


def explained(shown_url: str, error: DBAPIError) -> CatalogUnavailable:
    """The error to raise for what a driver said of the catalog at `shown_url`, which bears no password."""
    code = getattr(error.orig, "sqlstate", None)
    if code in _MET:
        return CatalogBusy("Two changes met each other, and this one was undone. Try again.")
    if code == _WAITED:
        return CatalogBusy("Another process is changing the same for long. Try again in a moment.")
    reason = str(error.orig).strip()
    first_line = reason.partition("\n")[0].rstrip(".")
    advice = next((advice for sign, advice in _ADVICE.items() if sign in reason), "")
    return CatalogUnavailable(f"The catalog {shown_url} cannot be used: {first_line}. {advice}".rstrip())
