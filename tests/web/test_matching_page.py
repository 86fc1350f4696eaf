"""Settings → Matching."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog import audit, connections, jobs
from modeltraces.catalog.audit import AuditFilter
from modeltraces.catalog.hosting import deployments
from modeltraces.catalog.matching import book
from modeltraces.catalog.matching.written import WrittenRule
from modeltraces.catalog.models import SeenModel
from modeltraces.query.times import us_of
from modeltraces.web.address import model_path
from modeltraces.web.matching_forms import patterns_of, text_of
from tests.catalog.model_world import known
from tests.web.conftest import ADA, BOB, CHARLIE, VERA, Answer, CatalogSite

MATCHING: Final = "/settings/matching"
TYPED: Final = {"name": "ours", "if_model": "gpt-4o", "if_server_address": "llm.internal*", "then_model": "llama", "enabled": "1"}  # fmt: skip


def add(site: CatalogSite, name: str, **values: Any) -> None:
    rule = {"name": name, "conditions": {"model": "gpt-4o"}, "outcomes": {"model": "llama"}, **values}
    known(site.catalog, site.account_id, rule["outcomes"])
    book.create_rule(site.catalog, site.account_id, rule, actor="t")


def rules(site: CatalogSite) -> list[WrittenRule]:
    return book.list_rules(site.catalog, site.account_id)


def names(site: CatalogSite) -> list[str]:
    return [rule.name for rule in rules(site)]


def tried(site: CatalogSite, who: str = ADA, **said: str) -> Answer:
    return site.get(f"{MATCHING}?{urlencode(said)}", who)


def text(html: str) -> str:
    """What is read, one space between words."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def section(page: str, id: str) -> str:
    return text(page.partition(f'id="{id}"')[2].partition("</section>")[0])


def after_job(site: CatalogSite) -> None:
    deadline = time.monotonic() + 30
    while (job := jobs.latest(site.catalog, site.account_id, "rematch")) is None or job.state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_rule_is_written_and_said_in_words(site: CatalogSite) -> None:
    known(site.catalog, site.account_id, {"model": "llama"})
    assert "No rules are written" in site.get(MATCHING).text
    answer = site.send(f"{MATCHING}?do=add", ADA, **{**TYPED, "if_provider": 'a, b\r\n"c,d"\n""'})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{MATCHING}#rule-ours")
    (made,) = rules(site)
    assert made.conditions == {"model": ["gpt-4o"], "server_address": ["llm.internal*"], "provider": ["a", "b", "c,d", ""]}  # fmt: skip
    assert (made.outcomes, made.enabled) == ({"model": "llama"}, True)
    said = section(site.get(MATCHING).text, "written-title")
    assert "model is gpt-4o and provider is a , b , c,d or not said and server is llm.internal*" in said
    assert "model llama" in said


def test_an_edit_begins_with_what_the_rule_says_and_changes_it(site: CatalogSite) -> None:
    add(site, "a/b", conditions={"model": ["x,y", ""], "key": ["ci"]}, outcomes={"connection_name": "c"}, enabled=False)
    known(site.catalog, site.account_id, {"connection_name": "d"})
    form = site.get(f"{MATCHING}?do=edit&name=a/b", ADA).text
    assert "&#34;x,y&#34;\n&#34;&#34;</textarea>" in form
    assert "checked" not in form
    answer = site.send(
        f"{MATCHING}?do=edit&name=a/b", ADA, name="b", if_model="z", then_connection_name="d", enabled="1"
    )
    assert answer.headers["location"] == f"{MATCHING}#rule-b"
    assert rules(site) == [WrittenRule("b", {"model": ["z"]}, {"connection_name": "d"}, True, 1)]


def test_rules_are_moved_switched_off_and_deleted(site: CatalogSite) -> None:
    for name in ("a", "b", "c"):
        add(site, name)
    for do, order in (("up", "acb"), ("up", "cab"), ("up", "cab"), ("down", "acb"), ("down", "abc"), ("down", "abc")):
        site.send(f"{MATCHING}?do={do}&name=c", ADA)
        assert "".join(names(site)) == order
    site.send(f"{MATCHING}?do=off&name=b", ADA)
    assert [rule.enabled for rule in rules(site)] == [True, False, True]
    assert 'class="badge">off' in site.get(MATCHING).text
    site.send(f"{MATCHING}?do=on&name=b", ADA)
    assert all(rule.enabled for rule in rules(site))
    assert site.send(f"{MATCHING}?do=delete&name=a", ADA).headers["location"] == MATCHING
    assert names(site) == ["b", "c"]
    log = site.get("/settings/audit-log", ADA).text
    assert "Matching rule added" in log
    assert "Matching rule deleted" in log


