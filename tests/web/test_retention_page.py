"""Settings → Retention: who sees and changes what, what a shorter time asks first, and what is typed."""

import pytest

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.retention import sweeps
from modeltraces.catalog.retention.policy import Days, Said, read_policy
from modeltraces.run import now_us
from modeltraces.store.retention import Removed
from modeltraces.store.rows import insert_runs
from modeltraces.web.retention_words import days_of, days_typed, days_words, removed_words
from tests.query.runs import run
from tests.web.conftest import ADA, ALICE, BOB, CHARLIE, VERA, CatalogSite

RETENTION = "/settings/retention"
DAY = 86_400_000_000
SERVER = Days(90, 0)


def said(site: CatalogSite) -> tuple[Said, dict[str, Said]]:
    policy = read_policy(site.catalog, site.account_id, SERVER)
    return policy.account, dict(policy.models)


def old_run(site: CatalogSite, days: int, model: str = "gpt-4o") -> None:
    made = run(site.account_id, days, model=model, executed_on_us=now_us() - days * DAY - DAY // 2, input="hello")
    made.input_size = 5
    insert_runs(site.store, [made])


def test_an_owner_sets_days_and_a_shorter_time_asks_first_with_what_it_removes(site: CatalogSite) -> None:
    site.seen("gpt-4o")
    old_run(site, 40)
    old_run(site, 20)
    page = site.get(RETENTION).text
    assert "<strong>90 days</strong>" in page
    assert "as long as the run" in page
    assert site.send(f"{RETENTION}?do=account", runs="60", payloads="").status_code == 303
    asked = site.send(f"{RETENTION}?do=account", runs="30", payloads=" 10 days ")
    assert asked.status_code == 200
    assert "1 run, and 1 payload of a run that stays (10 B of text)" in asked.text
    assert 'name="confirmed" value="yes"' in asked.text
    assert said(site)[0] == Said(60, None), "nothing is set yet"
    assert site.send(f"{RETENTION}?do=account", runs="30", payloads="10 days", confirmed="yes").status_code == 303
    assert said(site)[0] == Said(30, 10)
    # What goes anyway is not asked again; a longer time never asks.
    assert site.send(f"{RETENTION}?do=account", runs="30", payloads="10").status_code == 303
    assert site.send(f"{RETENTION}?do=account", runs="For ever", payloads="").status_code == 303
    assert said(site)[0] == Said(0, None)
    assert "<strong>for ever</strong>" in site.get(RETENTION).text


def test_a_model_has_days_of_its_own_until_they_are_taken_back(site: CatalogSite) -> None:
    site.seen("a/b c")
    old_run(site, 20, "a/b c")
    assert "All models are kept as long as the account says" in site.get(RETENTION).text
    assert '<option value="a/b c">' in site.get(f"{RETENTION}?do=add").text
    asked = site.send(f"{RETENTION}?do=add", model="a/b c", runs="7", payloads="")
    assert "removes 1 run " in asked.text
    assert 'name="model" value="a/b c"' in asked.text
    answer = site.send(f"{RETENTION}?do=add", model="a/b c", runs="7", payloads="", confirmed="yes")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{RETENTION}#model-a%2Fb%20c")
    page = site.get(f"{RETENTION}?do=model&model=a%2Fb%20c").text
    assert 'id="model-a%2Fb%20c"' in page
    assert 'id="model-runs" name="runs" maxlength="40" value="7"' in page
    assert said(site)[1] == {"a/b c": Said(7, None)}
    assert site.send(f"{RETENTION}?do=remove&model=a%2Fb%20c").status_code == 303
    assert said(site)[1] == {}


@pytest.mark.parametrize(
    ("do", "fields", "status", "says"),
    [
        ("account", {"runs": "-1"}, 422, "Runs must be kept for 1 to 36,500 days"),
        ("account", {"payloads": "soon"}, 422, "Payloads must be kept for 1 to 36,500 days"),
        ("account", {"runs": "5", "payloads": "6"}, 422, "give fewer days for payloads"),
        ("account", {"payloads": "91"}, 422, "kept for 90 days"),
        ("add", {"model": "nobody", "runs": "5"}, 404, "has no model"),
        ("add", {"model": "", "runs": "5"}, 404, "has no model"),
        ("model&model=nobody", {"runs": "5"}, 404, "has no model"),
        ("remove&model=nobody", {}, 404, "has no model"),
    ],
)
def test_what_is_refused_says_why_and_keeps_what_was_typed(
    site: CatalogSite, do: str, fields: dict[str, str], status: int, says: str
) -> None:
    answer = site.send(f"{RETENTION}?do={do}", **fields)
    assert answer.status_code == status
    assert says in answer.text
    assert answer.text.count('role="alert"') == 1
    if "nobody" not in do:
        assert all(f'value="{value}"' in answer.text for value in fields.values() if value)
    assert said(site) == (Said(), {})


@pytest.mark.parametrize("who", [ADA, BOB, VERA])
def test_all_but_owners_see_what_is_kept_and_change_nothing(site: CatalogSite, who: str) -> None:
    page = site.get(f"{RETENTION}?do=add", who).text
    assert "<strong>90 days</strong>" in page
    assert "Only an owner changes it." in page
    assert f'action="{RETENTION}' not in page
    for do in ("account", "sweep", "add"):
        assert site.send(f"{RETENTION}?do={do}", who, runs="1").status_code == 403
    assert said(site) == (Said(), {})


def test_another_account_has_nothing_to_do_with_it(site: CatalogSite) -> None:
    site.seen("gpt-4o")
    assert site.send(f"{RETENTION}?do=add", CHARLIE, model="gpt-4o", runs="5").status_code == 404
    assert site.send(f"{RETENTION}?do=account", CHARLIE, runs="5").status_code == 303
    assert said(site) == (Said(), {})
    assert site.send(f"{RETENTION}?do=nothing", ALICE).status_code == 404


def test_the_last_sweep_says_what_it_removed_and_the_next_one_when(site: CatalogSite) -> None:
    assert "none yet" in site.get(RETENTION).text
    assert site.send(f"{RETENTION}?do=sweep").status_code == 303
    holder = sweeps.begin(site.catalog, 2)
    assert holder is not None
    assert "running since" in site.get(RETENTION).text
    sweeps.end(site.catalog, holder, {site.account_id: Removed(1200, 1, 5_000_000)}, "")
    page = site.get(RETENTION).text
    assert "removed 1\N{NARROW NO-BREAK SPACE}200 runs, and 1 payload of a run that stays (5.0 MB of text)." in page
    assert "found nothing of this account" in site.get(RETENTION, CHARLIE).text
    site.send(f"{RETENTION}?do=sweep")
    holder = sweeps.begin(site.catalog, 2)
    assert holder is not None
    sweeps.end(site.catalog, holder, {}, "the disk is full")
    assert "the disk is full" in site.get(RETENTION).text


def test_the_page_names_the_zone_of_its_times(site: CatalogSite) -> None:
    assert "Times in UTC." in site.get(RETENTION, zone="UTC").text
    assert "Times in Asia/Tokyo (UTC+9)." in site.get(RETENTION, zone="Asia/Tokyo").text


def test_days_are_typed_as_they_are_said() -> None:
    assert [days_of(text, "Runs") for text in ("", " ", "30", "1 day", "30 Days", "for ever", "ForEver", "0")] == [
        None, None, 30, 1, 30, 0, 0, 0
    ]  # fmt: skip
    for wrong in ("-1", "36501", "0000000000036501", "1.5", "٣", "9" * 400, "days"):
        with pytest.raises(Invalid, match="Runs must be kept for 1 to"):
            days_of(wrong, "Runs")
    assert [days_words(days) for days in (0, 1, 30)] == ["for ever", "1 day", "30 days"]
    assert [days_typed(days) for days in (None, 0, 30)] == ["", "for ever", "30"]
    assert removed_words(Removed()) == ""
    assert removed_words(Removed(0, 2, 0)) == "2 payloads of runs that stay"
