"""The catalog as a file: what is exported can be applied, all of it or nothing, and applied again it changes nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from sqlalchemy import select

from modeltraces.catalog import accounts, audit, connections, model_edits
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.file.applying import Applied, apply
from modeltraces.catalog.file.credentials import Credentials
from modeltraces.catalog.file.lines import line_of
from modeltraces.catalog.file.problems import BadFile
from modeltraces.catalog.file.reading import decode
from modeltraces.catalog.file.writing import export_text
from modeltraces.catalog.hosting import hardware, ledger
from modeltraces.catalog.hosting.intervals import Interval
from modeltraces.catalog.models import ModelEntry, ModelRegistry, SeenModel
from modeltraces.catalog.tables import AccountRow
from modeltraces.catalog.vault import Vault
from tests.catalog.cast import Cast, Clock
from tests.catalog.file_strategies import catalogs, document

VAULT = Vault(b"a secret of this test")
FULL = """
[[hardware]]
name = "H100"
credits_per_replica_hour = 2.5

[[connections]]
name = "azure-eu"
provider = "azure"
protocol = "azure_openai"
base_url = "https://eu.example.com/openai/"
models = ["gpt-4o"]

[[models]]
name = "gpt-4o"
kind = "external"

[[models]]
name = "llama-3-8b"
kind = "open_source"
base_model = "meta/llama-3"
merged = ["llama3"]

[[models.deployments]]
version = "v1"
hardware = "H100"
endpoint = "http://10.0.0.1:8000/v1"
events = [
  { type = "deploy", on = 2025-11-01T10:00:00Z, replicas = 2 },
  { type = "scale", on = 2025-11-01T14:00:00+02:00, replicas = 4 },
  { type = "undeploy", on = 2025-11-01T13:00:00Z },
]
"""


def no_vault() -> Vault:
    raise AssertionError("no credential was asked for")


@pytest.fixture
def account_id(cast: Cast) -> str:
    return cast.account_a.id


@pytest.fixture
def apply_file(catalog: Catalog, account_id: str) -> Callable[..., Applied]:
    def applied(text: str, **options: bool) -> Applied:
        return apply(catalog, account_id, text, Credentials(Path(), no_vault), actor="cli", **options)

    return applied


def exported(catalog: Catalog, account_id: str) -> str:
    with catalog.session() as session:
        return export_text(session, account_id)


def traces(catalog: Catalog, account_id: str) -> tuple[int, int | None]:
    """What any change would leave: entries in the log, and the revision."""
    with catalog.session() as session:
        revision = session.scalar(select(AccountRow.models_revision).where(AccountRow.id == account_id))
    return len(audit.list_entries(catalog, account_id, limit=10_000)), revision


def problems(refused: pytest.ExceptionInfo[BadFile]) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.text) for problem in refused.value.problems]


def entries(catalog: Catalog, account_id: str) -> list[dict[str, Any]]:
    """The models of an account, without what only time and runs say of them."""
    return [_said(entry) for entry in ModelRegistry(catalog).list_models(account_id, archived=True)]


def _said(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "base_model": entry.base_model,
        "provider": entry.provider,
        "archived": entry.archived,
        "merged": entry.merged,
        "deployments": [
            (
                replace(one, created_on_us=0, events=()),
                tuple(event.event for event in one.events if not event.struck_on_us),
            )
            for one in entry.deployments
        ],
    }


def test_a_file_is_applied_whole_and_says_what_it_does(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    assert apply_file(FULL).changes == (
        "+ hardware H100 at 2.5 credits per replica-hour",
        "+ connection azure-eu (azure_openai, https://eu.example.com/openai)",
        "+ model gpt-4o (external)",
        "+ model llama-3-8b (open_source)",
        "+ model llama3 (open_source), merged into llama-3-8b",
        "+ deployment llama-3-8b@v1 on H100",
        "+ event llama-3-8b@v1: deploy to 2 replicas at 2025-11-01T10:00:00Z",
        "+ event llama-3-8b@v1: scale to 4 replicas at 2025-11-01T12:00:00Z",
        "+ event llama-3-8b@v1: undeploy at 2025-11-01T13:00:00Z",
    )
    llama = ModelRegistry(catalog).get_model(account_id, "llama3")
    assert llama is not None
    assert (llama.name, llama.base_model, llama.merged) == ("llama-3-8b", "meta/llama-3", ("llama3",))
    hour, start = 3_600_000_000, 1_761_991_200_000_000
    assert llama.deployments[0].intervals == (
        Interval(start, start + 2 * hour, 2, Decimal("2.5"), "H100"),
        Interval(start + 2 * hour, start + 3 * hour, 4, Decimal("2.5"), "H100"),
    )
    actors = {(entry.actor, entry.action) for entry in audit.list_entries(catalog, account_id)}
    assert {("cli", "hardware.add"), ("cli", "connection.add"), ("cli", "deployment.scale")} <= actors


def test_applied_again_it_changes_nothing_and_leaves_no_trace(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(FULL)
    before = traces(catalog, account_id)
    for text in (FULL, exported(catalog, account_id)):
        for options in ({}, {"dry_run": True}, {"allow_removal": True}):
            assert apply_file(text, **options) == Applied((), ())
    assert traces(catalog, account_id) == before


def test_a_dry_run_says_the_same_and_leaves_no_trace(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    before = traces(catalog, account_id)
    foreseen = apply_file(FULL, dry_run=True)
    assert traces(catalog, account_id) == before
    assert entries(catalog, account_id) == []
    assert foreseen == apply_file(FULL)


def test_another_account_neither_sees_nor_feels_it(
    catalog: Catalog, cast: Cast, apply_file: Callable[..., Applied]
) -> None:
    before = traces(catalog, cast.account_b.id)
    apply_file(FULL)
    assert entries(catalog, cast.account_b.id) == []
    assert traces(catalog, cast.account_b.id) == before
    assert "[[" not in exported(catalog, cast.account_b.id)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One database for many examples, each in accounts of its own."""
    opened = Catalog(f"sqlite:///{tmp_path_factory.mktemp('shared')}/catalog.db", clock=Clock())
    opened.upgrade()
    yield opened
    opened.close()


