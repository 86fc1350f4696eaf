"""Cursors: where a page of runs ends, signed, and bound to the selection and order that it was made in.

A cursor bears the sort key of a row, not an offset, so that runs which arrive meanwhile move nothing. It is bound to
what was asked (account, models, period, filter, order), so that it cannot be taken to another account or another list.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from modeltraces.query.filters import to_text
from modeltraces.query.selection import Selection

SortValue: TypeAlias = str | int | float | None
Direction: TypeAlias = Literal["after", "before"]

_MAC_BYTES: Final = 16
_MAX_CHARACTERS: Final = 16_384
"""A sort value may be a long name; a longer cursor is not one of ours."""


class CursorError(ValueError):
    """A cursor that was not made here, or for another selection."""


@dataclass(frozen=True, slots=True)
class Position:
    """The place of one run in an order: the value sorted by (None: unknown, comes last), start, id."""

    value: SortValue
    executed_on_us: int
    request_id: str


def encode(selection: Selection, position: Position, direction: Direction, secret: bytes) -> str:
    """A cursor for the runs after (or before) a position."""
    body = json.dumps([direction[0], position.value, position.executed_on_us, position.request_id]).encode()
    return base64.urlsafe_b64encode(_mac(selection, body, secret) + body).rstrip(b"=").decode()


def decode(selection: Selection, cursor: str, secret: bytes) -> tuple[Position, Direction]:
    """The position and direction of a cursor. Raises CursorError."""
    raw = b""
    if cursor.isascii() and len(cursor) <= _MAX_CHARACTERS:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            raw = b""
    body = raw[_MAC_BYTES:]
    if not body or not hmac.compare_digest(raw[:_MAC_BYTES], _mac(selection, body, secret)):
        raise CursorError(
            "The cursor does not belong to this selection and order. Take next_cursor from the page before, unchanged, "
            "with the same parameters; or leave it out to begin anew."
        )
    direction, value, executed_on_us, request_id = json.loads(body)
    return Position(value, executed_on_us, request_id), "after" if direction == "a" else "before"


def _mac(selection: Selection, body: bytes, secret: bytes) -> bytes:
    # A named period moves with the clock from page to page: its name is bound, not its instants.
    times = [selection.period] if selection.period is not None else [selection.from_us, selection.to_us]
    bound = json.dumps(
        [
            selection.account_id,
            sorted(selection.models),
            times,
            to_text(selection.filter),
            selection.sort,
            selection.order,
        ]
    ).encode()
    key = hashlib.blake2b(b"modeltraces cursor", key=hashlib.sha256(secret).digest()).digest()
    return hmac.digest(key, len(bound).to_bytes(4, "big") + bound + body, "sha256")[:_MAC_BYTES]
