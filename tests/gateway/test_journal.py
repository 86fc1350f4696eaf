"""The journal: what was appended is there, in order, after any end; and it never takes more than its room."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.gateway import journal as module
from modeltraces.gateway.journal import Journal, JournalFull


def drained(journal: Journal) -> list[bytes]:
    got: list[bytes] = []
    while (found := journal.oldest()) is not None:
        path, records = found
        got += records
        journal.forget(path)
    return got


def opened(directory: Path, max_bytes: int = 1 << 20) -> Journal:
    journal = Journal(directory, max_bytes)
    journal.open()
    return journal


@given(st.lists(st.binary(max_size=200), max_size=20), st.integers(0, 30))
def test_what_was_written_is_read_after_a_restart_whole_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], cut: int
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    journal = opened(directory)
    for record in records:
        journal.append(record)
    journal.close()
    files = sorted(directory.iterdir())
    if files:
        data = files[-1].read_bytes()
        files[-1].write_bytes(data[: max(0, len(data) - cut)])
    again = opened(directory)
    again.append(b"after")
    got = drained(again)
    assert got[-1] == b"after"
    assert got[:-1] == records[: len(got) - 1]
    if cut == 0:
        assert got[:-1] == records
    assert again.held_bytes == 0


def test_a_full_journal_refuses_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    journal = opened(tmp_path, 100)
    journal.append(b"x" * 80)
    with pytest.raises(JournalFull):
        journal.append(b"x" * 80)
    assert drained(journal) == [b"x" * 80]
    journal.append(b"x" * 80)
    journal.close()


def test_it_goes_on_in_further_files_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 50)
    journal = opened(tmp_path)
    records = [f"record {number}".encode() for number in range(20)]
    for record in records:
        journal.append(record)
    assert len(list(tmp_path.iterdir())) > 3
    assert drained(journal) == records
    journal.close()


def full(journal: Journal) -> bool:
    """Asked anew each time; the type checker takes a property for a fact."""
    return journal.is_full


def test_what_was_let_in_is_kept_and_a_record_that_did_not_fit_makes_it_full(tmp_path: Path) -> None:
    journal = opened(tmp_path, 100)
    journal.append(b"x" * 80)
    with pytest.raises(JournalFull):
        journal.append(b"y" * 80)
    assert full(journal)
    journal.append(b"y" * 80, was_let_in=True)
    assert drained(journal) == [b"x" * 80, b"y" * 80]
    assert not full(journal)
    with pytest.raises(JournalFull):
        journal.append(b"z" * 200)
    assert not full(journal), "one that never fits says nothing of the room"
    journal.close()


def test_a_file_that_cannot_be_opened_costs_its_record_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 1)
    journal = opened(tmp_path / "journal")
    journal.append(b"first")
    (tmp_path / "journal").rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        journal.append(b"lost")
    assert journal.trouble == "no such file or directory"
    # Gets the number that the journal's last file had.
    with (tmp_path / "another").open("wb") as another:
        with pytest.raises(FileNotFoundError):
            journal.append(b"lost")
        another.write(b"unharmed")
    journal.try_again()
    assert journal.trouble == "no such file or directory"
    (tmp_path / "away").rename(tmp_path / "journal")
    journal.try_again()
    assert journal.trouble == ""
    journal.append(b"last")
    assert drained(journal) == [b"first", b"last"]
    assert journal.held_bytes == 0
    assert (tmp_path / "another").read_bytes() == b"unharmed"


@pytest.mark.parametrize("cuts", [True, False])
def test_half_a_record_hides_none_that_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuts: bool
) -> None:
    """`cuts`: whether the disk lets the half be cut off again."""
    journal = opened(tmp_path)
    journal.append(b"before")
    write = os.write

    def full(file: int, data: memoryview) -> int:
        if len(data) > 10:
            return write(file, data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def broken(file: int, size: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        if not cuts:
            patched.setattr(os, "ftruncate", broken)
        with pytest.raises(OSError, match="No space left"):
            journal.append(b"half of it")
    assert journal.trouble == "no space left on device"
    journal.append(b"after")
    assert journal.trouble == ""
    assert drained(journal) == [b"before", b"after"]
    assert journal.held_bytes == 0
    journal.close()


def test_the_next_file_is_open_before_its_first_record_and_goes_when_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    journal.append(b"one")
    found = journal.oldest()
    assert found is not None
    assert found[1] == [b"one"]
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", forbidden)
        journal.append(b"two")
        assert journal.oldest() == found, "until it is forgotten"
    journal.forget(found[0])
    assert drained(journal) == [b"two"]
    assert journal.oldest() is None
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(module, "_EMPTY_SECONDS", 0)
    assert journal.oldest() is None
    assert list(tmp_path.iterdir()) == []
    journal.append(b"three")
    assert drained(journal) == [b"three"]
    journal.close()
    assert list(tmp_path.iterdir()) == []


def forbidden(*args: object) -> int:
    raise AssertionError("opened while a call waits")


@pytest.mark.parametrize("meanwhile", ["a record in a file of its own", "nothing can be opened"])
def test_what_happens_while_the_next_file_is_opened_costs_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    journal = opened(tmp_path)
    journal.append(b"one")
    real = os.open

    def meddled(*args: Any) -> int:
        monkeypatch.setattr(os, "open", real)
        if meanwhile == "nothing can be opened":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        file = real(*args)
        # As when the file that is written to is full at this moment.
        monkeypatch.setattr(module, "FILE_BYTES", 1)
        journal.append(b"two")
        return file

    monkeypatch.setattr(os, "open", meddled)
    first = journal.oldest()
    assert first is not None
    journal.append(b"three")
    journal.forget(first[0])
    expected = [b"one", b"two", b"three"] if "record" in meanwhile else [b"one", b"three"]
    assert first[1] + drained(journal) == expected
    journal.close()
    assert list(tmp_path.iterdir()) == []
