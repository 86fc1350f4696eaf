"""Looking at every address that is connected to: a name may lead elsewhere than when it was checked."""

import errno
import os
import socket
from dataclasses import dataclass
from typing import Any

from modeltraces.catalog.addresses import leads_to_metadata

Place = tuple[int, int, int, str, tuple[Any, ...]]
"""What `getaddrinfo` says of an address."""


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
    # Look-ups have numbers of their own; the client puts addresses into the texts of the others.
    known = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno) if error.errno else None
    return known.lower() if known else type(error).__name__
