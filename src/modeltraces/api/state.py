"""The server's parts, from a request."""

from typing import cast

from starlette.requests import HTTPConnection

from modeltraces.gateway.proxy import Gateway
from modeltraces.parts import Parts


def parts_of(connection: HTTPConnection) -> Parts:
    return cast(Parts, connection.app.state.parts)


def gateway_of(connection: HTTPConnection) -> Gateway:
    return cast(Gateway, connection.app.state.gateway)
