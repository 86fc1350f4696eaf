"""Starts the project's own programs by forking a process that has imported everything already.

Two of the three seconds of processor that a server's start takes are imports, and the tests start some two hundred
programs. What is forked is a process like any other, with memory, files and signals of its own; the engine, which has
threads, is imported after the fork. Programs start the plain way in benchmarks, which do not `allow` forking, under a trace
of the coverage, with settings of Python's own, and where processes cannot be waited for by a descriptor.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import IO, Any, Protocol

_PRELOADED = (
    "modeltraces.serving", "modeltraces.exporting", "modeltraces.cli", "modeltraces.cli_users", "modeltraces.cli_catalog",
    "modeltraces.demo.serving", "uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl", "rich.console",
)  # fmt: skip
_LONGEST_REQUEST = 1 << 20


class Process(Protocol):
    """As much of `subprocess.Popen` as the tests use."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> Any: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def kill(self) -> None: ...

    def send_signal(self, sig: int) -> None: ...


def start(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    stdin: IO[Any],
    stdout: IO[Any],
    stderr: IO[Any],
) -> Process:
    """`python -m module arguments`, with this environment and these files."""
    if _may_fork(environment):
        return _forks.start(module, arguments, environment, [file.fileno() for file in (stdin, stdout, stderr)])
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=dict(environment), stdin=stdin, stdout=stdout, stderr=stderr
    )


def allow() -> None:
    """From now on programs are forked where they can be."""
    _forks.allowed = hasattr(os, "pidfd_open")


def _may_fork(environment: Mapping[str, str]) -> bool:
    own = {name: value for name, value in environment.items() if name.startswith(("PYTHON", "COV"))}
    return _forks.allowed and all(os.environ.get(name) == own[name] and name[:3] != "COV" for name in own)


@dataclass
class _Forked:
    pid: int
    forks: "_Forks"
    descriptor: int
    returncode: int | None = None

    def poll(self) -> int | None:
        return self._status() if self.returncode is None and self._ended(0) else self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not self._ended(timeout):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            return self._status()
        return self.returncode

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self.descriptor, sig)

    def _ended(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def _status(self) -> int:
        self.returncode = int(self.forks.ask({"wait": self.pid})["status"])
        os.close(self.descriptor)
        return self.returncode


@dataclass
class _Forks:
    """The process that forks, started when it is first needed; it ends with this one."""

    allowed: bool = False
    _line: socket.socket | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], files: Sequence[int]
    ) -> _Forked:
        wanted = {
            "module": module,
            "arguments": [*arguments],
            "environment": dict(environment),
            "directory": os.getcwd(),
        }
        pid = int(self.ask(wanted, files)["pid"])
        return _Forked(pid, self, os.pidfd_open(pid))

    def ask(self, request: dict[str, Any], files: Sequence[int] = ()) -> dict[str, Any]:
        with self._lock:
            if self._line is None:
                self._line = self._open()
            socket.send_fds(self._line, [json.dumps(request).encode()], files)
            answer = self._line.recv(_LONGEST_REQUEST)
        assert answer, "the process that forks has ended"
        return dict(json.loads(answer))

    def _open(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST_REQUEST)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking", str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )
        theirs.close()

        def close() -> None:
            ours.close()
            process.wait(10)

        atexit.register(close)
        return ours


_forks = _Forks()


def _serve(line: socket.socket) -> tuple[str, list[str]] | None:
    """Fork for each request. Returns in the child what it is to run, and here None when there is nobody to serve."""
    while True:
        received, files, _, _ = socket.recv_fds(line, _LONGEST_REQUEST, 3)
        if not received:
            return None
        request = json.loads(received)
        if "wait" in request:
            status = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
            line.send(json.dumps({"status": status}).encode())
            continue
        pid = os.fork()
        if pid == 0:
            line.close()
            for target, file in enumerate(files):
                os.dup2(file, target)
                os.close(file)
            os.environ.clear()
            os.environ.update(request["environment"])
            os.chdir(request["directory"])
            return request["module"], request["arguments"]
        for file in files:
            os.close(file)
        line.send(json.dumps({"pid": pid}).encode())


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    for name in _PRELOADED:
        import_module(name)
    assert "chdb" not in sys.modules
    assert len(os.listdir("/proc/self/task")) == 1, "a fork takes no threads along"
    gc.freeze()
    found = _serve(line)
    if found is not None:
        module, arguments = found
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
