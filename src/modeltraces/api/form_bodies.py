"""Forms on their way in: the library reads whole ones into memory or onto the disk, and those of the sign-in are strangers'."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modeltraces.api.security import is_form
from modeltraces.arrivals import Arrival, Arrivals, NotComing

_MOST_BYTES: Final = 4 << 20
"""Above the largest of ours: a thousand names of 200 characters, percent-encoded, come to 2 MB."""


class FormBodies:
    """ASGI middleware: a form that is too large is refused with 413, one that stops coming with 408, and all with 503 when
    the server is stopped."""

    def __init__(self, app: ASGIApp, arrivals: Arrivals) -> None:
        self._app = app
        self._arrivals = arrivals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_form(Headers(scope=scope)):
            receive = _bounded(receive, Arrival(self._arrivals))
        await self._app(scope, receive, send)


def _bounded(receive: Receive, arrival: Arrival) -> Receive:
    size = 0
    is_whole = False

    async def next_message() -> Message:
        nonlocal size, is_whole
        if is_whole:
            # What comes now is that the reader of the answer leaves, and may be long in coming.
            return await receive()
        try:
            message = await arrival.piece(receive())
        except NotComing as error:
            raise HTTPException(error.status, str(error), error.headers) from error
        size += len(message.get("body", b""))
        if size > _MOST_BYTES:
            raise HTTPException(413, f"A form may have at most {_MOST_BYTES >> 20} MB.", {"Connection": "close"})
        is_whole = not message.get("more_body", False)
        return message

    return next_message
