"""Checks of names and emails that people or programs give."""

import re
import unicodedata
from typing import Final

from modeltraces.catalog.errors import Invalid

UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates: NUL does not fit in PostgreSQL's text, the latter not in UTF-8, the rest not on a line."""
LONGEST_NAME = 200
LONGEST_EMAIL = 254
"""RFC 5321's limit of a mailbox that can be written to."""


def has_unprintable(value: str) -> bool:
    return not value.isprintable() and UNPRINTABLE.search(value) is not None


def clean_name(value: str, what: str, longest: int = LONGEST_NAME) -> str:
    """The name without outer spaces, in NFC. Raises Invalid, saying which name (`what`) and what is accepted."""
    if has_unprintable(value):
        raise Invalid(f"{what} must not contain line breaks or control characters.")
    name = unicodedata.normalize("NFC", value).strip()
    if not name:
        raise Invalid(f"{what} must not be empty.")
    if len(name) > longest:
        raise Invalid(f"{what} must have at most {longest} characters; it has {len(name)}.")
    return name


def clean_email(value: str) -> str:
    """The email as it is kept and compared: NFC, lower case. Raises Invalid."""
    email = unicodedata.normalize("NFC", value).strip().lower()
    local, at, domain = email.rpartition("@")
    bad = not at or not local or not domain or len(email) > LONGEST_EMAIL or " " in email or has_unprintable(email)
    if bad:
        raise Invalid("The email must look like name@example.com.")
    return email


def is_storable(value: str, longest: int) -> bool:
    """Whether a recorded name fits in an indexed column of every supported database."""
    if not 0 < len(value) <= longest or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
