"""The command `retention`, as a process of its own would run it."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from modeltraces.catalog import accounts, audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.cli_retention import retention
from tests.support.prepared import new_catalog

app = typer.Typer()
app.add_typer(retention, name="retention")


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MODELTRACES_CATALOG_URL", raising=False)
    monkeypatch.setenv("MODELTRACES_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MODELTRACES_KEEP_RUNS_DAYS", "90")
    return tmp_path / "data"


@pytest.fixture
def catalog(data_dir: Path) -> Catalog:
    return new_catalog(data_dir / "catalog.db")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["retention", *arguments])


def test_a_shorter_time_wants_to_be_confirmed_and_a_longer_one_does_not(catalog: Catalog) -> None:
    account_id = accounts.ensure_default(catalog).id
    ModelRegistry(catalog).ensure(account_id, {"gpt": SeenModel()})
    assert run("show").stdout == "the account: runs 90 days, payloads as long as the run\n"
    for shorter in (("--keep-runs", "30"), ("--keep-payloads", "7"), ("--model", "gpt", "--keep-runs", "1")):
        refused = run("set", *shorter)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "to change it, add --yes" in refused.stderr
    assert audit.list_entries(catalog, account_id, audit.AuditFilter(action="retention.*")) == []
    assert run("set", "--keep-payloads", "7", "--yes").stdout == "the account: runs 90 days, payloads 7 days\n"
    assert run("set", "--model", "gpt", "--keep-runs", "for-ever", "--keep-payloads", "30").exit_code == 0
    assert run("set", "--keep-payloads", "default").exit_code == 0
    assert (
        run("show").stdout
        == "the account: runs 90 days, payloads as long as the run\ngpt: runs for ever, payloads 30 days\n"
    )


def test_0_is_for_ever_as_at_the_api_and_in_the_settings(catalog: Catalog) -> None:
    accounts.ensure_default(catalog)
    assert run("set", "--keep-runs", "0").stdout == "the account: runs for ever, payloads as long as the run\n"
    assert run("set", "--keep-payloads", "0").exit_code == 0
    assert run("show").stdout == "the account: runs for ever, payloads as long as the run\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Say what to change"),
        (("--keep-runs", "-1"), "for-ever (or 0, which is the same) or default; '-1' is none of them"),
        (("--keep-runs", "0000000000036501"), "'0000000000036501' is none of them"),
        (("--keep-runs", "30", "--keep-payloads", "31"), "give fewer days for payloads"),
        (("--model", "nobody", "--keep-runs", "91"), "has no model"),
        (("--account", "nobody", "--keep-runs", "91"), "There is no account 'nobody'"),
    ],
)
def test_what_cannot_be_set_is_refused_in_one_line(catalog: Catalog, arguments: tuple[str, ...], says: str) -> None:
    accounts.ensure_default(catalog)
    refused = run("set", *arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert says in line
