"""The command `catalog`, as a process of its own, beside a server that runs."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server, run_command

pytestmark = pytest.mark.faults
PAGE = Path(__file__).parents[2] / "docs" / "catalog-file.md"
AZURE = {"AZURE_KEY": "the-azure-secret"}
SMALL = '[[models]]\nname = "small"\nkind = "external"\n'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("catalog") / "data")
    server.start()
    server.cast()
    try:
        yield server
    finally:
        server.close()


def catalog(
    server: Server, *arguments: str, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return run_command("catalog", *arguments, f"--data-dir={server.data_dir}", environment=environment)


def example() -> str:
    (found,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert isinstance(found, str)
    return found


def test_the_documents_example_is_shown_by_the_running_server_at_once(served: Server, tmp_path: Path) -> None:
    file, account = tmp_path / "catalog.toml", served.new_account("example")
    file.write_text(example())
    of_account = ("--account", account)
    with served.client(account=account) as client:
        assert client.get("/api/v1/models").json()["models"] == []

        tried = catalog(served, "apply", str(file), *of_account, "--dry-run", environment=AZURE)
        assert (tried.returncode, tried.stderr) == (0, "")
        assert tried.stdout.endswith("dry run: nothing was changed\n")
        assert client.get("/api/v1/models").json()["models"] == []

        done = catalog(served, "apply", str(file), *of_account, environment=AZURE)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == tried.stdout.removesuffix("dry run: nothing was changed\n")
        assert "+ model llama-3-8b (open_source)\n" in done.stdout

        models = {model["name"]: model for model in client.get("/api/v1/models").json()["models"]}
        assert {"gpt-4o", "llama-3-8b"} <= models.keys()
        assert [one["version"] for one in models["llama-3-8b"]["deployments"]] == ["v1", "v2"]

    again = catalog(served, "apply", str(file), *of_account, environment=AZURE)
    assert (again.returncode, again.stdout) == (0, "nothing to change\n")

    written = tmp_path / "exported.toml"
    assert catalog(served, "export", *of_account, "-o", str(written)).returncode == 0
    assert catalog(served, "apply", str(written), *of_account).stdout == "nothing to change\n"
    assert catalog(served, "export", *of_account).stdout == written.read_text()
    for text in (tried.stdout, done.stdout, written.read_text(), served.log):
        assert "the-azure-secret" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.toml", "exported.toml"]


def test_the_running_server_can_use_the_credential_that_was_applied(served: Server, tmp_path: Path) -> None:
    from modeltraces.catalog import connections
    from modeltraces.catalog.vault import Vault

    file, account = tmp_path / "catalog.toml", served.new_account("credential")
    file.write_text(
        '[[connections]]\nname = "c"\nprotocol = "openai"\nbase_url = "http://127.0.0.1:9"\ncredential_file = "key"\n'
    )
    (tmp_path / "key").write_text("the-file-secret\n")
    assert catalog(served, "apply", str(file), "--account", account).returncode == 0
    stored = connections.reach(served.catalog, served.account_id(account), "c").locked_credential
    assert stored is not None
    assert Vault((served.data_dir / "secret.key").read_bytes()).unlock(stored) == "the-file-secret"


def test_a_model_of_runs_stays_whatever_the_file_knows(served: Server, tmp_path: Path) -> None:
    file, account = tmp_path / "catalog.toml", served.new_account("runs")
    file.write_text(SMALL)
    with served.client(account=account) as client:
        assert client.post("/api/v1/runs", json={"model": "by-itself", "connection_name": "seen"}).status_code == 200
    done = catalog(served, "apply", str(file), "--account", account, "--allow-removal")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "+ model small (external)",
        "not in the file, left alone: model by-itself",
        "not in the file, left alone: connection seen",
    ]
    with served.client(account=account) as client:
        assert client.post("/api/v1/runs", json={"model": "small"}).status_code == 200
        refused = catalog(served, "apply", "/dev/null", "--account", account, "--allow-removal")
        assert refused.returncode == 1
        assert refused.stdout == ""
        (line,) = refused.stderr.splitlines()
        assert "the model small is not in the file and cannot be removed: it has runs" in line
        names = [model["name"] for model in client.get("/api/v1/models").json()["models"]]
    assert sorted(names) == ["by-itself", "small"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SMALL.replace("kind", "knid"), ", line 3: unknown key 'knid' in [[models]]. Did you mean 'kind'?"),
        (SMALL.replace("models", "model"), ", line 1: unknown table 'model' in the file. Did you mean 'models'?"),
        (SMALL + "merged = [", "line 4: this is no TOML"),
        (SMALL + SMALL, ", line 5: the model 'small' is in the file twice."),
    ],
)
def test_what_is_wrong_names_file_and_line_and_changes_nothing(
    served: Server, tmp_path: Path, text: str, says: str
) -> None:
    file, account = tmp_path / "catalog.toml", served.new_account("wrong")
    file.write_text(text)
    refused = catalog(served, "apply", str(file), "--account", account)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"modeltraces: {file}" in refused.stderr
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "[[" not in catalog(served, "export", "--account", account).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("apply", "no-such-file.toml"), "no-such-file.toml"),
        (("apply", "/dev/null", "--account", "nobody"), "no account 'nobody'"),
        (("export", "--account", "nobody"), "no account 'nobody'"),
        (("export", "-o", "no-such-directory/catalog.toml"), "no-such-directory"),
    ],
)
def test_what_is_not_there_is_one_line(served: Server, arguments: tuple[str, ...], says: str) -> None:
    refused = catalog(served, *arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert says in line
