"""The catalog as a file: what is wrong is told with its line, and nothing is applied; credentials are never shown."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from modeltraces.catalog import audit, connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.file.applying import Applied, apply
from modeltraces.catalog.file.credentials import Credentials
from modeltraces.catalog.file.lines import line_of
from modeltraces.catalog.file.problems import BadFile
from modeltraces.catalog.file.reading import decode
from modeltraces.catalog.vault import Vault
from tests.catalog.catalog_files import (
    FULL,
    VAULT,
    entries,
    exported,
    no_vault,
    problems,
    traces,
)


def test_a_credential_is_read_from_where_the_file_says_and_never_shown(
    catalog: Catalog, account_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FULL.replace('models = ["gpt-4o"]', 'credential_env = "AZURE_KEY"').replace(
        'endpoint =', 'credential_file = "keys/llama"\nendpoint ='
    )  # fmt: skip
    where = Credentials(tmp_path, lambda: VAULT)

    def applied() -> tuple[str, ...]:
        return apply(catalog, account_id, text, where, actor="cli").changes

    with pytest.raises(BadFile) as refused:
        applied()
    assert [line for line, _ in problems(refused)] == [11, 26]
    assert "'AZURE_KEY'" in problems(refused)[0][1]
    assert "keys/llama" in problems(refused)[1][1]

    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/llama").write_text("the-llama-secret\n")
    monkeypatch.setenv("AZURE_KEY", "the-azure-secret")
    applied()
    before = traces(catalog, account_id)
    assert applied() == ()
    assert traces(catalog, account_id) == before
    stored = connections.reach(catalog, account_id, "azure-eu").locked_credential
    assert stored is not None
    assert VAULT.unlock(stored) == "the-azure-secret"

    monkeypatch.setenv("AZURE_KEY", "another-secret")
    assert applied() == ("~ connection azure-eu: another credential",)
    told = [str(entry) for entry in audit.list_entries(catalog, account_id)]
    assert not [line for line in (*told, exported(catalog, account_id)) if "-secret" in line]

    (tmp_path / "keys/llama").write_text("\u00e9")
    with pytest.raises(BadFile, match="must hold ASCII text alone"):
        applied()
    where = Credentials(tmp_path, lambda: Vault(b"another key"))
    (tmp_path / "keys/llama").write_text("the-llama-secret")
    assert len(applied()) == 2, "what cannot be read any more is stored again"


@pytest.mark.parametrize(
    ("find", "replacement", "line", "told"),
    [
        ("[[hardware]]", "[[hardwear]]", 2, "unknown table 'hardwear' in the file. Did you mean 'hardware'?"),
        ("credits_per_replica_hour", "credits_per_hour", 4, "unknown key 'credits_per_hour' in [[hardware]]. Did you mean 'credits_per_replica_hour'?"),
        ("base_url", "base_ulr", 10, "Did you mean 'base_url'?"),
        ("endpoint", "endpont", 26, "unknown key 'endpont' in [[models.deployments]]. Did you mean 'endpoint'?"),
        ("models = [", 'credential = "sk-very-secret"\nmodels = [', 11, "credential_env"),
        ("scale\", on", "scale\", when", 29, "unknown key 'when' in [[models.deployments.events]]"),
        ('name = "H100"', "", 2, "[[hardware]] lacks 'name'"),
        ('name = "H100"', "name = 100", 3, "name must be text"),
        ('name = "H100"', 'name = " "', 3, "name must not be empty"),
        ("= 2.5", "= -2.5", 4, "must be a number from 0 up"),
        ("= 2.5", "= nan", 4, "must be a number"),
        ("= 2.5", "= 0.0000000001", 4, "at most 9 decimals"),
        ("= 2.5", "= 1e999999999", 4, "at most"),
        ("= 2.5", "= true", 4, "must be a number"),
        ('kind = "external"', 'kind = "extern"', 15, "kind must be one of open_source, fine_tuned, external"),
        ('kind = "external"', "", 13, "the model gpt-4o lacks 'kind'"),
        ('kind = "external"', 'kind = "external"\narchived = 1', 16, "archived must be true or false"),
        ('protocol = "azure_openai"', 'protocol = "azure"', 9, "protocol must be one of openai, anthropic, azure_openai"),
        ('protocol = "azure_openai"', "", 6, "the connection azure-eu lacks 'protocol'"),
        ("https://eu", "ftp://eu", 10, "http://"),
        ("https://eu.", "https://me:very-secret@eu.", 10, "user name or password"),
        ("https://eu.example.com", "http://169.254.169.254", 10, "link-local"),
        ('models = ["gpt-4o"]', 'models = ["*", "gpt-4o"]', 11, 'either ["*"] or a list'),
        ('models = ["gpt-4o"]', 'models = "gpt-4o"', 11, "must be a list"),
        ('hardware = "H100"', 'hardware = "H200"', 23, "no hardware 'H200'"),
        ('name = "llama-3-8b"', 'name = "gpt-4o"', 18, "the model 'gpt-4o' is in the file twice"),
        ('["llama3"]', '["gpt-4o"]', 21, "the model 'gpt-4o' is in the file twice"),
        ("[[connections]]", '[[hardware]]\nname = "H100"\ncredits_per_replica_hour = 1\n[[connections]]', 7, "the hardware 'H100' is in the file twice"),
        ("[[models.deployments]]", '[[models.deployments]]\nversion = "v1"\n[[models.deployments]]', 26, "the version of llama-3-8b 'v1' is in the file twice"),
        ("[[hardware]]", "[hardware]", 2, "hardware must be a list"),
        ("[[hardware]]", "hardware", 2, "this is no TOML"),
        ('name = "H100"', 'name = "H100', 3, "this is no TOML"),
        ('name = "H100"', 'name = "H100"\nname = "H100"', 4, "this is no TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_nothing_is_applied(
    catalog: Catalog,
    account_id: str,
    apply_file: Callable[..., Applied],
    find: str,
    replacement: str,
    line: int,
    told: str,
) -> None:
    assert find in FULL
    broken = FULL.replace(find, replacement, 1)
    if find in ('kind = "external"', "= 2.5", "base_url", "endpoint"):
        assert FULL.count(find) == 1
    before = traces(catalog, account_id)
    with pytest.raises(BadFile) as refused:
        apply_file(broken)
    assert any(at == line and told in text for at, text in problems(refused)), problems(refused)
    assert "very-secret" not in str(refused.value)
    assert traces(catalog, account_id) == before
    assert entries(catalog, account_id) == []


def test_link_local_addresses_are_taken_where_the_server_takes_them(catalog: Catalog, account_id: str) -> None:
    text = FULL.replace("https://eu.example.com", "http://169.254.169.254")
    applied = apply(catalog, account_id, text, Credentials(Path(), no_vault), actor="cli", allow_link_local=True)
    assert "+ connection azure-eu (azure_openai, http://169.254.169.254/openai)" in applied.changes


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'[[hardware]]\nname = "\xff"', "line 2: the file must be UTF-8"),
        (b" " * (33 << 20), "at most 33,554,432 bytes"),
        (b"a = " + b"[" * 100_000, "cannot be read"),
        (b"a = " + b"9" * 10_000, "cannot be read"),
        (b"a = 1e9999999999999999999999", "cannot be read"),
    ],
)
def test_a_file_that_is_no_text_of_a_catalog_is_refused(
    apply_file: Callable[..., Applied], content: bytes, told: str
) -> None:
    with pytest.raises(BadFile, match=re.escape(told)):
        apply_file(decode(content))


def test_a_file_of_another_system_is_read(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(decode(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode()))
    assert len(entries(catalog, account_id)) == 2


def test_lines_are_found_in_any_way_to_write_the_same() -> None:
    text = """# a comment
models = [ { name = "a" },
  # another
  { name = "b", deployments = [{ version = "v1" }] }, { name = "c" },
  { name = "d" } ]
[[hardware]]
name = '''
[[hardware]]
'''
[[connections]] # one
"name" = "x"
"""
    assert line_of(text, ("models",)) == 2
    assert line_of(text, ("models", 0, "name")) == 2
    assert line_of(text, ("models", 1, "deployments", 0, "version")) == 4
    assert line_of(text, ("models", 2)) == 4
    assert line_of(text, ("models", 3, "no such")) == 5
    assert line_of(text, ("hardware", 0, "name")) == 7
    assert line_of(text, ("connections", 0)) == 10
    assert line_of(text, ("connections", 0, "name")) == 11
    assert line_of(text, ()) is None
