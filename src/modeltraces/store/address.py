"""The address of a store: `chdb:///path`, or `clickhouse://user:password@host:8123/database` and its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from modeltraces.store.errors import StoreUnavailable

_PLAIN: Final = ("clickhouse", "http")
_SECURE: Final = ("clickhouses", "https")
_PARAMETERS: Final = ("secure", "verify", "ca_cert")
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
_FORM: Final = "clickhouse://user:password@host:8123/database"


@dataclass(frozen=True, slots=True)
class Embedded:
    path: Path


@dataclass(frozen=True, slots=True)
class Remote:
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    secure: bool
    verify: bool
    """Whether the server's certificate must be one that is trusted."""
    ca_cert: str
    """A file of authorities to trust in place of the usual ones; '' for those."""


def parse_address(url: str) -> Embedded | Remote:
    """Raises StoreUnavailable with one line; it holds nothing of the address that could be a password."""
    scheme, separator, rest = url.partition(":")
    if separator and scheme == "chdb":
        path = Path(rest.removeprefix("//"))
        if not path.is_absolute():
            # Where the program happens to be started, the next time elsewhere.
            raise StoreUnavailable("an embedded store's address needs a whole path: chdb:///srv/modeltraces/runs")
        return Embedded(path)
    if not separator or scheme not in _PLAIN + _SECURE:
        # What stands before the first colon may be anything, if this is no address at all.
        named = f"; it is {scheme}:…" if rest.startswith("//") else ""
        raise StoreUnavailable(f"the store's address must begin with chdb:// or clickhouse://{named}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise StoreUnavailable(f"the store's address cannot be read. {_hint()}") from error
    if not parts.hostname or parts.fragment or "@" in parts.path:
        raise StoreUnavailable(f"the store's address cannot be read. {_hint()}")
    options = _options(parts.query)
    secure = scheme in _SECURE or _truth(options, "secure", default=False)
    return Remote(
        host=parts.hostname,
        port=port or (8443 if secure else 8123),
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or "default",
        secure=secure,
        verify=_truth(options, "verify", default=True),
        ca_cert=options.get("ca_cert", ""),
    )


def shown(url: str) -> str:
    """The address without user and password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"


def _hint() -> str:
    return f"It is {_FORM}; write / ? # @ in a password as %2F %3F %23 %40"


def _options(query: str) -> Mapping[str, str]:
    options: dict[str, str] = dict(parse_qsl(query, keep_blank_values=True))
    if not set(options) <= set(_PARAMETERS):
        raise StoreUnavailable(f"the store's address takes no parameters but {', '.join(_PARAMETERS)}. {_hint()}")
    return options


def _truth(options: Mapping[str, str], name: str, *, default: bool) -> bool:
    given: Any = options.get(name, "true" if default else "false").lower()
    if given not in _TRUTHS:
        raise StoreUnavailable(f"the store's address: {name} must be true or false")
    return _TRUTHS[given]
