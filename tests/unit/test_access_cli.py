"""The commands `keys` and `users`, as a process of their own would run them."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from modeltraces.catalog import accounts, audit, keys, links, model_edits, users
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.key_authenticator import KeyAuthenticator
from modeltraces.catalog.key_limits import KeyLimits
from modeltraces.catalog.signin import SignIn
from modeltraces.cli_access import keys as keys_app
from modeltraces.cli_users import users as users_app
from modeltraces.settings import ADDRESS_FILE, DEMO_DATA_DIR, DEMO_FILE
from tests.support.prepared import new_catalog

app = typer.Typer()
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MODELTRACES_CATALOG_URL", raising=False)
    monkeypatch.setenv("MODELTRACES_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def catalog(data_dir: Path) -> Catalog:
    """As the running server holds it, beside the commands."""
    return new_catalog(data_dir / "catalog.db")


def run(*arguments: str, text: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=text)


def refused(*arguments: str, text: str = "") -> str:
    """The one line a refused command ends with."""
    result = run(*arguments, text=text)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_a_key_is_printed_alone_and_works_in_the_running_server(catalog: Catalog) -> None:
    result = run("keys", "create", "--name", "ci", "--source-type", "Agent", "--source", "bot", "--scope", "ingest")
    assert re.fullmatch(r"mt_[A-Za-z0-9_-]{43}\n", result.stdout)
    assert result.stderr == ""
    authenticator = KeyAuthenticator(catalog)
    identity = authenticator.authenticate(result.stdout.strip())
    assert identity is not None
    assert (identity.default_source_type, identity.default_source) == ("Agent", "bot")
    assert identity.scopes == {"ingest"}
    assert identity.account_id == accounts.ensure_default(catalog).id
    authenticator.close()


def test_a_key_does_everything_but_administer_unless_said_otherwise(catalog: Catalog) -> None:
    run("keys", "create", "--name", "ci", "--expires-in-days", "2")
    run("keys", "create", "--name", "two", "--scope", "read", "--scope", "admin")
    two, first = keys.list_keys(catalog, accounts.ensure_default(catalog).id)
    assert first.scopes == ("ingest", "gateway", "read")
    assert first.expires_on_us is not None
    assert abs(first.expires_on_us - first.created_on_us - 2 * 86_400_000_000) < 5_000_000
    assert (two.scopes, two.expires_on_us) == (("read", "admin"), None)
    assert two.created_by == "cli"


def test_keys_are_listed_without_the_keys_and_revoked_by_name(catalog: Catalog) -> None:
    plain = run("keys", "create", "--name", "ci", "--source-type", "Agent").stdout.strip()
    listed = run("keys", "list").stdout
    assert plain[:7] + "…" in listed
    assert plain not in listed
    assert "Agent" in listed
    result = run("keys", "revoke", "ci")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Revoked 'ci'" in result.stderr
    assert plain[:7] not in run("keys", "list").stdout
    assert plain[:7] in run("keys", "list", "--all").stdout
    assert refused("keys", "revoke", "ci") == "There is no key 'ci' in this account."


def test_a_keys_limits_are_given_listed_and_changed(catalog: Catalog) -> None:
    account_id = accounts.ensure_default(catalog).id
    limits = ("--requests-per-minute", "60", "--tokens-per-day", "50000", "--model", "gpt-4o", "--model", "llama@v1")
    run("keys", "create", "--name", "ci", "--source", "bot", *limits, "--recording", "metadata")
    (key,) = keys.list_keys(catalog, account_id)
    assert key.limits == KeyLimits(60, 50_000, ("gpt-4o", "llama@v1"), "metadata")
    said = "60 requests a minute; 50,000 tokens a day; models gpt-4o llama@v1; records metadata only"
    assert said in run("keys", "list").stdout
    result = run("keys", "change", "ci", "--tokens-per-day", "0", "--model", "*", "--recording", "full")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"Changed 'ci' ({key.prefix}): 60 requests a minute.\n"
    run("keys", "change", key.prefix, "--name", "nightly", "--requests-per-minute", "0", "--source", "")
    (key,) = keys.list_keys(catalog, account_id)
    assert (key.name, key.default_source, key.limits) == ("nightly", "", KeyLimits())
    assert "no limits" in run("keys", "list").stdout
    assert "Say what to change" in refused("keys", "change", "nightly")
    assert "one of full, metadata, off" in refused("keys", "change", "nightly", "--recording", "some")
    assert refused("keys", "change", "ci", "--name", "x") == "There is no key 'ci' in this account."


def test_the_first_key_or_user_of_an_account_makes_it_and_says_so(catalog: Catalog) -> None:
    result = run("keys", "create", "--name", "ci", "--account", "B")
    assert result.stderr == "There was no account 'B': it was made.\n"
    assert run("keys", "create", "--name", "ci", "--account", "B").stderr == ""
    assert "'C'" in run("users", "create", "--email", "charlie@example.com", "--role", "owner", "--account", "C").stderr
    assert refused("keys", "list", "--account", "D") == "There is no account 'D'. There are: 'B', 'C'."
    assert refused("keys", "revoke", "ci") == "There is no key 'ci' in this account."


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("keys", "create", "--name", "ci", "--account", "B", "--scope", "write"), "Unknown scope 'write'"),
        (("users", "create", "--email", "b", "--role", "owner", "--account", "B"), "must look like"),
        (("users", "create", "--email", "b@b.com", "--role", "king", "--account", "B"), "must be one of owner"),
        (("users", "link", "--email", "b@b.com"), "There is no user 'b@b.com'."),
        (("users", "password", "--email", "b@b.com"), "There is no user 'b@b.com'."),
        (("keys", "create", "--name", ""), "must not be empty"),
        (("keys", "create", "--name", "ci", "--account", "B", "--model", "a*b"), "only stand at the end"),
    ],
)
def test_a_bad_option_is_one_line_and_makes_no_account(catalog: Catalog, arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(*arguments)
    assert accounts.find(catalog, "B") is None


def test_a_user_with_a_password_signs_in_with_it(catalog: Catalog) -> None:
    arguments = ("users", "create", "--email", "Bob@example.com", "--role", "member", "--password-stdin")
    assert "at least 8" in refused(*arguments, text="short\n")
    result = run(*arguments, text="correct horse\n")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "bob@example.com is member of 'default' and signs in with a password.\n"
    assert "correct horse" not in result.stderr
    assert SignIn(catalog).check("bob@example.com", "correct horse", "127.0.0.1").email == "bob@example.com"
    assert "a member of this account already" in refused(*arguments[:-1])
    entries = audit.list_entries(catalog, accounts.ensure_default(catalog).id)
    assert (entries[0].actor, entries[0].action) == ("cli", "member.add")


def test_a_user_without_a_password_gets_a_link(catalog: Catalog) -> None:
    result = run("users", "create", "--email", "bob@example.com", "--role", "viewer")
    path = result.stdout.strip()
    assert path.startswith(links.PATH)
    link = links.peek(catalog, path.removeprefix(links.PATH))
    assert link is not None
    assert (link.email, link.needs_password) == ("bob@example.com", True)
    listed = run("users", "list").stdout
    assert "has no password yet" in listed
    assert "viewer" in listed


def test_a_user_of_another_account_is_added_without_a_link(catalog: Catalog) -> None:
    charlie = ("users", "create", "--email", "charlie@example.com", "--role", "owner")
    run(*charlie, "--account", "B", "--password-stdin", text="correct horse\n")
    result = run(*charlie, "--account", "A")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "signs in with a password" in result.stderr


def test_who_forgot_the_password_gets_a_link_or_a_new_one(catalog: Catalog, data_dir: Path) -> None:
    create = ("users", "create", "--email", "bob@example.com", "--role", "member", "--password-stdin")
    run(*create, text="correct horse\n")
    path = run("users", "link", "--email", "bob@example.com").stdout.strip()
    assert links.redeem(catalog, path.removeprefix(links.PATH)).email == "bob@example.com"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        (data_dir / ADDRESS_FILE).write_text(f'{{"address": "{address}"}}')
        link = run("users", "link", "--email", "bob@example.com").stdout.strip()
        assert links.redeem(catalog, link.removeprefix(address + links.PATH)).email == "bob@example.com"
    # It was killed, and something else wrote there.
    for left in (f'{{"address": "{address}"}}', '{"address": "http://127.0.0.1:x"}', "[]", "{}", "{"):
        (data_dir / ADDRESS_FILE).write_text(left)
        assert run("users", "link", "--email", "bob@example.com").stdout.startswith(links.PATH), left
    assert "was set" in run("users", "password", "--email", "bob@example.com", text="another horse\n").stderr
    assert SignIn(catalog).check("bob@example.com", "another horse", "127.0.0.1").email == "bob@example.com"
    bob = users.find(catalog, "bob@example.com")
    assert bob is not None
    users.create(catalog, accounts.ensure(catalog, "B", actor="t")[0].id, "eve@example.com", "owner", actor="t")
    users.set_disabled(catalog, bob.id, True, actor="test")
    assert "disabled" in run("users", "list").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "--name", "ci"),
        ("keys", "list"),
        ("users", "create", "--email", "b@b.com", "--role", "owner", "--account", "B"),
        ("users", "link", "--email", "b@b.com"),
    ],
)
def test_no_second_installation_is_made_that_no_server_knows(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    nowhere = tmp_path / "nowhere"
    line = refused(*arguments, "--data-dir", str(nowhere))
    assert line.startswith(f"There is no installation in {nowhere}: no server ever ran there.")
    assert "--data-dir" in line
    assert not nowhere.exists()


def test_the_demo_that_is_here_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEMO_DATA_DIR).mkdir()
    (tmp_path / DEMO_DATA_DIR / DEMO_FILE).write_text("{}")
    assert "the demo's" not in refused("keys", "create", "--name", "ci"), "the environment named another"
    monkeypatch.delenv("MODELTRACES_DATA_DIR")
    assert f"the demo's is here, too: --data-dir {DEMO_DATA_DIR}." in refused("keys", "create", "--name", "ci")


def test_who_is_no_user_yet_is_told_how_to_become_one(catalog: Catalog, data_dir: Path) -> None:
    line = refused("users", "link", "--email", "you@example.com")
    assert line.startswith("There is no user 'you@example.com'. The account has no members yet: ")
    assert "modeltraces users create --email you@example.com --role owner" in line
    there = str(data_dir)
    assert refused("users", "link", "--email", "you@example.com", "--data-dir", there).endswith(
        f"owner --data-dir {there}"
    )
    run("users", "create", "--email", "bob@example.com", "--role", "owner")
    for arguments in (["link"], ["password"]):
        line = refused("users", *arguments, "--email", "you@example.com", text="secret horse battery\n")
        assert line == "There is no user 'you@example.com'. See: modeltraces users list"


def test_a_catalog_elsewhere_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELTRACES_CATALOG_URL", f"sqlite:///{tmp_path}/other/catalog.db")
    line = refused("keys", "create", "--name", "ci")
    assert f"{tmp_path}/other/catalog.db" in line
    assert "MODELTRACES_CATALOG_URL" in line
    assert not (tmp_path / "other").exists()


def test_the_settings_and_the_catalog_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELTRACES_CATALOG_URL", "mysql://user:hidden@host/db")
    line = refused("keys", "list")
    assert "cannot be kept in 'mysql'" in line
    assert "hidden" not in line
    monkeypatch.delenv("MODELTRACES_CATALOG_URL")
    (tmp_path / "other" / "catalog.db").mkdir(parents=True)
    assert "cannot be opened" in refused("keys", "list", "--data-dir", str(tmp_path / "other"))
    (tmp_path / "file").write_text("")
    assert "There is no installation" in refused("keys", "list", "--data-dir", str(tmp_path / "file" / "data"))
    monkeypatch.setenv("MODELTRACES_SECRET_KEY_FILE", str(tmp_path / "missing"))
    assert "missing" in refused("keys", "list")
    monkeypatch.delenv("MODELTRACES_SECRET_KEY_FILE")
    monkeypatch.setenv("MODELTRACES_PORT", "many")
    assert "(MODELTRACES_PORT): " in refused("keys", "list")


def test_a_process_makes_a_key_while_another_holds_the_database(catalog: Catalog, data_dir: Path) -> None:
    script = "from modeltraces.cli_access import keys; keys()"
    with catalog.session() as session:
        session.connection()
        made = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, "create", "--name", "ci"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert made.stdout.startswith("mt_")
    assert [key.name for key in keys.list_keys(catalog, accounts.ensure_default(catalog).id)] == ["ci"]


def test_a_model_that_a_key_may_call_and_that_there_is_not_is_said_beside_the_key(catalog: Catalog) -> None:
    account_id = accounts.ensure_default(catalog).id
    assert run("keys", "create", "--name", "all", "--model", "*").stderr == ""
    model_edits.create(catalog, account_id, "gpt-4o", "external", actor="test")
    result = run("keys", "create", "--name", "typo", "--model", "gpt-4oo", "--model", "gpt-4o")
    assert re.fullmatch(r"mt_[A-Za-z0-9_-]{43}\n", result.stdout)
    assert result.stderr == "This account has no model 'gpt-4oo' yet. Did you mean gpt-4o?\n"
    assert run("keys", "change", "typo", "--tokens-per-day", "9").stderr.startswith("Changed 'typo'")
    changed = run("keys", "change", "typo", "--model", "claude-x")
    assert changed.stderr.startswith("This account has no model 'claude-x' yet.\nChanged 'typo'")
    assert run("keys", "create", "--name", "right", "--model", "gpt-4o").stderr == ""
