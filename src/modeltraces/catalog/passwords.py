"""Password digests (argon2id, the library's parameters: RFC 9106's for low memory)."""

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from modeltraces.catalog.errors import Invalid

SHORTEST = 8
"""NIST SP 800-63B's minimum; length is asked for, kinds of characters are not."""
LONGEST = 1024
"""Characters; hashing longer ones would be work done for an attacker."""

_hasher = PasswordHasher()
# One digest takes 64 MB: sign-ins that come together wait for each other rather than for memory.
_turns = threading.BoundedSemaphore(2)
_decoy: list[str] = []


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def check_acceptable(password: str) -> None:
    """Raises Invalid for a password that is too short or too long."""
    if len(password) < SHORTEST:
        raise Invalid(f"The password must have at least {SHORTEST} characters.")
    if len(password) > LONGEST:
        raise Invalid(f"The password must have at most {LONGEST} characters.")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise Invalid("The password must be valid text.") from None


def digest(password: str) -> str:
    """The argon2id digest to keep. Raises Invalid; takes some 50 ms on purpose."""
    check_acceptable(password)
    with _turns:
        return _hasher.hash(_normal(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether the password is the one that was digested.

    `kept` None (no such user, or no password yet): takes as long as a wrong password, and is False.
    """
    if len(password) > LONGEST:
        return False
    with _turns:
        if not _decoy:
            _decoy.append(_hasher.hash("a password that nobody has"))
        try:
            _hasher.verify(kept or _decoy[0], _normal(password))
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
    return bool(kept)


def is_outdated(kept: str) -> bool:
    """Whether the digest was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)
