"""The built wheel, installed into an environment of its own and run from an empty directory."""

import email
import json
import re
import signal
import socket
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import modeltraces
from tests.packaging.conftest import Built, Installed

pytestmark = pytest.mark.slow


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _missing_from_wheel(wheel: Path, pattern: str) -> set[str]:
    """The source files that match `pattern` and are not in the wheel; there must be some that match."""
    package = Path(modeltraces.__file__).parent
    wanted = {f"modeltraces/{path.relative_to(package).as_posix()}" for path in package.glob(pattern)}
    assert wanted, f"no source file matches {pattern}"
    return wanted - _names(wheel)


@pytest.mark.parametrize("pattern", ["web/templates/**/*.html", "store/migrations/*.sql", "catalog/migrations/**/*.py"])
def test_every_template_and_migration_is_in_the_wheel(built: Built, pattern: str) -> None:
    assert not _missing_from_wheel(built.wheel, pattern)


def test_every_module_is_in_the_wheel(built: Built) -> None:
    assert not _missing_from_wheel(built.wheel, "**/*.py")
    assert "modeltraces/py.typed" in _names(built.wheel)


def test_the_built_front_end_is_in_the_wheel_and_its_sources_are_not(built: Built) -> None:
    names = _names(built.wheel)
    with zipfile.ZipFile(built.wheel) as archive:
        manifest = json.loads(archive.read("modeltraces/web/static/manifest.json"))
    assert {"app.js", "app.css"} <= set(manifest)
    assert {f"modeltraces/web/static/{name}" for name in manifest.values()} <= names
    assert "modeltraces/web/static/THIRD_PARTY_LICENSES.txt" in names
    assert not [name for name in names if name.startswith("modeltraces/web/assets/")]


def test_the_wheel_holds_nothing_but_the_package(built: Built) -> None:
    tops = {name.partition("/")[0] for name in _names(built.wheel)}
    assert tops == {"modeltraces", f"modeltraces-{modeltraces.__version__}.dist-info"}


def test_the_wheel_says_what_it_is(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        metadata = email.message_from_bytes(
            archive.read(f"modeltraces-{modeltraces.__version__}.dist-info/METADATA"),
        )
    assert metadata["Name"] == "modeltraces"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert str(metadata.get_payload()).startswith("# "), "the README is the long description"


def test_the_source_distribution_holds_the_front_end_with_its_sources(built: Built) -> None:
    with tarfile.open(built.source_distribution) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"src/modeltraces/web/static/manifest.json", "src/modeltraces/web/assets/app.ts", "LICENSE"} <= names


def test_the_installed_program_names_its_commands(installed: Installed) -> None:
    result = installed.run("--help")
    assert result.returncode == 0, result.stderr
    for command in ("serve", "demo", "keys", "users", "export"):
        assert re.search(rf"\b{command}\b", result.stdout)


@contextmanager
def _serving(installed: Installed) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server started from the installed wheel, answering; with its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(installed.program), "serve", "--port", str(port), "--otlp-grpc-port", "0", "--data-dir", "./data"]
    log = installed.directory / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=installed.directory, env=installed.environment, stdout=output, stderr=output, text=True
        )
    try:
        _wait_until_healthy(server, f"http://127.0.0.1:{port}", log)
        yield server, f"http://127.0.0.1:{port}"
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def _wait_until_healthy(server: subprocess.Popen[str], address: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}/healthz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"no answer within a minute: {log.read_text()}")


def test_the_installed_server_serves_its_page_and_stops_when_asked(installed: Installed) -> None:
    with _serving(installed) as (server, address):
        page = httpx.get(address, follow_redirects=True)
        assert page.status_code == 200
        assets = re.findall(r"(?:src|href)=\"(/[^\"]*app-[^\"]+\.(?:js|css))\"", page.text)
        assert len(assets) == 2, page.text
        for asset in assets:
            assert httpx.get(address + asset).status_code == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0, (installed.directory / "server.log").read_text()
    assert {path.name for path in installed.directory.iterdir()} == {"data", "server.log"}
