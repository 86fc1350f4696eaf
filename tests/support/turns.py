"""How long the turns of a thread are that the system gives it, as sched_getattr(2) says."""

import ctypes
import platform
import struct
import sys
from typing import Final

_GET: Final = {"x86_64": 315, "aarch64": 275}
_ATTRIBUTES: Final = struct.Struct("<IIQiIQQQ")


def knows_turns() -> bool:
    """Whether a thread can say how long its own are: on Linux since 6.12."""
    if sys.platform != "linux" or platform.machine() not in _GET:
        return False
    major, minor = (int(part) for part in platform.release().split("-")[0].split(".")[:2])
    return (major, minor) >= (6, 12)


def turn_ns(thread: int = 0) -> int:
    """Of a thread by its id in the system; of the one that calls by default."""
    given = ctypes.create_string_buffer(_ATTRIBUTES.size)
    assert ctypes.CDLL(None).syscall(_GET[platform.machine()], thread, given, _ATTRIBUTES.size, 0) == 0
    return int(_ATTRIBUTES.unpack(given.raw)[5])
