"""How long what is kept: said by the server, an account or a model; and which process sweeps, and when."""

import pytest

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Invalid, NotFound
from modeltraces.catalog.model_edits import edit, merge
from modeltraces.catalog.models import ModelRegistry, SeenModel
from modeltraces.catalog.retention import sweeps
from modeltraces.catalog.retention.policy import (
    Days,
    change_policy,
    keep_of_all,
    preview_policy,
    read_policy,
)
from modeltraces.store.retention import Removed
from modeltraces.store.retention_limits import NEVER
from tests.catalog.cast import Cast, Clock

DAY = 86_400_000_000
HOUR = 3_600_000_000
FOR_EVER = Days()
ALICE = "alice@example.com"


def said(
    catalog: Catalog, account_id: str, server: Days = FOR_EVER, model: str | None = None, **days: int | None
) -> None:
    change_policy(
        catalog, account_id, {f"keep_{name}_days": value for name, value in days.items()}, server=server, actor=ALICE, model=model
    )  # fmt: skip


@pytest.mark.postgresql
def test_what_one_leaves_open_the_one_above_says(catalog: Catalog, registry: ModelRegistry, account_id: str) -> None:
    registry.ensure(account_id, {"gpt": SeenModel(), "llama": SeenModel()})
    server = Days(90, 30)
    assert read_policy(catalog, account_id, server).days == Days(90, 30)
    said(catalog, account_id, server, runs=0)
    assert read_policy(catalog, account_id, server).days == Days(0, 30)
    said(catalog, account_id, server, model="gpt", payloads=7)
    said(catalog, account_id, server, model="llama", runs=14)
    policy = read_policy(catalog, account_id, server)
    assert policy.days_of("gpt") == Days(0, 7)
    assert policy.days_of("llama") == Days(14, 14), "a payload goes with its run at the latest"
    said(catalog, account_id, server, runs=None)
    said(catalog, account_id, server, model="gpt", payloads=None)
    policy = read_policy(catalog, account_id, server)
    assert (policy.days, list(policy.models)) == (Days(90, 30), ["llama"])


def test_days_are_whole_and_payloads_are_not_kept_longer_than_runs(
    catalog: Catalog, registry: ModelRegistry, cast: Cast
) -> None:
    account_id = cast.account_a.id
    for wrong in (-1, 1.5, "30", True, 36_501):
        with pytest.raises(Invalid, match="from 1 to 36,500"):
            change_policy(catalog, account_id, {"keep_runs_days": wrong}, server=FOR_EVER, actor=ALICE)
    said(catalog, account_id, runs=30, payloads=30)
    with pytest.raises(Invalid, match="kept for 30 days: give fewer"):
        said(catalog, account_id, payloads=31)
    with pytest.raises(Invalid, match="kept for 7 days"):
        said(catalog, account_id, runs=7)
    with pytest.raises(Invalid):
        said(catalog, account_id, payloads=0)
    with pytest.raises(NotFound):
        said(catalog, account_id, model="nobody's", runs=7)
    registry.ensure(cast.account_b.id, {"theirs": SeenModel()})
    with pytest.raises(NotFound):
        said(catalog, account_id, model="theirs", runs=7)
    assert read_policy(catalog, account_id, FOR_EVER).days == Days(30, 30)
    assert read_policy(catalog, cast.account_b.id, FOR_EVER).days == FOR_EVER


def test_a_change_is_in_the_audit_log_and_a_preview_changes_nothing(catalog: Catalog, account_id: str) -> None:
    preview = preview_policy(catalog, account_id, {"keep_runs_days": 5}, server=FOR_EVER)
    assert preview.days == Days(5, 5)
    with pytest.raises(Invalid):
        preview_policy(catalog, account_id, {"keep_runs_days": 5, "keep_payloads_days": 6}, server=FOR_EVER)
    assert read_policy(catalog, account_id, FOR_EVER).days == FOR_EVER
    for _ in range(2):
        said(catalog, account_id, runs=5)
    entries = audit.list_entries(catalog, account_id, audit.AuditFilter(action="retention.*"))
    assert [(entry.actor, entry.before, entry.after) for entry in entries] == [
        (ALICE, {"keep_runs_days": None, "keep_payloads_days": None}, {"keep_runs_days": 5, "keep_payloads_days": None})
    ]


