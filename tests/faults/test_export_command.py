"""The command `export`: the same runs whether a server runs or not, a whole file or none, one line for what is wrong."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.support.server import Server, run_command

pytestmark = pytest.mark.faults
MODELS = ["org/model:8b", "with space", "quo'te\"s", "😀", "<script>alert(1)</script>", "a%2Fb", "=1+1"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("export") / "data")
    server.start()
    server.cast()
    with server.client() as client:
        runs = [{"model": model, "request_id": f"r{number}", "input": "=x"} for number, model in enumerate(MODELS)]
        assert client.post("/api/v1/runs", json=runs).status_code == 200
    with server.client(account="other") as client:
        assert client.post("/api/v1/runs", json={"model": "charlies", "input": "charlie's secret"}).status_code == 200
    try:
        yield server
    finally:
        server.close()


def export(server: Server, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    done = run_command("export", f"--data-dir={server.data_dir}", *arguments, environment=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_the_file_is_the_same_beside_a_server_and_without_one(served: Server, tmp_path: Path, format: str) -> None:
    files = [tmp_path / "beside", tmp_path / "alone"]
    arguments = ["--filter", "-model:nobody", "--sort", "request_id", "--order", "asc", "--format", format]
    # A proxy in the environment is not asked for what is on this machine.
    proxy = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    status, _, error = export(served, *arguments, "-o", str(files[0]), environment=proxy)
    assert status == 0, error
    assert served.stop() == 0
    try:
        status, _, error = export(served, *arguments, "-o", str(files[1]))
        assert status == 0, error
    finally:
        served.start()
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "beside"]
    assert b"charlie" not in files[0].read_bytes()


@pytest.mark.parametrize("model", MODELS)
def test_any_models_name_selects_its_runs(served: Server, model: str) -> None:
    status, out, error = export(served, "--model", model, "--format", "jsonl", "-o", "-")
    assert status == 0, error
    (run,) = [orjson.loads(line) for line in out.splitlines()]
    assert run["model"] == model
    status, out, _ = export(served, "--model", model, "-o", "-")
    (row,) = csv.DictReader(io.StringIO(out))
    assert (status, row["Input"]) == (0, "'=x")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--filter", "status:nope"], "--filter"),
        (["--filter", 'source:"open'], "--filter"),
        (["--from", "2026-11-02T00:00:00Z", "--to", "2026-11-01T00:00:00Z"], "--from"),
        (["--format", "xml"], "--format"),
        (["--tz", "Mars/Olympus"], "--tz"),
        (["--account", "nobody"], "--account"),
        (["--sort", "input"], "--sort"),
        (["--nope"], "--nope"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_no_file(
    served: Server, tmp_path: Path, arguments: list[str], says: str
) -> None:
    status, out, error = export(served, *arguments, "-o", str(tmp_path / "file"))
    assert status != 0
    assert out == ""
    (line,) = error.strip().splitlines()
    assert line.startswith("modeltraces: ")
    assert says in line
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = run_command("export", f"--data-dir={tmp_path / 'nope'}", "-o", str(tmp_path / "file"))
    assert done.returncode == 1
    assert "--data-dir" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_key_made_for_an_export_is_gone_afterwards(served: Server, tmp_path: Path) -> None:
    from modeltraces.catalog import keys

    assert export(served, "-o", str(tmp_path / "file"))[0] == 0
    names = [key.name for key in keys.list_keys(served.catalog, served.account_id())]
    assert "modeltraces export" not in names


def test_the_log_holds_no_secret_and_no_content(served: Server) -> None:
    import httpx

    key = served.key()
    with served.client() as client:
        client.get("/api/v1/runs", params={"filter": "the-secret-filter", "cursor": "the-secret-cursor"})
        client.get("/api/v1/runs", params={"api_key": key})
        client.post("/api/v1/runs", json={"model": "m", "input": "the secret prompt", "nope": "the secret value"})
        client.post("/api/v1/runs", content=b'{"the secret prompt', headers={"Content-Type": "application/json"})
        client.post("/v1/traces", content=b"the secret prompt", headers={"Content-Type": "application/x-protobuf"})
    httpx.get(f"{served.url}/api/v1/runs", headers={"Authorization": "Bearer mt_the-secret-guess"})
    httpx.post(f"{served.url}/sign-in", data={"email": "alice@example.com", "password": "the secret password"})
    for secret in ("secret", key, key[3:], "correct horse"):
        assert secret not in served.log