@pytest.mark.parametrize(
    ("do", "fields", "status", "says"),
    [
        ("add", {"name": " "}, 422, "Give the rule a name"),
        ("add", {"name": "used"}, 409, "has a rule &#39;used&#39; already"),
        ("add", {"if_model": " ,\n", "if_server_address": "", "if_provider": ""}, 422, "at least one condition"),
        ("add", {"then_model": ""}, 422, "what the runs get"),
        ("add", {"if_key": ",".join(map(str, range(101)))}, 422, "or a list of up to 100"),
        ("add", {"if_key": '"  "'}, 422, "API key has a pattern of only spaces"),
        ("add", {"then_model": "x" * 513}, 422, "at most 512 characters"),
        ("add", {"then_model": "lama"}, 422, "There is no model &#39;lama&#39;. Did you mean llama?"),
        (
            "edit&name=used",
            {"name": "used", "then_connection_name": "c"},
            422,
            "Add it first, on the page Connections.",
        ),
        ("add", {"if_server_address": "x" * 513}, 422, "Server address must be"),
        ("edit&name=used", {"name": "other"}, 409, "has a rule &#39;other&#39; already"),
        ("edit&name=nowhere", {}, 404, "has no rule &#39;nowhere&#39;"),
        ("up&name=nowhere", {}, 404, "has no rule &#39;nowhere&#39;"),
        ("delete&name=nowhere", {}, 404, "has no rule &#39;nowhere&#39;"),
    ],
)
def test_what_is_refused_says_why_and_keeps_what_was_typed(
    site: CatalogSite, do: str, fields: Mapping[str, str], status: int, says: str
) -> None:
    add(site, "used")
    add(site, "other")
    before = rules(site)
    answer = site.send(f"{MATCHING}?do={do}", ADA, **{**TYPED, "if_provider": "typed, too", **fields})
    assert answer.status_code == status
    assert answer.text.count('role="alert"') == 1
    assert says in answer.text
    if "nowhere" not in do:
        assert f">\n{fields.get('if_provider', 'typed, too')}</textarea>" in answer.text
        assert 'value="llama"' in answer.text or "then_model" in fields
    assert rules(site) == before


def test_the_form_suggests_what_the_catalog_has(site: CatalogSite) -> None:
    site.seen("llama", model_kind="open_source", deployment_version="v9")
    site.seen("gpt", model_kind="external", connection_name="azure-eu")
    form = site.get(f"{MATCHING}?do=add", ADA).text
    assert "Written rules" not in form, "there are none yet: a heading with nothing below it"
    assert "Written rules" in site.get(MATCHING, ADA).text
    for value in ("llama", "v9", "gpt", "azure-eu"):
        assert f'<option value="{value}"></option>' in form


def test_a_trial_says_what_a_run_would_get_and_by_which_rule(site: CatalogSite) -> None:
    add(site, "ours", outcomes={"model": "llama", "deployment_version": "v2"})
    said = section(tried(site, model="GPT-4o", provider="openai").text, "try")
    assert "Model llama said GPT-4o Deployment v2 Connection none By ours" in said
    said = section(tried(site, model="o3").text, "try")
    assert "Model o3 Deployment none Connection none By no rule: it keeps what it says" in said
    assert "Say something of the run besides its time" in tried(site, on="2026-11-02T10:00").text
    wrong = tried(site, model="o3", on="yesterday")
    assert wrong.status_code == 422
    assert "The time must be like" in wrong.text
    assert 'value="yesterday"' in wrong.text


def test_a_trial_is_of_the_readers_time(site: CatalogSite) -> None:
    site.seen("llama", model_kind="open_source")
    at = us_of(datetime(2026, 11, 2, 10, tzinfo=UTC))
    deployments.create(site.catalog, site.account_id, "llama", site.fields(), actor="t", deployed_on_us=at)
    address = f"{MATCHING}?model=llama&on=2026-11-02T10:30:00"
    assert "Deployment v1" in section(site.get(address, zone="UTC").text, "try")
    assert "Deployment none" in section(site.get(address, zone="Europe/Berlin").text, "try"), "that was 9:30 UTC"


