"""Bodies that unfold into far more than they are."""

import zlib
from functools import cache

_PIECE_MEGABYTES = 64


@cache
def zeros(megabytes: int) -> bytes:
    """So many megabytes of zeros in one member of gzip, a thousandth of it on the wire. Compressed once for 64 of them: after a
    full flush the same bytes stand for the same again."""
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    plain = bytes(_PIECE_MEGABYTES << 20)
    piece = compressor.compress(plain) + compressor.flush(zlib.Z_FULL_FLUSH)
    pieces, rest = divmod(megabytes, _PIECE_MEGABYTES)
    assert not rest
    checksum = 0
    for _ in range(pieces):
        checksum = zlib.crc32(plain, checksum)
    end = zlib.compressobj(wbits=-zlib.MAX_WBITS).flush()
    trailer = checksum.to_bytes(4, "little") + (megabytes << 20).to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + piece * pieces + end + trailer
