"""Which headers pass: none of either side's credentials, none that belong to one hop, none of ours."""

import re
from collections.abc import Iterable, Mapping
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
    kept = [
        (name.decode("latin-1"), _text(value))
        for name, value in _of_all_hops(headers, _NOT_UP)
        if not name.startswith((b"x-forwarded-", b"sec-"))
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
    kept = [(name, value) for name, value in _of_all_hops(headers, _NOT_DOWN) if not _UNSENDABLE.search(value)]
    return [*kept, (b"x-request-id", request_id.encode())] if request_id else kept


def by_name(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """The first value of each name, in lower case: for who asks for several."""
    found: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1").lower(), _text(value).strip())
    return found


def value_of(headers: Iterable[tuple[bytes, bytes]], name: str) -> str:
    wanted = name.encode()
    return next((_text(value).strip() for key, value in headers if key.lower() == wanted), "")


def trace_of(traceparent: str) -> tuple[str, str]:
    """(trace id, parent span id) of a W3C `traceparent`, or ('', '')."""
    found = _TRACEPARENT.fullmatch(traceparent.lower())
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return "", ""
    return found[1], found[2]


def _text(value: bytes) -> str:
    """UTF-8, as programs of today write and the client sends; else what the standard once said."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _of_all_hops(headers: Iterable[tuple[bytes, bytes]], dropped: frozenset[bytes]) -> Headers:
    """Those whose names are not among the dropped, nor named by `Connection`: names in lower case."""
    kept: Headers = []
    named: set[bytes] = set()
    for key, value in headers:
        name = key.lower()
        if name == b"connection":
            named.update(one.strip().lower() for one in value.split(b","))
        elif name not in dropped:
            kept.append((name, value))
    return [one for one in kept if one[0] not in named] if named else kept