def test_what_was_tried_becomes_the_conditions_of_a_new_rule(site: CatalogSite) -> None:
    page = tried(site, model="a,b", server_address="llm.internal").text
    (link,) = re.findall(r'href="([^"]*do=add_from[^"]*)"', page)
    form = site.get(link.replace("&amp;", "&"), ADA).text
    assert ">\n&#34;a,b&#34;</textarea>" in form
    assert ">\nllm.internal</textarea>" in form


def test_implied_rules_say_what_implies_them_and_are_filtered_and_paged(site: CatalogSite) -> None:
    for number in range(60):
        connections.create(
            site.catalog,
            site.account_id,
            {"name": f"c-{number:03d}", "protocol": "openai", "base_url": f"https://h{number}.example.com", "models": ["*"]},
            site.vault,
            actor="t",
        )  # fmt: skip
    page = site.get(MATCHING).text
    assert "60 implied rules" in page, "an address with and without its port is one"
    assert '<details class="implied">' in page, "so many fold"
    found = site.get(f"{MATCHING}?q=H59.example").text
    assert re.findall(r"<bdi>(address of [^<]*)", found) == ["address of c-059"]
    assert 'href="/settings/connections?q=c-059"' in found
    assert "server is h59.example.com:443 or h59.example.com connection c-059" in section(found, "implied")
    assert len(re.findall("address of c-", site.get(f"{MATCHING}?page=2").text)) == 10
    assert "No implied rule has “zzz” in it" in site.get(f"{MATCHING}?q=zzz").text


def test_implied_rules_lead_to_the_model_that_implies_them(site: CatalogSite) -> None:
    odd = "a@b was up", "endpoint of x", "only y"
    for name in odd:
        site.seen(name, model_kind="open_source")
        fields = site.fields(endpoint="http://one:8000")
        deployments.create(site.catalog, site.account_id, name, fields, actor="t", version="v@1")
    found = re.findall(r'<td class="t-name"><a href="([^"]*)"', site.get(MATCHING).text)
    assert sorted(found) == sorted(2 * [model_path(name) for name in odd])


def test_past_runs_are_previewed_then_changed(site: CatalogSite) -> None:
    for name in ("gpt-4o", "gpt-4o-mini", "other"):
        site.seen(name, provider="openai")
    add(site, "ours", conditions={"model": "gpt*"}, outcomes={"model": "llama", "deployment_version": "v2"})
    assert "would change" not in section(site.get(MATCHING, ADA).text, "past")
    preview = section(site.get(f"{MATCHING}?do=preview", ADA).text, "past")
    assert "2 of 3 runs would change." in preview
    assert "model gpt-4o provider openai gpt-4o llama @ v2 by ours 1" in preview
    answer = site.send(f"{MATCHING}?do=apply", ADA)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{MATCHING}#past")
    after_job(site)
    assert "Applied to past runs: 3 gone through" in section(site.get(MATCHING, VERA).text, "past")
    assert "Applied to past runs: 3 gone through" in site.get(f"{MATCHING}/job").text
    assert "Nothing would change: 3 runs have what the rules give" in site.get(f"{MATCHING}?do=preview", ADA).text
    assert site.model("llama") is not None
    assert "Rules applied to past runs" in site.get("/settings/audit-log", ADA).text


def test_a_connection_is_used_by_no_model_whose_runs_the_rules_took_from_it(site: CatalogSite) -> None:
    for model, connection in (("gpt-4o", "old"), ("o3", "old"), ("o3", "new")):
        site.seen(model, connection_name=connection)

    def users() -> dict[str, list[str]]:
        page = site.get("/settings/connections", ADA).text
        lines = re.findall(r"<strong><bdi>([^<]*)</bdi></strong>(.*?)</td>", page)
        return {name: re.findall(r"<a href[^>]*><bdi>([^<]*)", line) for name, line in lines}

    assert users() == {"new": ["o3"], "old": ["gpt-4o", "o3"]}
    # Its run is on its way into the store.
    site.registry.ensure(site.account_id, {"o4": SeenModel(connection_names={"old"})})
    add(site, "ours", conditions={"model": "gpt-4o"}, outcomes={"connection_name": "new"})
    site.send(f"{MATCHING}?do=apply", ADA)
    after_job(site)
    assert users()["old"] == ["o3", "o4"]
    site.seen("gpt-4o", connection_name="old")
    assert users()["old"] == ["gpt-4o", "o3", "o4"], "it is used again"


