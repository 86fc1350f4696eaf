"""The commands about keys, users, retention and the catalog's file run as the documents show them, one after the other."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from modeltraces import cli
from modeltraces.catalog import accounts, users
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.model_writes import SeenModel
from modeltraces.catalog.models import ModelRegistry
from modeltraces.settings import Settings
from tests.docs.documents import ROOT, shell_commands

GROUPS = ("keys", "users", "retention", "catalog")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the documents' reader is: a first owner signed in, and the README's first run was sent."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MODELTRACES_{name.upper()}", raising=False)
    catalog = Catalog(f"sqlite:///{tmp_path}/data/catalog.db")
    catalog.upgrade()
    account = accounts.ensure_default(catalog)
    users.create(catalog, account.id, "you@example.com", "owner", actor="test", password="a horse of my own")
    ModelRegistry(catalog).ensure(account.id, {"llama-3.1-8b": SeenModel()})
    catalog.close()


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize("document", ["README.md", "docs/retention.md", "docs/catalog-file.md"])
def test_they_run_as_they_are_shown(document: str) -> None:
    found = [one for one in shell_commands(ROOT / document) if one.words[0] == "modeltraces" and one.words[1] in GROUPS]
    assert len(found) >= 2
    app = cli.with_all_commands()
    for command in found:
        result = CliRunner().invoke(app, list(command.words[1:]))
        assert result.exit_code == 0, f"{command}\n{result.output}"
