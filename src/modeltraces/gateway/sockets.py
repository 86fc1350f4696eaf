"""Looking at every address that is connected to: a name may lead elsewhere than when it was checked."""

import errno
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final

from modeltraces.catalog.addresses import leads_to_metadata

Place = tuple[int, int, int, str, tuple[Any, ...]]
"""What `getaddrinfo` says of an address."""


NO_TLS: Final = "it does not speak TLS there"


@dataclass(slots=True)
class SocketGuard:
    """`open` is what sockets to upstreams are made with; `refused` whether it ever refused one."""

    allow_link_local: bool
    refused: bool = False

    def open(self, place: Place) -> socket.socket:
        """Raises OSError for a metadata service's address."""
        family, kind, protocol, _, address = place
        if not self.allow_link_local and leads_to_metadata(str(address[0])):
            self.refused = True
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return socket.socket(family, kind, protocol)


def reason_of(error: OSError) -> str:
    """Why a connection failed, in words for whoever called: without the address, which is none of their business."""
    if isinstance(error, ssl.SSLError):
        return f"no secure connection, {_no_tls(error)}"
    # Look-ups have numbers of their own; the client puts addresses into the texts of the others.
    known = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno) if error.errno else None
    return known.lower() if known else type(error).__name__


def _no_tls(error: ssl.SSLError) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return NO_TLS
    # Behind a comma it may name the address.
    why = error.verify_message.partition(",")[0] or "its certificate is not valid"
    return why[:1].lower() + why[1:]
