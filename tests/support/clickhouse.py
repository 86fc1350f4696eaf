"""A ClickHouse server for tests: one that is given by MODELTRACES_TEST_CLICKHOUSE_URL, or our own over the embedded engine."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from modeltraces.store.engine import ClickHouseStore, EngineLimits, open_store
from tests.support.server import free_port

GIVEN: Final = os.environ.get("MODELTRACES_TEST_CLICKHOUSE_URL", "")


@dataclass
class ClickHouse:
    """`url` leads to the server; each test module takes a database of its own."""

    url: str
    arguments: tuple[str, ...] = ()
    process: "subprocess.Popen[str] | None" = None

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"modeltraces_test_{secrets.token_hex(6)}"
        store = open_store(self.url)
        try:
            store.command(f"CREATE DATABASE {name}")
        finally:
            store.close()
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.support.clickhouse_http", *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """`kill -9`: what was acknowledged is on disk."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


@contextmanager
def our_own(directory: Path, *arguments: str, userinfo: str = "", scheme: str = "clickhouse") -> Iterator[ClickHouse]:
    port = free_port()
    server = ClickHouse(f"{scheme}://{userinfo}127.0.0.1:{port}", (f"--path={directory}", f"--port={port}", *arguments))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def a_server(directory: Path) -> Iterator[ClickHouse]:
    """The one that was given, or our own."""
    if GIVEN:
        yield ClickHouse(GIVEN)
        return
    with our_own(directory) as server:
        yield server


@contextmanager
def opened(url: str, limits: EngineLimits | None = None) -> Iterator[ClickHouseStore]:
    store = open_store(url, limits)
    try:
        yield store
    finally:
        store.close()
