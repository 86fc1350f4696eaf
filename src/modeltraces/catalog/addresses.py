"""Addresses of model servers: http(s), and not those of a cloud's metadata service unless allowed."""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from modeltraces.catalog.errors import Invalid

LONGEST_ADDRESS: Final = 2000
_PORTS: Final = {"http": 80, "https": 443}
_METADATA_HOSTS: Final = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
# Not link-local, and yet metadata services: Alibaba's, Azure's, Oracle's; over IPv6 AWS's, Google's, Oracle's.
_METADATA_ADDRESSES: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
        ),
    )
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_HOST: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*\.*")
_BRACKETED: Final = re.compile(r"\[[^\]]+\](?::[0-9]*)?")
_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def clean_address(value: str, what: str, *, allow_link_local: bool = False) -> str:
    """The address without a slash at its end. Raises Invalid, saying what is taken.

    Names are not looked up here, only where they are used (`check_resolved`): they may mean something else by then.
    """
    address = value.strip()
    parts = _split(address)
    if parts is None or parts.scheme not in ("http", "https"):
        raise Invalid(f"{what} must be an http:// or https:// address such as https://models.example.com/v1.")
    if parts.username is not None or parts.password is not None:
        raise Invalid(f"{what} must not hold a user name or password: they would be shown. Use the credential.")
    # Also empty ones: what is asked for is put behind the address.
    if "?" in address or "#" in address:
        raise Invalid(f"{what} must end with its path, without ? or #.")
    if not allow_link_local and leads_to_metadata(parts.hostname or ""):
        raise Invalid(refusal(what))
    return address.rstrip("/")


def is_elsewhere(before: str, after: str) -> bool:
    """Whether `after` leads to another server than `before`: another scheme, host or port. Both are clean, or ''.

    No address leads nowhere; from nowhere, any address leads elsewhere.
    """
    return bool(after) and (not before or _origin(before) != _origin(after))


def check_credential_stays(before: str, after: str) -> None:
    """Raises Invalid where a change of the address alone would send a stored credential to another server.

    Who may change the address need not know the credential, and could read it at a server of their own.
    """
    if is_elsewhere(before, after):
        raise Invalid("The address leads to another server: enter the credential again, or remove it.")


def check_resolved(address: str, what: str, *, allow_link_local: bool = False) -> None:
    """Raises Invalid when the address leads to a metadata service. A name that leads nowhere is no matter here.

    The name may lead elsewhere a moment later, so a call has to look at where it connects as well.
    """
    if allow_link_local:
        return
    host = urlsplit(address).hostname or ""
    if leads_to_metadata(host):
        raise Invalid(refusal(what))
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    if any(leads_to_metadata(str(place[0])) for *_, place in found):
        raise Invalid(refusal(what))


def leads_to_metadata(host: str) -> bool:
    """Whether a host, by its name or as an address in any spelling, is a cloud's metadata service or link-local."""
    host = _plain(host).rstrip(".")
    if host in _METADATA_HOSTS:
        return True
    try:
        address: _IPAddress = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            # Spellings that resolvers take: 2852039166, 0xa9fea9fe, 169.254.43518.
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return False
    return any(one.is_link_local or one in _METADATA_ADDRESSES for one in _meant(address))


def _meant(address: _IPAddress) -> Iterator[_IPAddress]:
    """The address, and the IPv4 one that packets to it may end up at."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.ipv4_mapped is not None or address in _NAT64 or int(address) >> 32 == 0:
            yield low
        if address.sixtofour is not None:
            yield address.sixtofour


def _split(address: str) -> SplitResult | None:
    """None for what has no host that could be called."""
    if len(address) > LONGEST_ADDRESS or not address.isprintable() or " " in address:
        return None
    try:
        parts = urlsplit(address)
        host, _ = _plain(parts.hostname or ""), parts.port
    except ValueError:
        return None
    if parts.netloc.rpartition("@")[2].startswith("["):
        return parts if _BRACKETED.fullmatch(parts.netloc.rpartition("@")[2]) and _is_address(host) else None
    return parts if _HOST.fullmatch(host) else None


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    # Of other letters than ASCII, two that are one in lower case may be two hosts to a client.
    host = parts.hostname if parts.netloc.isascii() else parts.netloc
    return parts.scheme, host or "", _PORTS.get(parts.scheme) if parts.port is None else parts.port


def _is_address(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _plain(host: str) -> str:
    """As a client's IDNA reads it: full-width and circled digits are digits, an ideographic full stop is a dot."""
    return unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower()


def refusal(what: str) -> str:
    """Why an address that leads to a metadata service is not called, and what to do."""
    return (
        f"{what} leads to a link-local address, where clouds keep their metadata services. "
        "Choose another, or start the server with MODELTRACES_ALLOW_LINK_LOCAL=true."
    )
