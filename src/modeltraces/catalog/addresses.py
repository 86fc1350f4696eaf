"""Addresses of model servers: http(s), and not those of a cloud's metadata service unless allowed."""

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from modeltraces.catalog.errors import Invalid

LONGEST_ADDRESS: Final = 2000
_METADATA_HOSTS: Final = frozenset({"metadata.google.internal", "metadata", "instance-data", "metadata.azure.internal"})
# Not link-local, and yet metadata services: Alibaba's, Oracle's, AWS's over IPv6.
_METADATA_ADDRESSES: Final = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))


def clean_address(value: str, what: str, *, allow_link_local: bool = False) -> str:
    """The address without a slash at its end. Raises Invalid, saying what is taken.

    Names are not looked up here, only where they are used (`check_resolved`): they may mean something else by then.
    """
    address = value.strip()
    parts = urlsplit(address) if len(address) <= LONGEST_ADDRESS and address.isprintable() else urlsplit("")
    try:
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if parts.scheme not in ("http", "https") or not host or " " in address:
        raise Invalid(f"{what} must be an http:// or https:// address such as https://models.example.com/v1.")
    if parts.username is not None or parts.password is not None:
        raise Invalid(f"{what} must not hold a user name or password: they would be shown. Use the credential.")
    if parts.query or parts.fragment:
        raise Invalid(f"{what} must end with its path, without ? or #.")
    if not allow_link_local and (host.rstrip(".").lower() in _METADATA_HOSTS or _is_refused(host)):
        raise Invalid(_refusal(what))
    return address.rstrip("/")


def check_resolved(address: str, what: str, *, allow_link_local: bool = False) -> None:
    """Raises Invalid when the address's name leads to a metadata service. A name that leads nowhere is no matter here."""
    host = urlsplit(address).hostname or ""
    if allow_link_local:
        return
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return
    if any(_is_refused(str(place[0])) for *_, place in found):
        raise Invalid(_refusal(what))


def _is_refused(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            # Spellings that resolvers take: 2852039166, 0xa9fea9fe, 169.254.43518.
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_link_local or address in _METADATA_ADDRESSES


def _refusal(what: str) -> str:
    return (
        f"{what} leads to a link-local address, where clouds keep their metadata services. "
        "Choose another, or start the server with MODELTRACES_ALLOW_LINK_LOCAL=true."
    )
