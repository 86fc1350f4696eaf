"""Entries of the audit log in words, and the address of its page."""

import string
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from modeltraces.query.times import rfc3339
from modeltraces.web import audit_words
from modeltraces.web.audit_contexts import AuditChange, AuditValue
from modeltraces.web.pages import audit_log

BERLIN = ZoneInfo("Europe/Berlin")


def lines(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> list[tuple[str, str | None, str | None]]:
    def text(value: AuditValue | None) -> str | None:
        return None if value is None else value.whole or value.text

    return [(one.field, text(one.old), text(one.new)) for one in audit_words.changes(before, after)]


def test_only_what_changed_is_shown() -> None:
    before = {"name": "llama", "kind": "external", "provider": ""}
    assert lines(before, {**before, "kind": "open_source"}) == [("kind", "external", "open_source")]
    assert lines(before, before) == []


def test_a_thing_that_is_made_or_removed_shows_what_it_had_and_no_empty_fields() -> None:
    values: dict[str, Any] = {
        "name": "k",
        "scopes": ["read", "ingest"],
        "default_source": "",
        "expires_on_us": None,
        "limits": {},
    }
    assert lines(None, values) == [("name", None, "k"), ("scopes", None, "read, ingest")]
    assert lines(values, None) == [("name", "k", None), ("scopes", "read, ingest", None)]


def test_fields_within_fields_are_named_by_their_path() -> None:
    before = {"endpoint": {"address": "http://a", "protocol": "ollama"}}
    after = {"endpoint": {"address": "http://b", "protocol": "ollama"}}
    assert lines(before, after) == [("endpoint.address", "http://a", "http://b")]
    assert lines({"endpoint": {}}, after)[0] == ("endpoint.address", None, "http://b")


def test_one_and_yes_are_not_the_same_and_zero_is_not_nothing() -> None:
    assert lines({"a": 1, "b": 0}, {"a": True, "b": False}) == [("a", "1", "yes"), ("b", "0", "no")]
    assert lines({"replicas": 0}, {"replicas": None}) == [("replicas", "0", None)]


def test_instants_are_shown_in_the_readers_zone() -> None:
    found = audit_words.changes({"expires_on_us": None}, {"expires_on_us": 1_790_000_000_000_000}, BERLIN)
    assert found == [AuditChange("expires on", None, AuditValue("21 Sep 2026, 16:13:20"))]
    scaled = audit_words.changes(None, {"on": "2026-11-01T12:00:00Z", "depends_on": "x"}, BERLIN)
    assert [change.new for change in scaled] == [AuditValue("1 Nov 2026, 13:00:00"), AuditValue("x")]
    assert lines({"a_us": 1 << 62}, {"a_us": True}) == [("a", str(1 << 62), "yes")]


def test_a_long_value_is_cut_and_whole_behind_it_and_never_more_than_a_page_takes() -> None:
    ((change,), (huge,)) = (audit_words.changes(None, {"note": "x" * n}) for n in (500, 30_000))
    assert change.new == AuditValue("x" * audit_words.SHORT_CHARACTERS + "…", "x" * 500)
    assert huge.new is not None
    assert (len(huge.new.whole), huge.new.cut) == (audit_words.WHOLE_CHARACTERS, True)


values = st.integers(0, 3) | st.booleans() | st.sampled_from(("", "x", "1", "yes"))
objects = st.none() | st.dictionaries(st.sampled_from("abc"), values)


@given(objects, objects)
def test_a_field_is_shown_exactly_when_its_values_differ(
    before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    def said(values: dict[str, Any] | None, name: str) -> str:
        value = (values or {}).get(name)
        return "nothing" if value in (None, "") else repr(value)

    found = audit_words.changes(before, after)
    assert {change.field for change in found} == {name for name in "abc" if said(before, name) != said(after, name)}
    for change in found:
        assert change != AuditChange(change.field, None, None)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(), st.text())
def test_whatever_is_recorded_can_be_shown(text: str, other: str) -> None:
    for part in (
        *audit_words.actor_words(text), audit_words.action_words(text), *audit_words.object_words(text),
        *(value or "" for line in lines({other: text}, {text: [other, "\ud800"]}) for value in line),
    ):  # fmt: skip
        part.encode()


def test_actions_actors_and_objects_read_as_words() -> None:
    assert audit_words.action_words("model.rename") == "Model renamed"
    assert audit_words.action_words("key.revoke") == "API key revoked"
    assert audit_words.action_words("member.role") == "Role changed"
    assert audit_words.action_words("price_list.some_day") == "Price list some day"
    assert audit_words.actor_words("key:deployer") == ("deployer", "API key")
    assert audit_words.actor_words("cli") == ("Command line", "")
    assert audit_words.object_words("model:a:b") == ("a:b", "Model")
    assert audit_words.object_words("plain") == ("plain", "")


def asked(query: str) -> audit_log._Asked:
    return audit_log._asked(QueryParams(query), BERLIN)


def test_times_of_the_form_are_in_the_readers_zone_and_the_address_says_them_in_utc() -> None:
    found = asked("actor=&action=&object=&period=custom&from=2026-10-25T00:00:00&to=2026-10-26")
    assert found.url == "/settings/audit-log?from=2026-10-24T22:00:00Z&to=2026-10-25T23:00:00Z"
    assert asked(found.url.partition("?")[2]).url == found.url


def test_times_that_are_not_the_period_do_not_count() -> None:
    assert asked("period=7d&from=2026-10-25T00:00:00&to=").url == "/settings/audit-log?period=7d"
    assert asked("actor=&action=&object=&period=all&from=&to=").url == "/settings/audit-log"


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("period=1y", "no period"),
        ("period=custom&from=soon", "From is not a time"),
        ("to=9999-12-31T23:59:59", "To is not a time"),
        ("from=0001-01-01", "From is not a time"),
        ("from=2026-11-02&to=2026-11-01", "begin before it ends"),
        ("before=x", "no place"),
        ("after=" + "9" * 30, "no place"),
        ("object=a%00b", "object"),
    ],
)
def test_an_address_that_cannot_be_understood_says_why(query: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        asked(query)


@given(
    st.dictionaries(
        st.sampled_from(("actor", "action", "object", "period", "from", "to", "before", "after")),
        st.text(max_size=12) | st.sampled_from(("7d", "custom", "2026-11-01", "12", "2026-11-01T00:00:00Z")),
    ),
)
def test_every_address_is_understood_or_refused_and_a_canonical_one_stays(params: dict[str, str]) -> None:
    try:
        found = audit_log._asked(QueryParams(params), BERLIN)
    except ValueError:
        return
    again = audit_log._asked(QueryParams(found.url.partition("?")[2]), BERLIN)
    assert again.pairs() == found.pairs()
    filter = found.filter(1_790_000_000_000_000)
    assert filter.from_us is None or filter.to_us is None or filter.from_us < filter.to_us or found.period != "custom"


def test_the_export_has_the_filters_of_the_page() -> None:
    found = asked("actor=key:a%26b&action=model.*&period=24h")
    now = 1_790_000_000_000_000
    url = found.export_url("csv", found.filter(now))
    assert dict(QueryParams(url.partition("?")[2])) == {
        "format": "csv", "actor": "key:a&b", "action": "model.*", "from": rfc3339(now - 86_400_000_000),
    }  # fmt: skip
    assert set(url) <= set(string.ascii_letters + string.digits + "/?&=%:.,-_")
