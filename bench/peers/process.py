"""A peer's server: a process tree of its own, in a directory of its own, reachable on loopback only."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from tests.support.processor import processor_seconds

_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 30.0
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "TMPDIR")


@contextmanager
def served(command: Sequence[str], data_dir: Path, environment: Mapping[str, str], ready: str) -> Iterator[int]:
    """The process's id, once `ready` (a URL) answers; it and all that it started are ended afterwards.

    Raises AssertionError when it does not start; to this and every other error the end of its log is added.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "server.log"
    # Its home is the directory too: nothing of it stays on the machine.
    clean = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with log.open("ab") as written:
        process = subprocess.Popen(
            command, cwd=data_dir, env={**clean, "HOME": str(data_dir), **environment}, stdin=subprocess.DEVNULL,
            stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(process, ready)
        yield process.pid
    except Exception as error:
        error.add_note(f"Its log ends with:\n{log.read_text(errors='replace')[-3000:]}")
        raise
    finally:
        # Of the session that this process leads: its workers with it.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", ready: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(ready, timeout=5).status_code == 200:
                return
        time.sleep(0.3)
    raise AssertionError(f"{process.args!r} did not start")


def tree_mb(pid: int) -> float:
    """Memory of a process and all below it, pages that they share counted once."""
    return sum(_memory_mb(each) for each in _tree(pid))


def tree_processor_ms(pid: int) -> float:
    """Processor time that a process and all below it have taken so far: what work costs, whoever else is at work."""
    return sum(_processor_ms(each) for each in _tree(pid))


def _tree(pid: int) -> Iterator[Path]:
    proc = Path(f"/proc/{pid}")
    with suppress(FileNotFoundError, ProcessLookupError):
        children = [
            int(child) for thread in (proc / "task").iterdir() for child in (thread / "children").read_text().split()
        ]
        yield proc
        for child in children:
            yield from _tree(child)


def _memory_mb(proc: Path) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in (proc / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _processor_ms(proc: Path) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        return processor_seconds(int(proc.name)) * 1000
    return 0.0
