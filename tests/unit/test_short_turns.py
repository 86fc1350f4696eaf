"""The event loop's thread begins at once when it wakes, where the system can do that."""

import os
import platform
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from modeltraces.short_turns import TURN_NS, take_short_turns
from tests.support.turns import knows_turns, turn_ns

T = TypeVar("T")
on_new_linux = pytest.mark.skipif(not knows_turns(), reason="a Linux of 6.12 or later is needed")


def _in_a_thread(ask: Callable[[], T]) -> T:
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(ask()))
    thread.start()
    thread.join()
    return found[0]


@on_new_linux
def test_a_thread_gets_short_turns_and_those_it_starts_do_not() -> None:
    def asked() -> tuple[bool, int, int]:
        return take_short_turns(), turn_ns(), _in_a_thread(turn_ns)

    usual = _in_a_thread(turn_ns)
    assert usual != TURN_NS
    assert _in_a_thread(asked) == (True, TURN_NS, usual)


@on_new_linux
def test_a_thread_that_was_told_to_be_nice_stays_it() -> None:
    def asked() -> tuple[bool, int]:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 7)
        return take_short_turns(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert _in_a_thread(asked) == (True, 7)


def test_elsewhere_nothing_changes_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv128")
    assert not take_short_turns()
