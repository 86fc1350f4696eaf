"""Ask the system to let a thread that has slept begin at once, for short turns, instead of waiting for the end of another's.

Linux gives threads of a core turns of some 3 ms, and one that wakes waits for them: a call through the gateway wakes five times, and
while runs are stored each of these could take that long. Since Linux 6.12 a thread may say that its own turns are short (`sched_runtime`
of a normal thread in sched_setattr(2)); it gets no more of the processor for it, only sooner. Other systems, and Linux before,
know nothing of it, and nothing changes there.
"""

import ctypes
import os
import platform
import struct
import sys
from typing import Final

TURN_NS: Final = 100_000
"""The shortest that Linux grants."""
_SET: Final = {"x86_64": 314, "aarch64": 274}
"""Machine → the number of its sched_setattr: Python has none, nor had the C library before 2025."""
_ATTRIBUTES: Final = struct.Struct("<IIQiIQQQ")
_RESET_ON_FORK: Final = 1
"""Threads and processes that this one starts take turns as usual."""


def take_short_turns() -> bool:
    """For the thread that calls it. Whether the system took it; never raises."""
    number = _SET.get(platform.machine())
    if sys.platform != "linux" or number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, _RESET_ON_FORK, niceness, 0, TURN_NS, 0, 0)
    failed: int = ctypes.CDLL(None).syscall(number, 0, attributes, 0)
    return not failed
