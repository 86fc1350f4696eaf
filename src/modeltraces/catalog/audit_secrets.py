"""Keeps secrets out of the audit log, whatever a writer of it hands over.

Writers leave secrets out by themselves. This is for the one that forgets, and for a secret inside another value, such
as the password in an endpoint's address: the log can be read and exported for as long as the account exists.
"""

import re
from typing import Any, Final

HIDDEN: Final = "(secret)"
CHANGED: Final = "(another secret)"
"""In place of the value after, where it is not the value before: that it changed is part of the log."""
_NO_SECRETS: Final = frozenset({"set", "none", "changed"})
"""What writers say in place of a credential; whether there is one is no secret."""

_SECRET_WORDS: Final = frozenset(
    {"password", "passwd", "secret", "token", "credential", "credentials", "digest", "hash", "authorization", "cookie"}
)
_SECRET_NAMES: Final = frozenset({"api_key", "apikey", "access_key", "private_key"})
_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_PATTERNS: Final = (
    # Keys of ours and of the common providers, whole ones: the prefix that the page shows is shorter.
    re.compile(r"\b(?:mt_|sk-|sk_|pk-|gsk_|hf_|xai-|AIza)[A-Za-z0-9_-]{16,}"),
    re.compile(r"\$argon2[a-z]*\$\S+"),
    re.compile(r"\b(?:[Bb]earer|[Bb]asic)\s+[A-Za-z0-9._~+/-]{8,}=*"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
)
_USER_INFO: Final = re.compile(r"(?<=://)[^/?#@\s]+(?=@)")
_QUERY_SECRET: Final = re.compile(r"(?i)([?&](?:[a-z_-]*(?:key|token|secret|password|sig|signature))=)[^&#\s]+")


def without_secrets(
    before: dict[str, Any] | None, after: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Both as they were, but for secrets."""
    hidden = None if before is None else _clean(before, None, HIDDEN)
    return hidden, None if after is None else _clean(after, before, CHANGED)


def _clean(value: Any, other: Any, changed: str) -> Any:
    """`other`: the value on the other side, at the same place."""
    if isinstance(value, dict):
        others = other if isinstance(other, dict) else {}
        return {
            name: _hide(part, others.get(name), changed)
            if is_secret_name(str(name))
            else _clean(part, others.get(name), changed)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(part, None, changed) for part in value]
    return clean_text(value) if isinstance(value, str) else value


def _hide(value: Any, other: Any, changed: str) -> Any:
    if not value or isinstance(value, bool) or (isinstance(value, str) and value in _NO_SECRETS):
        return value
    return HIDDEN if other in (None, "", value) else changed


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret: `password`, `key_hash`, `clientSecret`, but not `input_tokens`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _SECRET_WORDS.isdisjoint(words) or any(part in "_".join(words) for part in _SECRET_NAMES)


def clean_text(text: str) -> str:
    """The text without what looks like a key, a digest, or the credentials of an address."""
    for pattern in _PATTERNS:
        text = pattern.sub(HIDDEN, text)
    return _QUERY_SECRET.sub(rf"\1{HIDDEN}", _USER_INFO.sub(HIDDEN, text))