@pytest.mark.postgresql
def test_a_model_is_known_by_all_names_that_its_runs_bear(
    catalog: Catalog, registry: ModelRegistry, account_id: str, clock: Clock
) -> None:
    registry.ensure(account_id, {"gpt": SeenModel(), "old": SeenModel(), "other": SeenModel()})
    edit(catalog, account_id, "gpt", {"name": "GPT"}, actor=ALICE)
    merge(catalog, account_id, "old", "GPT", actor=ALICE)
    said(catalog, account_id, model="GPT", runs=10)
    keep = keep_of_all(catalog, Days(100), clock.now_us + 5 * HOUR)
    today = clock.now_us
    assert keep.runs.accounts[account_id] == today - 100 * DAY
    assert keep.runs.models == {(account_id, name): today - 10 * DAY for name in ("GPT", "gpt", "old")}
    assert keep.payloads.models == keep.runs.models
    assert keep.everybody == today - 100 * DAY
    said(catalog, account_id, runs=0)
    keep = keep_of_all(catalog, Days(100), clock.now_us)
    assert (keep.runs.accounts[account_id], keep.everybody) == (NEVER, NEVER)


@pytest.mark.postgresql
def test_one_process_sweeps_once_a_day_and_when_asked(
    catalog: Catalog, other_process: Catalog, cast: Cast, clock: Clock
) -> None:
    start = clock.now_us
    holder = sweeps.begin(catalog, 2)
    assert holder is not None, "there was none yet"
    assert sweeps.begin(other_process, 2) is None
    assert sweeps.latest(other_process, cast.account_a.id).runs_now
    clock.advance(60)
    assert sweeps.end(catalog, holder, {cast.account_a.id: Removed(3, 2, 100)}, "")
    assert sweeps.latest(catalog, cast.account_a.id).removed == Removed(3, 2, 100)
    assert sweeps.latest(catalog, cast.account_b.id).removed == Removed()
    assert sweeps.next_on(sweeps.latest(catalog, cast.account_a.id), 2, clock.now_us) == start + 2 * HOUR
    assert sweeps.begin(other_process, 2) is None
    clock.advance(2 * 3600)
    assert (second := sweeps.begin(other_process, 2)) is not None, "the hour has come"
    assert sweeps.end(other_process, second, {}, "")
    assert sweeps.begin(catalog, 2) is None
    clock.advance(1)
    sweeps.ask(catalog)
    assert sweeps.latest(catalog, cast.account_a.id).is_asked_for
    assert sweeps.begin(other_process, 2) is not None


def test_a_sweep_whose_process_is_gone_is_taken_over_and_a_failed_one_is_tried_again(
    catalog: Catalog, other_process: Catalog, cast: Cast, clock: Clock
) -> None:
    holder = sweeps.begin(catalog, 2)
    assert holder is not None
    clock.advance(sweeps.SILENT_SECONDS)
    assert sweeps.alive(catalog, holder)
    clock.advance(sweeps.SILENT_SECONDS + 1)
    assert "done again" in sweeps.latest(catalog, cast.account_a.id).error
    other = sweeps.begin(other_process, 2)
    assert other is not None
    assert not sweeps.alive(catalog, holder), "it was only slow, and learns that another is at it"
    assert not sweeps.end(catalog, holder, {cast.account_a.id: Removed(1)}, "")
    assert sweeps.end(other_process, other, {}, "the disk is full")
    assert sweeps.latest(catalog, cast.account_a.id).error == "the disk is full"
    assert sweeps.begin(catalog, 2) is None, "not at once"
    clock.advance(601)
    again = sweeps.begin(catalog, 2)
    assert again is not None
    sweeps.abandon(other_process)
    assert sweeps.begin(other_process, 2) not in (None, again), (
        "after a restart of the only process nobody is waited for"
    )
