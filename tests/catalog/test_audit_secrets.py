"""Secrets never enter the audit log: none that the catalog's own changes know, and none that a writer forgets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from modeltraces.catalog import audit, keys, links, users
from modeltraces.catalog.audit_secrets import CHANGED, HIDDEN, clean_text, is_secret_name, without_secrets
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.sessions import Sessions
from tests.catalog.cast import PASSWORD, Cast

KEY = "mt_" + "aB3-_" * 9


def everything_written(catalog: Catalog) -> str:
    with catalog.engine.connect() as connection:
        return repr(connection.execute(text("SELECT * FROM audit_log")).all())


def test_the_catalogs_own_changes_leave_no_secret_in_the_log(catalog: Catalog, cast: Cast) -> None:
    account, actor = cast.account_a.id, "alice@example.com"
    plain, key = keys.create_key(catalog, account, "k", actor=actor, scopes=["read"])
    dave = users.create(catalog, account, "dave@example.com", "member", password=PASSWORD, actor=actor)
    erin = users.create(catalog, account, "erin@example.com", "member", actor=actor)
    link = links.invite(catalog, account, erin.id)
    session = Sessions(catalog).create(dave.id, account)
    keys.revoke_key(catalog, account, key.id, actor=actor)
    with catalog.engine.connect() as connection:
        digests = [
            *connection.execute(text("SELECT key_hash FROM api_keys")).scalars(),
            *connection.execute(text("SELECT password_hash FROM users WHERE password_hash IS NOT NULL")).scalars(),
            *connection.execute(text("SELECT token_hash FROM signin_links")).scalars(),
            *connection.execute(text("SELECT id_hash FROM sessions")).scalars(),
        ]
    assert len(digests) >= 6
    written = everything_written(catalog)
    assert "key.revoke" in written
    for secret in (plain, PASSWORD, link, session.token, session.csrf_token, "argon2", *digests):
        assert secret not in written
    revoked = audit.list_entries(catalog, account)[0]
    assert revoked.before is not None
    assert revoked.before["prefix"] == key.prefix, "which key it was can be told"


def test_a_writer_that_forgets_is_corrected_in_the_database_itself(catalog: Catalog, cast: Cast) -> None:
    with catalog.writing() as session:
        audit.record(
            session,
            account_id=cast.account_a.id,
            at_us=1,
            actor="cli",
            action="connection.edit",
            object="connection:azure",
            before={"credential": "sk-old", "base_url": "https://user:hunter2@azure.example", "name": "azure"},
            after={"credential": "sk-new", "base_url": f"https://azure.example/?api_key={KEY}", "name": "azure"},
        )
    written = everything_written(catalog)
    for secret in ("sk-old", "sk-new", "hunter2", KEY):
        assert secret not in written
    (entry, *_) = audit.list_entries(catalog, cast.account_a.id)
    assert entry.before == {"credential": HIDDEN, "base_url": f"https://{HIDDEN}@azure.example", "name": "azure"}
    assert entry.after == {
        "credential": CHANGED, "base_url": f"https://azure.example/?api_key={HIDDEN}", "name": "azure",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["password", "password_hash", "key_hash", "clientSecret", "API_KEY", "api-key", "accessToken", "credential"]
)
def test_names_of_secrets_are_known_however_they_are_spelled(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["input_tokens", "prefix", "key", "name", "hardware", "scopes", "passage"])
def test_other_names_are_left_alone(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "secret",
    [KEY, "sk-proj-abcdefghijklmnopqrst", "Bearer abcdefgh12345678", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA",
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"],
)  # fmt: skip
def test_what_looks_like_a_secret_is_none_in_any_text(secret: str) -> None:
    assert secret not in clean_text(f"it was {secret} before")
    assert secret.split()[-1] not in json.dumps(without_secrets({"note": [{"deep": secret}]}, {"note": secret}))


@pytest.mark.parametrize(
    "plain",
    [
        "mt_abcd",
        "https://api.example/v1?model=gpt-4o",
        "gpt-4o@azure-eu",
        "name@example.com",
        "sk-learn",
        "a basic one",
    ],
)
def test_what_only_resembles_one_stays(plain: str) -> None:
    assert clean_text(plain) == plain


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="abc @:/", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "kind", "x"]), inner),
    max_leaves=8,
)


@given(st.none() | st.dictionaries(st.sampled_from(["name", "kind", "list"]), json_values), json_values)
def test_what_holds_no_secret_is_not_changed_and_what_does_never_shows(
    before: dict[str, Any] | None, other: Any
) -> None:
    clean = json.loads(json.dumps(before))
    if "://" not in json.dumps(clean):
        assert without_secrets(clean, clean) == (clean, clean)
    secret = {"deep": {"password": "hunter2", "token": ["hunter2"], "other": other}}
    for hidden in without_secrets(secret, {"deep": {"password": "hunter22", "secret": {"a": "hunter2"}}}):
        assert "hunter2" not in json.dumps(hidden)


def test_that_a_secret_is_set_changed_or_taken_away_can_be_read() -> None:
    assert without_secrets(None, {"credential": "a"}) == (None, {"credential": HIDDEN})
    assert without_secrets({"credential": "a"}, {"credential": "a"})[1] == {"credential": HIDDEN}
    assert without_secrets({"credential": "a"}, {"credential": "b"})[1] == {"credential": CHANGED}
    assert without_secrets({"credential": "a"}, {"credential": ""})[1] == {"credential": ""}
    for word in ("set", "none", "changed"):
        assert without_secrets(None, {"credential": word}) == (None, {"credential": word})
    assert without_secrets({"credential": False}, {"credential": True}) == ({"credential": False}, {"credential": True})
