"""Bodies are decompressed piece by piece, and never beyond the cap."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.ingest.bodies import BodyMalformed, BodyTooLarge, UnsupportedEncoding, read_body
from tests.support.bombs import zeros

CAP = 1 << 20


def read(chunks: list[bytes], encoding: str = "", cap: int = CAP) -> bytes:
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return asyncio.run(read_body(sent(), encoding, cap, lambda size: None))


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "GZIP ": gzip.compress,
    "deflate": zlib.compress,
}


@given(
    data=st.binary(max_size=5000),
    cuts=st.lists(st.integers(0, 6000), max_size=6),
    encoding=st.sampled_from(sorted(ENCODERS)),
)
def test_a_body_comes_out_as_it_went_in_however_it_is_cut_up(data: bytes, cuts: list[int], encoding: str) -> None:
    assert read(split(ENCODERS[encoding](data), cuts), encoding) == data


def test_deflate_whose_first_byte_comes_alone_is_told_from_raw() -> None:
    whole = zlib.compress(b"x" * 100)
    assert read([whole[:1], whole[1:2], whole[2:]], "deflate") == b"x" * 100
    with pytest.raises(BodyMalformed, match="cut on the way"):
        read([whole[:1]], "deflate")


@given(data=st.binary(min_size=1, max_size=5000))
def test_raw_deflate_is_read_too(data: bytes) -> None:
    assert read([raw_deflate(data)], "deflate") == data


@given(one=st.binary(max_size=500), two=st.binary(max_size=500), cut=st.integers(0, 1500))
def test_gzip_members_that_follow_one_another_are_one_body(one: bytes, two: bytes, cut: int) -> None:
    assert read(split(gzip.compress(one) + gzip.compress(two), [cut]), "gzip") == one + two


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_was_cut_on_the_way_says_so(encoding: str) -> None:
    whole = ENCODERS[encoding](b"x" * 10_000)
    with pytest.raises(BodyMalformed, match="cut on the way"):
        read([whole[: len(whole) // 2]], encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_not_compressed_as_it_says_is_malformed(encoding: str) -> None:
    with pytest.raises(BodyMalformed):
        read([b"\xff\xfe this is neither"], encoding)


def test_an_empty_body_that_says_gzip_is_malformed() -> None:
    with pytest.raises(BodyMalformed):
        read([], "gzip")


def test_bytes_behind_a_deflate_stream_are_an_error() -> None:
    with pytest.raises(BodyMalformed, match="follow the end"):
        read([zlib.compress(b"x") + b"more"], "deflate")


def test_an_unknown_encoding_says_which_are_read() -> None:
    with pytest.raises(UnsupportedEncoding, match="gzip, deflate or identity"):
        read([b"x"], "br")


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_a_body_over_the_cap_is_refused(encoding: str) -> None:
    assert len(read([ENCODERS[encoding](b"x" * CAP)], encoding)) == CAP
    with pytest.raises(BodyTooLarge):
        read([ENCODERS[encoding](b"x" * (CAP + 1))], encoding)


def test_a_zip_bomb_is_stopped_before_it_unfolds() -> None:
    bomb = zeros(1024)
    tracemalloc.start()
    with pytest.raises(BodyTooLarge):
        read([bomb], "gzip", 8 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


def test_empty_members_without_end_are_stopped() -> None:
    with pytest.raises(BodyTooLarge):
        read([gzip.compress(b"")] * 60_000, "gzip")


def test_others_get_their_turn_while_a_body_unfolds() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def read_beside_others() -> None:
        async def sent() -> AsyncIterator[bytes]:
            yield gzip.compress(b"\0" * (32 << 20))

        beside = asyncio.create_task(others())
        await read_body(sent(), "gzip", 64 << 20, lambda size: None)
        beside.cancel()

    asyncio.run(read_beside_others())
    assert turns > 20
