"""What an upstream compressed although it was asked not to, unfolded for the record while it passes as it is."""

import zlib
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]

READ: Final = frozenset({"gzip", "x-gzip", "deflate", "br"})


class Unreadable(Exception):
    """The bytes are not of their encoding."""


class _Inflater(Protocol):
    def inflate(self, data: bytes, most: int) -> bytes: ...


class _Zlib:
    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS + 32)

    def inflate(self, data: bytes, most: int) -> bytes:
        return self._inflater.decompress(data, most)


class _Brotli:
    def __init__(self) -> None:
        self._inflater = brotli.Decompressor()

    def inflate(self, data: bytes, most: int) -> bytes:
        # In pieces of its own size: a few bytes may unfold to gigabytes.
        pieces = [self._inflater.process(data, output_buffer_limit=most)]
        size = len(pieces[0])
        while size < most and not self._inflater.can_accept_more_data():
            pieces.append(self._inflater.process(b"", output_buffer_limit=most - size))
            size += len(pieces[-1])
        return b"".join(pieces)


class Unfolding:
    """Bytes in, as they come; their plain bytes out, up to `most` in all, and nothing after that."""

    def __init__(self, encoding: str, most: int) -> None:
        """`encoding`: one of `READ`."""
        self._inflater: _Inflater = _Brotli() if encoding == "br" else _Zlib()
        self._left = most

    def feed(self, data: bytes) -> bytes:
        """Raises Unreadable."""
        if self._left <= 0:
            return b""
        try:
            plain = self._inflater.inflate(data, self._left)
        except (zlib.error, brotli.error) as error:
            self._left = 0
            raise Unreadable(str(error)) from error
        self._left -= len(plain)
        return plain


def unfolded(data: bytes, encoding: str, most: int) -> bytes:
    """Raises Unreadable."""
    return Unfolding(encoding, most).feed(data)
