"""What an hour's words are made of at a time."""

from modeltraces.store.words import Stretch, blocks_of

MB48 = 48 << 20


def stretches(*of: tuple[int, int], size: int = 1 << 20) -> list[Stretch]:
    return [Stretch(start, runs, size) for start, runs in of]


def test_blocks_are_as_long_as_their_numbers_can_tell() -> None:
    assert blocks_of(stretches((10, 1000), (20, 1000)), 99, MB48) == [(10, 99)]
    full = stretches(*((n, 25_000) for n in range(5)))
    assert blocks_of(full, 100, MB48) == [(0, 2), (2, 4), (4, 100)]
    # Nothing can part runs of one instant.
    assert blocks_of(stretches((0, 10), (1, 60_001), (2, 10)), 100, MB48) == []
    assert blocks_of([], 100, MB48) == []


def test_blocks_are_no_larger_than_memory_holds() -> None:
    many = [(n, 1000) for n in range(100)]
    assert blocks_of(stretches(*many), 100, MB48) == [(0, 48), (48, 96), (96, 100)]
    # A stretch is as large as its last run makes it.
    assert blocks_of(stretches(*many[:11], size=10 << 20), 100, MB48) == [(0, 4), (4, 8), (8, 100)]
    assert blocks_of(stretches(*many[:3], size=90 << 20), 100, MB48) == [(0, 1), (1, 2), (2, 100)]
