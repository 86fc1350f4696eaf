"""The server's parts, from a request."""

from typing import cast

from starlette.requests import HTTPConnection

from modeltraces.parts import Parts


def parts_of(connection: HTTPConnection) -> Parts:
    return cast(Parts, connection.app.state.parts)
