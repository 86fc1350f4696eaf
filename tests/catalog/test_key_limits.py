"""What a key may do through the gateway: said when it is made, changed while it lives."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog import audit, keys
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Invalid, NotFound
from modeltraces.catalog.key_authenticator import KeyAuthenticator
from modeltraces.catalog.key_limits import KeyLimits, put_limit
from modeltraces.catalog.tables import ApiKeyRow
from tests.catalog.cast import Cast

LIMITS = {
    "requests_per_minute": 60,
    "tokens_per_day": 50_000,
    "allowed_models": ["llama@v1", "gpt-4o", "gpt-4o", "claude-*"],
    "recording": "metadata",
}


def test_a_key_is_made_with_its_limits(catalog: Catalog, account_id: str) -> None:
    plain, key = keys.create_key(catalog, account_id, "ci", actor="test", limits=LIMITS)
    kept = KeyLimits(60, 50_000, ("llama@v1", "gpt-4o", "claude-*"), "metadata")
    assert key.limits == kept
    assert keys.list_keys(catalog, account_id)[0].limits == kept
    authenticator = KeyAuthenticator(catalog)
    identity = authenticator.authenticate(plain)
    assert identity is not None
    assert identity.limits == kept
    authenticator.close()
    after = audit.list_entries(catalog, account_id)[0].after
    assert after is not None
    assert {name: after[name] for name in LIMITS} == {**LIMITS, "allowed_models": list(kept.allowed_models)}


def test_a_key_has_no_limits_unless_told(catalog: Catalog, account_id: str) -> None:
    _, key = keys.create_key(catalog, account_id, "ci", actor="test")
    assert key.limits == KeyLimits(None, None, (), "full")
    assert not key.limits.counts
    after = audit.list_entries(catalog, account_id)[0].after
    assert after is not None
    assert not set(LIMITS) & set(after)


BAD: list[tuple[str, Any, str]] = [
    ("requests_per_minute", 0, "Requests a minute must be a whole number from 1"),
    ("requests_per_minute", -1, "Requests a minute"),
    ("requests_per_minute", True, "Requests a minute"),
    ("tokens_per_day", 1.5, "Tokens a day must be"),
    ("tokens_per_day", "9", "Tokens a day must be"),
    ("tokens_per_day", 10**16, "Tokens a day must be"),
    ("allowed_models", "gpt-4o", "must be a list"),
    ("allowed_models", [1], "must be a list"),
    ("allowed_models", [""], "must not be empty"),
    ("allowed_models", ["a\nb"], "line breaks"),
    ("allowed_models", ["x" * 402], "at most 401"),
    ("allowed_models", ["gpt-*-mini"], "only stand at the end"),
    ("allowed_models", ["**"], "only stand at the end"),
    ("allowed_models", [f"m{number}" for number in range(201)], "at most 200 models; these are 201"),
    ("recording", "some", "one of full, metadata, off"),
    ("recording", ["off"], "one of full, metadata, off"),
]


@pytest.mark.parametrize(("name", "value", "says"), BAD, ids=[f"{name}={str(value)[:12]}" for name, value, _ in BAD])
def test_a_limit_that_makes_no_sense_is_refused(name: str, value: Any, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        put_limit(ApiKeyRow(), name, value)


def test_a_key_is_made_and_changed_as_a_whole_or_not_at_all(catalog: Catalog, account_id: str) -> None:
    with pytest.raises(Invalid):
        keys.create_key(catalog, account_id, "ci", actor="test", limits={"recording": "some"})
    _, key = keys.create_key(catalog, account_id, "ci", actor="test")
    for bad in ({"tokens_per_day": 0}, {"default_source": 5}, {"name": ""}):
        with pytest.raises(Invalid):
            keys.change_key(catalog, account_id, key.id, {"requests_per_minute": 5, **bad}, actor="test")
    assert keys.list_keys(catalog, account_id) == [key]


def test_a_star_alone_is_every_model(catalog: Catalog, account_id: str) -> None:
    _, key = keys.create_key(catalog, account_id, "ci", actor="test", limits={"allowed_models": ["a", "*"]})
    assert key.limits.allowed_models == ()


def test_a_change_is_seen_at_once_and_written_down(catalog: Catalog, account_id: str) -> None:
    plain, key = keys.create_key(catalog, account_id, "ci", actor="test", limits=LIMITS, default_source="bot")
    authenticator = KeyAuthenticator(catalog)
    assert authenticator.authenticate(plain)
    change = {
        "name": "nightly",
        "requests_per_minute": 5,
        "tokens_per_day": None,
        "recording": "off",
        "default_source": "",
    }
    changed = keys.change_key(catalog, account_id, key.id, change, actor="alice@example.com")
    identity = authenticator.authenticate(plain)
    assert identity is not None
    assert (identity.name, identity.default_source) == ("nightly", "")
    assert identity.limits == changed.limits == KeyLimits(5, None, key.limits.allowed_models, "off")
    authenticator.close()
    entry = audit.list_entries(catalog, account_id)[0]
    assert (entry.actor, entry.action, entry.object) == ("alice@example.com", "key.change", "key:nightly")
    assert entry.before == {
        "id": key.id, "name": "ci", "default_source": "bot", "requests_per_minute": 60, "tokens_per_day": 50_000,
        "recording": "metadata",
    }  # fmt: skip
    assert entry.after == {"id": key.id, **change}


def test_a_change_that_changes_nothing_leaves_no_trace(catalog: Catalog, account_id: str) -> None:
    _, key = keys.create_key(catalog, account_id, "ci", actor="test", limits=LIMITS)
    assert keys.change_key(catalog, account_id, key.id, {"name": " ci ", **LIMITS}, actor="test") == key
    assert [entry.action for entry in audit.list_entries(catalog, account_id)].count("key.change") == 0


def test_only_a_live_key_of_the_account_is_changed(catalog: Catalog, cast: Cast) -> None:
    _, key = keys.create_key(catalog, cast.account_a.id, "ci", actor="test")
    with pytest.raises(NotFound):
        keys.change_key(catalog, cast.account_b.id, key.id, {"name": "mine"}, actor="charlie@example.com")
    keys.revoke_key(catalog, cast.account_a.id, key.id, actor="test")
    with pytest.raises(NotFound):
        keys.change_key(catalog, cast.account_a.id, key.id, {"name": "again"}, actor="test")


@pytest.mark.parametrize(
    ("allowed", "spellings", "may"),
    [
        ((), ("anything",), True),
        (("gpt-4o",), ("gpt-4o",), True),
        (("gpt-4o",), ("gpt-4o-mini",), False),
        (("gpt-4o",), ("GPT-4o",), False),
        (("gpt-4o",), ("gpt-4o@azure", "gpt-4o"), True),
        (("gpt-4o@azure",), ("gpt-4o",), False),
        (("gpt-4o@azure",), ("gpt-4o", "gpt-4o", "gpt-4o@azure"), True),
        (("gpt-*",), ("gpt-4o",), True),
        (("gpt-*",), ("o1",), False),
        (("a", "gpt-4o@*"), ("gpt-4o@eu",), True),
        (("a",), (), False),
    ],
)
def test_a_name_allows_what_it_says(allowed: tuple[str, ...], spellings: tuple[str, ...], may: bool) -> None:
    assert KeyLimits(allowed_models=allowed).allows(*spellings) == may


@given(st.lists(st.text("ab*@", max_size=4), max_size=3), st.text("ab@", max_size=4))
def test_a_pattern_is_the_beginning_of_what_it_allows(allowed: list[str], name: str) -> None:
    expected = not allowed or any(
        one[:-1] == name[: len(one) - 1] if one[-1:] == "*" else one == name for one in allowed
    )
    assert KeyLimits(allowed_models=tuple(allowed)).allows(name) == expected
