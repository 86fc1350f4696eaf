"""The catalog as a file: what is exported can be applied, all of it or nothing, and applied again it changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from sqlalchemy import event

from modeltraces.catalog import accounts, audit, connections
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.file.applying import Applied, apply
from modeltraces.catalog.file.credentials import Credentials
from modeltraces.catalog.file.problems import BadFile
from modeltraces.catalog.hosting import hardware
from modeltraces.catalog.hosting.intervals import Interval
from modeltraces.catalog.matching import book
from modeltraces.catalog.models import ModelRegistry, SeenModel
from tests.catalog.cast import Cast, Clock
from tests.catalog.catalog_files import DEPLOY, FULL, UNDEPLOY, entries, exported, no_vault, problems, traces
from tests.catalog.file_strategies import catalogs, document
from tests.support.random_cases import examples


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
        "+ event llama-3-8b@v1: deploy to 2 replicas at 2025-11-01T10:00:00Z, at 2.5 credits per replica-hour",
        "+ event llama-3-8b@v1: scale to 4 replicas at 2025-11-01T12:00:00Z, at 2.5 credits per replica-hour",
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


def test_a_large_file_takes_few_statements(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    """While it is applied nobody else can change anything: 2,000 models, a statement for each thing, took 20 seconds."""
    models = "".join(
        f'[[models]]\nname = "m{number}"\nkind = "open_source"\ndeployments = [{{ version = "v1", hardware = "H100", '
        f"events = [{DEPLOY} {UNDEPLOY[:-1]}] }}]\n"
        for number in range(50)
    )
    statements: list[str] = []

    def count_it(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(catalog.engine, "before_cursor_execute", count_it)
    applied = apply_file(FULL.partition("[[connections]]")[0] + models)
    event.remove(catalog.engine, "before_cursor_execute", count_it)
    assert len(applied.changes) == 201
    assert len(statements) < 50, Counter(statements).most_common(3)
    log = audit.list_entries(catalog, account_id, limit=1_000)
    assert sum(entry.action.startswith(("model.", "deployment.")) for entry in log) == 200
    assert "m49@v1" in log[0].object


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
@settings(
    max_examples=examples(25, thorough=200),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
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
    assert book.list_rules(shared, there) == book.list_rules(shared, here)
    assert [rule.name for rule in book.list_rules(shared, here)] == [rule["name"] for rule in held.get("rules", [])]
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
        "+ event llama-3-8b@v1: deploy to 1 replica at 2025-12-01T00:00:00Z, at 0.1 credits per replica-hour",
    )
    llama = ModelRegistry(catalog).get_model(account_id, "llama-3-8b")
    assert llama is not None
    assert llama.base_model == "meta/llama-3"
    assert [one.credits_per_replica_hour for one in llama.deployments[0].intervals] == [
        Decimal("2.5"), Decimal("2.5"), Decimal("0.1"),
    ]  # fmt: skip


def test_what_stays_up_and_costs_is_told_when_its_model_is_archived(apply_file: Callable[..., Applied]) -> None:
    up = FULL.replace('  { type = "undeploy", on = 2025-11-01T13:00:00Z },\n', "")
    assert apply_file(up).warnings == ()
    archived = up.replace('kind = "open_source"', 'kind = "open_source"\narchived = true')
    told = ("llama-3-8b is archived, but 4 replicas of v1 are up and go on costing 10 credits an hour; undeploy what is no longer needed.",)  # fmt: skip
    assert apply_file(archived, dry_run=True).warnings == told
    assert apply_file(archived).warnings == told
    assert apply_file(archived).warnings == (), "it was said when it happened"


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
