"""A real server process on a free port and a directory of its own, with the fixed cast in its catalog.

Alice owns account A ("default"), Bob is a member of it, Charlie owns account B ("other").
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import httpx

from modeltraces.catalog import accounts, keys, users
from modeltraces.catalog.db import Catalog
from tests.support.forking import Process, start
from tests.support.prepared import new_directory

PASSWORD = "correct horse battery staple"
ALICE, BOB, CHARLIE = "alice@example.com", "bob@example.com", "charlie@example.com"
_START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(*arguments: str, module: str = "modeltraces") -> list[str]:
    return [sys.executable, "-m", module, *arguments]


@dataclass
class Server:
    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)
    grpc: bool = False
    verb: str = "serve"
    module: str = "modeltraces"
    from_nothing: bool = False
    """Whether its first start makes the tables itself."""
    port: int = field(default_factory=free_port)
    grpc_port: int = 0
    process: Process | None = None
    _keys: dict[Any, str] = field(default_factory=dict)
    _catalog: Catalog | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.data_dir.with_name(self.data_dir.name + ".log")

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def start(self) -> "Server":
        elsewhere = {"MODELTRACES_STORE_URL", "MODELTRACES_CATALOG_URL"} & self.environment.keys()
        if not (self.from_nothing or elsewhere or self.data_dir.exists()):
            new_directory(self.data_dir)
        if self.grpc and not self.grpc_port:
            self.grpc_port = free_port()
        options = [f"--port={self.port}", f"--otlp-grpc-port={self.grpc_port}", f"--data-dir={self.data_dir}"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELTRACES_")}
        owner = {"MODELTRACES_ADMIN_EMAIL": ALICE, "MODELTRACES_ADMIN_PASSWORD": PASSWORD}
        with self.log_path.open("ab") as log:
            environment = {**clean, **owner, **self.environment}
            with open(os.devnull, "rb") as nothing:
                self.process = start(self.module, [self.verb, *options], environment, nothing, log, log)
        self._wait_until_ready()
        return self

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log}")
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        self.kill()
        raise AssertionError(f"the server is not ready after {_START_SECONDS} s:\n{self.log}")

    def stop(self) -> int:
        """End it as an operator does; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.kill()

    def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def catalog(self) -> Catalog:
        if self._catalog is None:
            url = self.environment.get("MODELTRACES_CATALOG_URL", f"sqlite:///{self.data_dir}/catalog.db")
            self._catalog = Catalog(url)
        return self._catalog

    def cast(self) -> None:
        """Let Bob and Charlie in; Alice was made at start."""
        account_a = accounts.ensure_default(self.catalog)
        account_b, _ = accounts.ensure(self.catalog, "other", actor="test")
        users.create(self.catalog, account_a.id, BOB, "member", password=PASSWORD, actor="test")
        users.create(self.catalog, account_b.id, CHARLIE, "owner", password=PASSWORD, actor="test")

    def account_id(self, account: str = "default") -> str:
        found = accounts.find(self.catalog, account)
        assert found is not None
        return found.id

    def key(self, *scopes: str, account: str = "default", source_type: str = "", source: str = "") -> str:
        """A key of these scopes (default: ingest, read), the same one for the same arguments."""
        wanted = (scopes or ("ingest", "read"), account, source_type, source)
        if wanted not in self._keys:
            plain, _ = keys.create_key(
                self.catalog, self.account_id(account), "test", actor="test", scopes=wanted[0],
                default_source_type=source_type, default_source=source,
            )  # fmt: skip
            self._keys[wanted] = plain
        return self._keys[wanted]

    def new_account(self, name: str) -> str:
        """An empty account of that name, for a test that counts; its name."""
        accounts.ensure(self.catalog, name, actor="test")
        return name

    @contextmanager
    def client(self, *scopes: str, account: str = "default") -> Iterator[httpx.Client]:
        headers = {"Authorization": f"Bearer {self.key(*scopes, account=account)}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=30) as client:
            yield client

    def close(self) -> None:
        self.kill()
        if self._catalog is not None:
            self._catalog.close()


def run_command(
    *arguments: str, environment: dict[str, str] | None = None, text: str = ""
) -> "subprocess.CompletedProcess[str]":
    """`modeltraces arguments` to its end, with `text` for its input."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MODELTRACES_")}
    with TemporaryFile("w+") as given, TemporaryFile("w+") as out, TemporaryFile("w+") as error:
        given.write(text)
        given.seek(0)
        process = start("modeltraces", arguments, {**clean, **(environment or {})}, given, out, error)
        try:
            status = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        for file in (out, error):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, status, out.read(), error.read())


__all__: Sequence[str] = ("ALICE", "BOB", "CHARLIE", "PASSWORD", "Server", "command", "free_port", "run_command")
