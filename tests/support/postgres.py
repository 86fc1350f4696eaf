"""A PostgreSQL of the tests' own: Debian's programs, a directory and a port of its own, gone when the tests are.

It is as durable as a test needs it: what is lost with the machine is not missed. Where `MODELTRACES_TEST_POSTGRES_URL`
is set, databases are made on that server instead, whose user must be allowed to.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from modeltraces.catalog.db import HEAD, Catalog
from modeltraces.catalog.tables import Table
from tests.support.server import free_port

GIVEN: Final = os.environ.get("MODELTRACES_TEST_POSTGRES_URL", "")
USER: Final = "tests"
PASSWORD: Final = "pass/word@these:tests%"
"""With what an address must escape, and what a log must never show."""
_UNPRIVILEGED: Final = ("postgres", "nobody")
"""PostgreSQL refuses to run as root."""
_OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_lock_waits": "on",
}


class NoPostgres(Exception):
    """PostgreSQL cannot be started here; the text says why."""


@dataclass
class Postgres:
    """A running server. `url`: of its maintenance database."""

    url: str
    directory: Path | None = None
    _runner: list[str] = field(default_factory=list)
    _process: "subprocess.Popen[bytes] | None" = None
    _made: list[str] = field(default_factory=list)
    _template: str = ""

    def new_database(self, template: str = "template1") -> str:
        """The address of a new database, made like `template`: the name of one that this made."""
        name = f"tests_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(plain(self.url), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        self._made.append(name)
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def with_tables(self) -> str:
        """The name of a database that has the catalog's tables, and no row: a template for others."""
        if not self._template:
            url = self.new_database()
            catalog = Catalog(url)
            catalog.upgrade()
            catalog.close()
            self._template = make_url(url).database or ""
        return self._template

    def drop(self, url: str) -> None:
        name = make_url(url).database or ""
        with psycopg.connect(plain(self.url), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.remove(name)

    def stop(self) -> None:
        """As when the machine is switched off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def start(self) -> None:
        assert self.directory is not None
        with (self.directory / "log").open("ab") as log:
            command = [*self._runner, _program("postgres"), "-D", str(self.directory / "data")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(plain(self.url), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise AssertionError(f"PostgreSQL does not start: {self.log[-500:]}")

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace") if self.directory else ""

    def close(self) -> None:
        if self.directory is not None:
            self.stop()
            shutil.rmtree(self.directory, ignore_errors=True)
            return
        for name in tuple(self._made):
            self.drop(make_url(self.url).set(database=name).render_as_string(hide_password=False))


def start_postgres() -> Postgres:
    """Raises NoPostgres."""
    if GIVEN:
        return Postgres(GIVEN)
    runner = _as_somebody_else()
    # Short, outside of pytest's own directories, which only their owner may enter.
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    if runner:
        shutil.chown(directory, _unprivileged())
    try:
        running = _start(directory, runner)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return running


def _start(directory: Path, runner: list[str]) -> Postgres:
    data, password = directory / "data", directory / "password"
    password.write_text(PASSWORD)
    _run(
        [
            *runner, _program("initdb"), "-D", str(data), "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C", "--no-sync",
        ]
    )  # fmt: skip
    # Taken by another test between here and there one time in some thousands; a start says so, and fails.
    port = free_port()
    options = _OPTIONS | {"port": str(port)}
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
    url = make_url("postgresql://").set(
        username=USER, password=PASSWORD, host="127.0.0.1", port=port, database="postgres"
    )
    running = Postgres(url.render_as_string(hide_password=False), directory, runner)
    running.start()
    return running


def emptied(url: str) -> str:
    """The same database, without a row: a third of what a new one takes."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        tables = sql.SQL(", ").join(sql.Identifier(name) for name in Table.metadata.tables)
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
        connection.execute("UPDATE alembic_version SET version_num = %s", [HEAD])
    return url


def plain(url: str) -> str:
    """The address as libpq reads it."""
    return re.sub(r"^postgresql\+\w+:", "postgresql:", url)


def _as_somebody_else() -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise NoPostgres(
            "there is no setpriv (util-linux), to start PostgreSQL as another user, and to end it with the tests"
        )
    # Tests that are killed leave no server behind.
    runner = [setpriv, "--pdeathsig=QUIT"]
    if os.getuid() == 0:
        user = _unprivileged()
        if not user:
            raise NoPostgres(f"PostgreSQL does not run as root, and there is no user {' or '.join(_UNPRIVILEGED)}")
        runner += [f"--reuid={user}", "--clear-groups"]
    return [*runner, "--"]


def _unprivileged() -> str:
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in _UNPRIVILEGED if name in names), "")


def _program(name: str) -> str:
    """Debian keeps a version's own programs out of the PATH."""
    found = [Path(path) for path in [shutil.which(name)] if path]
    found += sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise NoPostgres(f"PostgreSQL is not installed: no {name} (Debian: apt-get install postgresql)")
    return str(found[-1])


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", check=False
    )
    if done.returncode:
        raise NoPostgres(f"{' '.join(command[-8:])}: {done.stdout.decode(errors='replace').strip()[-500:]}")
