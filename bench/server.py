"""A real `modeltraces serve` in a directory of its own, for the time of a measurement."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.server import Server


@contextmanager
def running(data_dir: Path) -> Iterator[Server]:
    """The server, ready; ended by SIGTERM afterwards. Raises AssertionError, with its log, when it does not end well."""
    server = Server(data_dir)
    try:
        server.start()
        yield server
        assert server.stop() == 0, server.log
    finally:
        server.close()


def memory_mb(server: Server) -> float:
    """The server's resident memory."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def disk_mb(path: Path) -> float:
    """What a directory takes. The engine merges its files while they are looked at: what is gone by then takes nothing."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                size += (Path(folder) / name).stat().st_size
    return size / 1e6
