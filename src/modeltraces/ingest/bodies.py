"""Request bodies: read piece by piece, decompressed piece by piece, and never more of either than the cap."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol


class BodyTooLarge(Exception):
    """The body, decompressed, is over the cap (bytes)."""

    def __init__(self, cap: int) -> None:
        super().__init__(f"the body is larger than {cap >> 20} MB after decompression; send fewer runs in a request")
        self.cap = cap


class BodyMalformed(Exception):
    """The body does not match its Content-Encoding; the text says how."""


class UnsupportedEncoding(Exception):
    """A Content-Encoding other than identity, gzip and deflate."""


class _Inflater(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


_PIECE = 1 << 20


async def read_body(chunks: AsyncIterator[bytes], encoding: str, cap: int, grow: Callable[[int], None]) -> bytes:
    """The decompressed body. `grow` is told of each piece's bytes before it is kept, and may raise to stop.

    Raises BodyTooLarge, BodyMalformed, UnsupportedEncoding.
    """
    encoding = encoding.strip().lower() or "identity"
    if encoding == "identity":
        return await _read_plain(chunks, cap, grow)
    if encoding in ("gzip", "x-gzip"):
        return await _read_compressed(chunks, lambda first: zlib.decompressobj(16 + zlib.MAX_WBITS), "gzip", cap, grow)
    if encoding == "deflate":
        return await _read_compressed(chunks, _deflate, "deflate", cap, grow)
    raise UnsupportedEncoding(f"Content-Encoding {encoding[:40]!r} is not read here; send gzip, deflate or identity")


async def _read_plain(chunks: AsyncIterator[bytes], cap: int, grow: Callable[[int], None]) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > cap:
            raise BodyTooLarge(cap)
        grow(len(chunk))
        pieces.append(chunk)
    return b"".join(pieces)


def _deflate(first: bytes) -> _Inflater:
    """`deflate` is zlib by RFC 9110; some clients send it raw."""
    zlib_header = len(first) >= 2 and first[0] & 0x0F == 8 and (first[0] << 8 | first[1]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)


async def _read_compressed(
    chunks: AsyncIterator[bytes], make: Callable[[bytes], _Inflater], name: str, cap: int, grow: Callable[[int], None]
) -> bytes:
    pieces: list[bytes] = []
    size = rested = 0
    inflater: _Inflater | None = None

    def keep(piece: bytes) -> None:
        nonlocal size
        size += len(piece)
        if size > cap:
            raise BodyTooLarge(cap)
        grow(len(piece))
        pieces.append(piece)

    sent = 0
    held = b""
    try:
        async for chunk in chunks:
            sent += len(chunk)
            data, held = held + chunk, b""
            if inflater is None and len(data) < 2:
                # It takes two bytes to tell zlib from raw deflate.
                held = data
                continue
            if sent > cap:
                # Empty gzip members, or a header that does not end: bytes that never become any.
                raise BodyTooLarge(cap)
            while data:
                if size >= rested + _PIECE:
                    # Bytes that unfold a thousandfold would otherwise keep the event loop from everybody else.
                    rested = size
                    await asyncio.sleep(0)
                if inflater is not None and inflater.eof:
                    # gzip members may follow one another (RFC 1952); nothing may follow deflate.
                    if name != "gzip":
                        raise BodyMalformed("bytes follow the end of the deflate stream")
                    inflater = None
                if inflater is None:
                    inflater = make(data)
                keep(inflater.decompress(data, _PIECE))
                data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        while inflater is not None and not inflater.eof and (piece := inflater.decompress(b"", _PIECE)):
            keep(piece)
    except zlib.error as error:
        raise BodyMalformed(f"the body is not {name}, as its Content-Encoding says: {error}") from error
    if held or inflater is None or not inflater.eof:
        raise BodyMalformed(f"the {name} body ends before its end: it was cut on the way")
    return b"".join(pieces)