def test_a_job_that_runs_keeps_another_from_starting_and_its_end_is_said(site: CatalogSite) -> None:
    site.seen("gpt-4o")
    add(site, "ours")
    job = jobs.start(site.catalog, site.account_id, "rematch", 200, actor="key:deploy")
    jobs.progress(site.catalog, job.id, 50)
    page = site.get(f"{MATCHING}?do=preview", ADA).text
    assert "Applying the rules: 50 of 200 runs gone through" in page
    assert '<progress id="job-progress" max="200" value="50">' in page
    assert '<button class="button primary" disabled>Apply to 1 run<' in page
    refused = site.send(f"{MATCHING}?do=apply", ADA)
    assert refused.status_code == 409
    assert "Wait until it has ended" in refused.text
    jobs.end(site.catalog, job.id, "The disk is <full>.")
    ended = site.get(f"{MATCHING}/job", VERA).text
    assert "The disk is &lt;full&gt;. It had gone through 50 of 200 runs." in ended
    assert "API key deploy" in text(ended)


@pytest.mark.parametrize("who", [BOB, VERA])
def test_members_and_viewers_see_rules_try_them_and_change_none(site: CatalogSite, who: str) -> None:
    add(site, "ours")
    for query in ("", "?do=edit&name=ours", "?do=add", "?do=preview"):
        page = site.get(f"{MATCHING}{query}", who).text
        assert "<bdi>ours</bdi>" in page
        assert 'method="post" action="/settings/matching' not in page
        assert "would change" not in page
    assert "Only owners and admins apply" in site.get(MATCHING, who).text
    assert "By ours" in section(tried(site, who, model="gpt-4o").text, "try")
    for do in ("add", "edit", "up", "on", "off", "delete", "apply"):
        assert site.send(f"{MATCHING}?do={do}&name=ours", who, **TYPED).status_code == 403
    assert names(site) == ["ours"]


def test_another_accounts_rules_are_not_there(site: CatalogSite) -> None:
    add(site, "ours")
    jobs.start(site.catalog, site.account_id, "rematch", 7, actor="t")
    page = site.get(MATCHING, CHARLIE).text
    assert "ours" not in page
    assert "Applying the rules" not in page
    assert "By no rule" in section(tried(site, CHARLIE, model="gpt-4o").text, "try")
    for do in ("edit", "up", "down", "on", "off", "delete"):
        assert site.send(f"{MATCHING}?do={do}&name=ours", CHARLIE, **TYPED).status_code == 404
    assert names(site) == ["ours"]


def test_a_form_without_the_sessions_token_does_nothing(site: CatalogSite) -> None:
    add(site, "ours")
    assert site.send(f"{MATCHING}?do=delete&name=ours", ADA, csrf_token="wrong").status_code == 403
    assert names(site) == ["ours"]


def test_names_and_patterns_are_text(site: CatalogSite) -> None:
    add(site, 'a"><script>', conditions={"model": "<b>*"}, outcomes={"model": "<i>"})
    page = tried(site, model="<b>x").text
    for raw in ("<script>'", "<b>", "<i>"):
        assert raw not in page.replace('<script type="module"', "")
    assert "rule-a%22%3E%3Cscript%3E" in page


patterns = st.lists(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12).map(str.strip),
    max_size=6,
    unique=True,
)


@given(patterns)
def test_what_a_field_shows_of_patterns_is_read_as_the_same_patterns(found: list[str]) -> None:
    assert patterns_of(text_of(found)) == found


@given(st.text(max_size=60))
def test_any_text_is_read_as_patterns(typed: str) -> None:
    found = patterns_of(typed)
    assert len(set(found)) == len(found)
    assert patterns_of(text_of(found)) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", []),
        (" , \n,", []),
        ("a, b\nc\r\nd", ["a", "b", "c", "d"]),
        ('""', [""]),
        ('a, "" ,b', ["a", "", "b"]),
        ('"a,b"', ["a,b"]),
        ('"say ""hi"""', ['say "hi"']),
        ('odd "100%" name', ['odd "100%" name']),
        ('"unclosed, b', ['"unclosed', "b"]),
        ("a,a", ["a"]),
    ],
)
def test_patterns_stand_in_lines_or_between_commas(typed: str, found: list[str]) -> None:
    assert patterns_of(typed) == found


def test_the_audit_log_knows_who_started_it(site: CatalogSite) -> None:
    site.send(f"{MATCHING}?do=apply", ADA)
    after_job(site)
    entries = audit.list_entries(site.catalog, site.account_id, AuditFilter(action="rematch.start"))
    assert [entry.actor for entry in entries] == [ADA]