NUMBERS = count()


def new_account(catalog: Catalog) -> str:
    return accounts.ensure(catalog, f"account {next(NUMBERS)}", actor="test")[0].id


@given(held=catalogs())
@example(held={"models": [{"name": "a\nb", "kind": "external", "merged": [" edge "]}]})
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_an_export_is_a_fixed_point_and_makes_the_same_catalog_elsewhere(shared: Catalog, held: dict[str, Any]) -> None:
    here, there = new_account(shared), new_account(shared)
    apply(shared, here, document(held), Credentials(Path(), no_vault), actor="cli")
    text = exported(shared, here)
    before = traces(shared, here)
    for again in (text, document(held)):
        assert apply(shared, here, again, Credentials(Path(), no_vault), actor="cli") == Applied((), ())
    assert traces(shared, here) == before

    apply(shared, there, text, Credentials(Path(), no_vault), actor="cli")
    assert exported(shared, there) == text
    assert entries(shared, there) == entries(shared, here)
    listed = [replace(one, created_on_us=0) for one in connections.list_connections(shared, here)]
    assert [replace(one, created_on_us=0) for one in connections.list_connections(shared, there)] == listed


def test_what_runs_brought_in_is_exported_with_its_names_as_they_are(
    catalog: Catalog, cast: Cast, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    seen = SeenModel("azure", "", 1, {"v1", "x" * 300}, {"azure-eu", "line\nbreak"})
    ModelRegistry(catalog).ensure(account_id, {" gpt\t4o ": seen, "n" * 400: seen, "e\u0301": seen})
    text = exported(catalog, account_id)
    assert apply_file(text) == Applied((), ())
    apply(catalog, cast.account_b.id, text, Credentials(Path(), no_vault), actor="cli")
    assert exported(catalog, cast.account_b.id) == text
    assert entries(catalog, cast.account_b.id) == entries(catalog, account_id)


def test_prices_of_the_past_survive_a_move_to_another_account(
    catalog: Catalog, cast: Cast, account_id: str, clock: Clock, apply_file: Callable[..., Applied]
) -> None:
    apply_file(FULL)
    clock.advance(3600)
    later = FULL.replace("credits_per_replica_hour = 2.5", "credits_per_replica_hour = 4")
    assert apply_file(later).changes == ("~ hardware H100: credits_per_replica_hour: 2.5 → 4",)
    text = exported(catalog, account_id)
    assert "replicas = 4, credits_per_replica_hour = 2.5" in text
    apply(catalog, cast.account_b.id, text, Credentials(Path(), no_vault), actor="cli")
    assert entries(catalog, cast.account_b.id) == entries(catalog, account_id)


def test_a_changed_file_changes_what_it_says_and_no_more(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(FULL)
    changed = (
        FULL.replace("https://eu.example.com/openai/", "https://eu2.example.com")
        .replace('kind = "external"', 'kind = "external"\narchived = true')
        .replace('hardware = "H100"\nendpoint', 'hardware = ""\ncredits_per_replica_hour = 0.1\nendpoint')
        .replace('base_model = "meta/llama-3"\n', "")
        .replace(" },\n]", ' },\n  { type = "deploy", on = 2025-12-01T00:00:00Z },\n]')
    )
    assert apply_file(changed).changes == (
        '~ connection azure-eu: base_url: "https://eu.example.com/openai" → "https://eu2.example.com"',
        "~ model gpt-4o: archived: false → true",
        '~ deployment llama-3-8b@v1: hardware: "H100" → "", credits_per_replica_hour: "" → 0.1',
        "+ event llama-3-8b@v1: deploy to 1 replica at 2025-12-01T00:00:00Z",
    )
    llama = ModelRegistry(catalog).get_model(account_id, "llama-3-8b")
    assert llama is not None
    assert llama.base_model == "meta/llama-3"
    assert [one.credits_per_replica_hour for one in llama.deployments[0].intervals] == [
        Decimal("2.5"), Decimal("2.5"), Decimal("0.1"),
    ]  # fmt: skip


# What is not in the file.


def test_what_the_file_does_not_know_is_told_and_left_alone(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(FULL)
    ModelRegistry(catalog).ensure(account_id, {"by-itself": SeenModel("openai", "", 1, {"v3"}, {"seen"})})
    before = traces(catalog, account_id)
    assert apply_file("") == Applied(
        (),
        (
            "model by-itself",
            "model gpt-4o",
            "model llama-3-8b",
            "connection azure-eu",
            "connection seen",
            "hardware H100",
        ),
    )
    assert traces(catalog, account_id) == before


def test_with_leave_to_remove_it_removes_what_has_no_history(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    never_up = FULL.partition("events")[0]
    apply_file(never_up)
    keeps_a_model = '[[models]]\nname = "gpt-4o"\n'
    assert apply_file(keeps_a_model, dry_run=True, allow_removal=True).changes == (
        "- model llama-3-8b", "- connection azure-eu", "- hardware H100",
    )  # fmt: skip
    assert apply_file(never_up.partition("[[models.deployments]]")[0], allow_removal=True).changes == (
        "- deployment llama-3-8b@v1",
    )
    apply_file(keeps_a_model, allow_removal=True)
    assert [entry["name"] for entry in entries(catalog, account_id)] == ["gpt-4o"]
    assert connections.list_connections(catalog, account_id) == []
    assert hardware.list_hardware(catalog, account_id) == []
    removed = {entry.action for entry in audit.list_entries(catalog, account_id)}
    assert {"model.delete", "deployment.delete", "connection.delete", "hardware.remove"} <= removed


@pytest.mark.parametrize(
    ("seen_by", "file", "told"),
    [
        ("llama-3-8b", "[[models]]\nname = 'gpt-4o'", "the model llama-3-8b is not in the file and cannot be removed: it was hosted"),
        ("gpt-4o", FULL.replace("gpt-4o", "o1"), "the model gpt-4o is not in the file and cannot be removed: it has runs"),
        ("gpt-4o", FULL.partition("[[connections]]")[0], "azure-eu is not in the file and cannot be removed: runs came through it"),
        ("o1", FULL.replace("v1", "v2"), "llama-3-8b@v1 is not in the file and cannot be removed: it was hosted"),
        ("llama3", FULL.partition("[[models.deployments]]")[0] + "deployments = [{ version = 'v1' }]", "llama-3-8b@v0 is not in the file and cannot be removed: its model has runs"),
        ("o1", FULL.replace("H100", "A100").replace('hardware = "A100"', ""), "Deployments are on 'H100'"),
    ],
    ids=["hosted", "runs", "connection", "version hosted", "version of runs", "hardware"],
)  # fmt: skip
def test_with_leave_to_remove_it_refuses_to_remove_history(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], seen_by: str, file: str, told: str
) -> None:
    apply_file(FULL)
    apply_file('[[models]]\nname = "llama-3-8b"\ndeployments = [{ version = "v0", upstream_model = "llama" }]')
    ModelRegistry(catalog).ensure(account_id, {seen_by: SeenModel("openai", "", 1, connection_names={"azure-eu"})})
    before = traces(catalog, account_id)
    with pytest.raises(BadFile) as refused:
        apply_file(file, allow_removal=True)
    assert any(line is None and told in text for line, text in problems(refused)), problems(refused)
    assert traces(catalog, account_id) == before


def test_what_runs_brought_in_is_never_removed(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    seen = SeenModel("openai", "", 1, {"v3"}, {"seen"})
    ModelRegistry(catalog).ensure(account_id, {"by-itself": seen, "known": seen})
    applied = apply_file('[[models]]\nname = "known"\nkind = "open_source"\n', allow_removal=True)
    assert applied.left == ("model by-itself", "deployment known@v3", "connection seen")
    assert len(entries(catalog, account_id)) == 2


# Ledgers.

V1 = """[[models]]
name = "m"
kind = "open_source"
deployments = [{ version = "v1", credits_per_replica_hour = 1, events = [
%s
] }]
"""
DEPLOY = '{ type = "deploy", on = 2025-11-01T10:00:00Z, replicas = 2 },'
SCALE = '{ type = "scale", on = 2025-11-01T12:00:00Z, replicas = 4 },'
UNDEPLOY = '{ type = "undeploy", on = 2025-11-01T13:00:00Z },'


def test_an_event_that_the_file_lacks_is_struck_out_only_with_leave(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % f"{DEPLOY}\n{SCALE}\n{UNDEPLOY}")
    before = traces(catalog, account_id)
    fewer = V1 % f"{DEPLOY}\n{UNDEPLOY}"
    with pytest.raises(BadFile) as refused:
        apply_file(fewer)
    ((line, text),) = problems(refused)
    assert line == 4
    assert "m@v1: scale to 4 replicas at 2025-11-01T12:00:00Z" in text
    assert "--allow-removal" in text
    assert traces(catalog, account_id) == before
    assert apply_file(fewer, allow_removal=True).changes == (
        "- event m@v1: scale to 4 replicas at 2025-11-01T12:00:00Z",
    )
    model = ModelRegistry(catalog).get_model(account_id, "m")
    assert model is not None
    assert [one.replicas for one in model.deployments[0].intervals] == [2]
    assert [event.struck_by for event in model.deployments[0].events] == [None, "cli", None]
    assert apply_file(fewer) == Applied((), ())


def test_a_file_that_lists_no_events_leaves_the_ledger_alone(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % DEPLOY)
    silent = (V1 % "").replace(", events = [\n\n]", "")
    assert apply_file(silent, allow_removal=True) == Applied((), ())
    with pytest.raises(BadFile, match="deploy to 2 replicas"):
        apply_file(V1 % "")
    assert apply_file(V1 % "", allow_removal=True).changes == (
        "- event m@v1: deploy to 2 replicas at 2025-11-01T10:00:00Z",
    )


def test_events_may_be_entered_between_others_in_any_order(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % f"{DEPLOY}\n{SCALE}")
    # One by one neither could be: down at eleven, the scaling at twelve would make no sense.
    between = '{ type = "deploy", on = 2025-11-01T11:30:00Z },\n{ type = "undeploy", on = 2025-11-01T11:00:00Z },'
    apply_file(V1 % f"{SCALE}\n{between}\n{DEPLOY}")
    model = ModelRegistry(catalog).get_model(account_id, "m")
    assert model is not None
    assert [one.replicas for one in model.deployments[0].intervals] == [2, 1, 4]


def test_an_event_entered_elsewhere_and_then_put_into_the_file_is_the_same(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % DEPLOY)
    ledger.add_event(catalog, account_id, "m", "v1", "scale", replicas=4, on_us=1_761_998_400_000_000, actor="alice")
    assert apply_file(V1 % f"{DEPLOY}\n{SCALE}") == Applied((), ())


@pytest.mark.parametrize(
    ("events", "line", "told"),
    [
        (UNDEPLOY, 5, "it is not up at that time, so it cannot be undeployed"),
        (f"{SCALE}\n{DEPLOY}\n{DEPLOY.replace('10:00', '11:00')}", 7, "it is up already at that time"),
        (f"{DEPLOY}\n\n# again\n{DEPLOY}", 8, "another event at the same instant"),
        (DEPLOY.replace("2025", "2199"), 5, "lies in the future"),
        (DEPLOY.replace("2025", "1925"), 5, "before the year 2000"),
        (DEPLOY.replace("= 2 ", "= 0 "), 5, "whole number from 1"),
        (DEPLOY.replace("= 2 ", "= -1 "), 5, "whole number from 1"),
        (DEPLOY.replace("= 2 ", "= 2.0 "), 5, "must be a whole number"),
        (DEPLOY.replace("= 2 ", "= nan "), 5, "must be a whole number"),
        (DEPLOY.replace('"deploy"', '"deploi"'), 5, "type must be one of deploy, scale, undeploy"),
        (DEPLOY.replace("00Z", "00"), 5, "has no offset"),
        (DEPLOY.replace("2025-11-01T10:00:00Z", '"noon"'), 5, "must be a time such as"),
        (DEPLOY.replace("on =", "no ="), 5, "Did you mean 'on'?"),
        (f"{DEPLOY}\n{UNDEPLOY.replace(' }', ', replicas = 1 }')}", 6, "replicas has no place in an undeploy"),
        (SCALE.replace(", replicas = 4", ""), 5, "replicas is missing"),
    ],
)
def test_events_that_cannot_be_are_refused_with_their_line(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], events: str, line: int, told: str
) -> None:
    before = traces(catalog, account_id)
    with pytest.raises(BadFile) as refused:
        apply_file(V1 % events, allow_removal=True)
    assert any(at == line and told in text for at, text in problems(refused)), problems(refused)
    assert traces(catalog, account_id) == before


# Merges and kinds.


def two_models(second: str, version: str = "v2", kind: str = "open_source") -> str:
    return f"""
[[models]]
name = "m"
kind = "open_source"
deployments = [{{ version = "v1", events = [{DEPLOY}] }}]
{second}
[[models]]
name = "n"
kind = "{kind}"
deployments = [{{ version = "{version}", events = [{SCALE.replace("scale", "deploy")}] }}]
"""


AS_ONE = """
[[models]]
name = "m"
merged = ["n"]
"""


def test_a_file_merges_models_that_were_two_and_their_deployments_with_them(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(two_models(""))
    listed = f"{AS_ONE}deployments = [{{ version = 'v1' }}, {{ version = 'v2', events = [{SCALE.replace('scale', 'deploy')}] }}]"
    assert apply_file(listed).changes == ("+ merge of n into m",)
    (model,) = entries(catalog, account_id)
    assert (model["merged"], len(model["deployments"])) == (("n",), 2)
    assert apply_file(listed) == Applied((), ())
    assert apply_file(exported(catalog, account_id)) == Applied((), ())


@pytest.mark.parametrize(
    ("account", "told"),
    [
        (two_models("", version="v1"), "Both have a hosted version 'v1'"),
        (
            two_models("").replace('"n"\nkind = "open_source"', '"n"\nkind = "fine_tuned"'),
            "Make them of one kind first",
        ),
        ('[[models]]\nname = "x"\nkind = "open_source"\nmerged = ["n"]', "n is merged into x in this account"),
    ],
)
def test_a_merge_that_cannot_be_is_refused_with_its_line(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied], account: str, told: str
) -> None:
    apply_file(account)
    before = traces(catalog, account_id)
    with pytest.raises(BadFile) as refused:
        apply_file(AS_ONE.replace("merged", "kind = 'open_source'\nmerged"))
    ((line, text),) = problems(refused)
    assert (line, told in text) == (5, True), text
    assert traces(catalog, account_id) == before


def test_a_merge_is_taken_back_only_with_leave(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file('[[models]]\nname = "m"\nkind = "external"\nmerged = ["n", "o"]')
    fewer = '[[models]]\nname = "m"\nmerged = ["n"]'
    assert apply_file(fewer) == Applied((), ("merge of o into m",))
    assert apply_file(fewer, allow_removal=True).changes == ("- merge of o into m",)
    assert [(one["name"], one["merged"]) for one in entries(catalog, account_id)] == [("m", ("n",)), ("o", ())]


def test_a_merged_model_cannot_be_one_of_its_own_in_the_file(apply_file: Callable[..., Applied]) -> None:
    apply_file(FULL)
    with pytest.raises(BadFile, match="line 2: llama3 is merged into llama-3-8b in this account"):
        apply_file('[[models]]\nname = "llama3"\nkind = "open_source"', allow_removal=True)


def test_a_kind_that_runs_suggested_is_settled_by_the_file_that_says_it(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    registry = ModelRegistry(catalog)
    registry.ensure(account_id, {"gpt-4o": SeenModel("openai", "", 1)})
    assert apply_file(exported(catalog, account_id)) == Applied((), ())
    settled = '[[models]]\nname = "gpt-4o"\nkind = "external"'
    assert apply_file(settled).changes == ('~ model gpt-4o: kind is "external" for good (it was inferred)',)
    assert apply_file(settled) == Applied((), ())
    assert audit.list_entries(catalog, account_id)[0].after == {
        "name": "gpt-4o", "kind": "external", "base_model": "", "provider": "openai", "archived": False,
        "kind_is_inferred": False,
    }  # fmt: skip


def test_a_hosted_model_becomes_external_only_when_its_events_are_struck_out(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(V1 % DEPLOY)
    external = (V1 % "").replace("open_source", "external")
    with pytest.raises(BadFile, match="line 4: m is external"):
        apply_file((V1 % DEPLOY).replace("open_source", "external"))
    with pytest.raises(BadFile, match="--allow-removal"):
        apply_file(external)
    apply_file(external, allow_removal=True)
    assert entries(catalog, account_id)[0]["kind"] == "external"


def test_a_name_that_runs_of_another_model_bear_is_refused(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    ModelRegistry(catalog).ensure(account_id, {"old": SeenModel("openai", "", 1)})
    model_edits.edit(catalog, account_id, "old", {"name": "new"}, actor="alice")
    with pytest.raises(BadFile, match="line 1: Runs that bear the name 'old' are counted as new's"):
        apply_file('[[models]]\nname = "old"\nkind = "external"')


# Credentials.


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


# What is wrong with a file.


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
