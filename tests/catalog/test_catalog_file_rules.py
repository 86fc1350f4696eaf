"""The catalog as a file: the rules of matching, whose order counts."""

from collections.abc import Callable

import pytest

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.file.applying import Applied
from modeltraces.catalog.file.problems import BadFile
from modeltraces.catalog.file.shape import ConditionsPart, OutcomesPart
from modeltraces.catalog.matching import book
from modeltraces.catalog.matching.rules import FACTS, OUTCOMES
from modeltraces.catalog.matching.written import WrittenRule
from tests.catalog.catalog_files import exported, problems, traces
from tests.catalog.model_world import known

TWO = """
[[rules]]
name = "eu"
conditions = { server_address = ["eu.example.com", "*.eu.example.com"], connection_name = "" }
outcomes = { connection_name = "azure-eu" }

[[rules]]
name = "old names"
enabled = false

[rules.conditions]
model = "llama*"

[rules.outcomes]
model = "llama-3-8b"
deployment_version = "v1"
"""


@pytest.fixture(autouse=True)
def has_what_they_give(catalog: Catalog, account_id: str) -> None:
    for outcomes in (
        {"connection_name": "azure-eu"},
        {"model": "llama-3-8b", "deployment_version": "v1"},
        {"model": "m"},
    ):
        known(catalog, account_id, outcomes)


def rule(name: str) -> str:
    return f'[[rules]]\nname = "{name}"\nconditions = {{ model = "{name}*" }}\noutcomes = {{ model = "m" }}\n'


def names(catalog: Catalog, account_id: str) -> list[str]:
    return [one.name for one in book.list_rules(catalog, account_id)]


def test_a_file_can_say_of_rules_all_that_there_is_to_say() -> None:
    assert tuple(ConditionsPart.model_fields) == FACTS
    assert tuple(OutcomesPart.model_fields) == OUTCOMES


def test_rules_come_from_the_file_and_go_back_into_one(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    assert apply_file(TWO).changes == (
        '+ rule eu: { server_address = ["eu.example.com", "*.eu.example.com"], connection_name = [""] }'
        ' → { connection_name = "azure-eu" }',
        '+ rule old names: { model = ["llama*"] } → { model = "llama-3-8b", deployment_version = "v1" }, not enabled',
    )
    assert book.list_rules(catalog, account_id) == [
        WrittenRule(
            "eu",
            {"server_address": ["eu.example.com", "*.eu.example.com"], "connection_name": [""]},
            {"connection_name": "azure-eu"}, True, 1,
        ),
        WrittenRule("old names", {"model": ["llama*"]}, {"model": "llama-3-8b", "deployment_version": "v1"}, False, 2),
    ]  # fmt: skip
    before, text = traces(catalog, account_id), exported(catalog, account_id)
    for options in ({}, {"dry_run": True}, {"allow_removal": True}):
        assert apply_file(text, **options).changes == apply_file(TWO, **options).changes == ()
    assert traces(catalog, account_id) == before
    assert apply_file(TWO.replace("enabled = false", "").replace('"llama*"', '["llama*", "l3"]')).changes == (
        '~ rule old names: conditions: { model = ["llama*"] } → { model = ["llama*", "l3"] }, enabled: false → true',
    )


def test_the_rules_of_the_file_come_first_and_in_its_order(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(rule("x") + rule("a") + rule("b"))
    applied = apply_file(rule("b") + rule("new") + rule("a"))
    assert applied.changes == (
        '+ rule new: { model = ["new*"] } → { model = "m" }',
        "~ order of the rules: b, new, a, x",
    )
    assert applied.left[-1] == "rule x"
    assert names(catalog, account_id) == ["b", "new", "a", "x"]
    newest = audit.list_entries(catalog, account_id, limit=1)[0]
    assert (newest.action, newest.object) == ("match_rule.order", "rules")
    assert newest.before == {"order": ["x", "a", "b", "new"]}
    assert newest.after == {"order": ["b", "new", "a", "x"]}
    assert apply_file(rule("b") + rule("newer") + rule("new") + rule("a")).changes == (
        '+ rule newer: { model = ["newer*"] } → { model = "m" }',
    )
    assert names(catalog, account_id) == ["b", "newer", "new", "a", "x"]
    before = traces(catalog, account_id)
    assert apply_file("").changes == ()
    assert traces(catalog, account_id) == before


def test_with_leave_to_remove_it_removes_the_rules_that_the_file_lacks(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    apply_file(rule("x") + rule("a") + rule("b"))
    assert apply_file(rule("a") + rule("y"), allow_removal=True).changes == (
        '+ rule y: { model = ["y*"] } → { model = "m" }',
        "- rule x",
        "- rule b",
    )
    assert names(catalog, account_id) == ["a", "y"]
    assert [one.position for one in book.list_rules(catalog, account_id)] == [1, 2]


@pytest.mark.parametrize(
    ("find", "replacement", "line", "told"),
    [
        ("[[rules]]", "[[rulez]]", 2, "unknown table 'rulez' in the file. Did you mean 'rules'?"),
        ("server_address", "server_adress", 4, "unknown key 'server_adress' in [rules.conditions]. Did you mean 'server_address'?"),
        ("deployment_version =", "deployment =", 16, "unknown key 'deployment' in [rules.outcomes]. Did you mean"),
        ("enabled = false", 'enabled = "no"', 9, "enabled must be true or false"),
        ('"llama*"', "[]", 12, "model must be a text of up to 512 characters or a list of up to 100"),
        ('"llama*"', '"  "', 12, 'model has a pattern of only spaces. For what a recording does not say, give "".'),
        ('"llama*"', '"' + "x" * 513 + '"', 12, "model must be a text of up to 512 characters"),
        ('model = "llama-3-8b"', 'model = "' + "x" * 513 + '"', 15, "at most 512 characters"),
        ('outcomes = { connection_name = "azure-eu" }', "outcomes = {}", 2, "outcomes must name at least one of model"),
        ('outcomes = { connection_name = "azure-eu" }', "outcomes = 3", 5, "rules.outcomes must be a table."),
        ('outcomes = { connection_name = "azure-eu" }', "", 2, "[[rules]] lacks 'outcomes'."),
        ('connection_name = "azure-eu"', 'connection_name = "azure-ue"', 5, "There is no connection 'azure-ue'. Did you mean azure-eu?"),
        ('deployment_version = "v1"', 'deployment_version = "v3"', 16, "There is no deployment 'v3' of llama-3-8b. It has v1."),
        ('name = "old names"', 'name = "eu"', 8, "the rule 'eu' is in the file twice."),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_told_with_its_line_and_nothing_is_applied(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied],
    find: str, replacement: str, line: int, told: str,
) -> None:  # fmt: skip
    changed = TWO.replace(find, replacement) if find == "[[rules]]" else TWO.replace(find, replacement, 1)
    with pytest.raises(BadFile) as refused:
        apply_file(changed)
    at, text = problems(refused)[0]
    assert told in text
    assert at == line
    assert names(catalog, account_id) == []


def test_a_rule_may_give_what_the_same_file_brings(
    catalog: Catalog, account_id: str, apply_file: Callable[..., Applied]
) -> None:
    brought = """
[[rules]]
name = "new"
conditions = { model = "*" }
outcomes = { model = "fresh", deployment_version = "v1", connection_name = "fresh" }

[[connections]]
name = "fresh"
protocol = "openai"
base_url = "https://fresh.example.com"

[[models]]
name = "fresh"
kind = "open_source"
deployments = [{ version = "v1" }]
"""
    apply_file(brought, dry_run=True)
    apply_file(brought)
    assert names(catalog, account_id) == ["new"]
