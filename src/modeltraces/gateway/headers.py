"""Which headers pass: none of either side's credentials, none that belong to one hop, none of ours."""

import re
from collections.abc import Iterable
from typing import Final

Headers = list[tuple[bytes, bytes]]

_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
_NOT_UP: Final = _HOP | {
    b"host", b"content-length", b"expect", b"authorization", b"x-api-key", b"api-key", b"cookie", b"accept-encoding",
    b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"x-source-type", b"x-source", b"x-session-id", b"x-user-id", b"x-connection",
}  # fmt: skip
_NOT_DOWN: Final = _HOP | {
    b"set-cookie", b"x-request-id", b"alt-svc", b"strict-transport-security", b"content-length", b"server", b"date",
}  # fmt: skip
_UNSENDABLE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""In no header's value: the server would rather give up the whole answer."""
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}.*")


def to_upstream(headers: Iterable[tuple[bytes, bytes]], protocol: str, credential: str) -> list[tuple[str, str]]:
    """The caller's headers as the upstream gets them, with its credential."""
    listed = list(headers)
    dropped = _NOT_UP | _named_in_connection(listed)
    kept = [
        (name.decode("latin-1"), _text(value))
        for name, value in listed
        if name.lower() not in dropped and not name.lower().startswith((b"x-forwarded-", b"sec-"))
    ]
    # What is recorded must be read; and what is not compressed streams at once.
    kept.append(("Accept-Encoding", "identity"))
    if credential:
        if protocol == "anthropic":
            kept.append(("x-api-key", credential))
        elif protocol == "azure_openai":
            kept.append(("api-key", credential))
        else:
            kept.append(("Authorization", f"Bearer {credential}"))
    return kept


def to_caller(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> Headers:
    """The upstream's headers as the caller gets them, with our Request ID."""
    listed = list(headers)
    dropped = _NOT_DOWN | _named_in_connection(listed)
    kept = [
        (name.lower(), value) for name, value in listed if name.lower() not in dropped and not _UNSENDABLE.search(value)
    ]
    return [*kept, (b"x-request-id", request_id.encode())] if request_id else kept


def value_of(headers: Iterable[tuple[bytes, bytes]], name: str) -> str:
    wanted = name.encode()
    return next((_text(value).strip() for key, value in headers if key.lower() == wanted), "")


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """(trace id, parent span id) of a W3C `traceparent`, or ('', '')."""
    found = _TRACEPARENT.fullmatch(value_of(headers, "traceparent").lower())
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return "", ""
    return found[1], found[2]


def _text(value: bytes) -> str:
    """UTF-8, as programs of today write and the client sends; else what the standard once said."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _named_in_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    return frozenset(
        name.strip().lower() for key, value in headers if key.lower() == b"connection" for name in value.split(b",")
    )
