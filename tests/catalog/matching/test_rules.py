"""What rules make of a run, and what the catalog implies without any."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog.connections import Connection
from modeltraces.catalog.hosting.intervals import Interval
from modeltraces.catalog.matching.implied import implied_rules
from modeltraces.catalog.matching.rules import Rule, RuleSet, address_of, apply, match, server_address, unmatch
from modeltraces.catalog.model_entries import DeploymentEntry, ModelEntry
from modeltraces.run import Run
from tests.catalog.matching.test_past import rules_of, runs_of
from tests.query.runs import run


def entry(
    name: str, *deployments: DeploymentEntry, kind: str = "open_source", recorded: tuple[str, ...] = ()
) -> ModelEntry:
    return ModelEntry(
        name, name, kind, "", "", deployments, (), 1, recorded or (name,), 1, False  # type: ignore[arg-type]
    )  # fmt: skip


def connection(name: str, base_url: str, *models: str, archived: bool = False) -> Connection:
    return Connection(name, "", "openai", base_url, models or ("*",), True, 1, archived)


def up(version: str, *spans: tuple[int, int | None], endpoint: str = "") -> DeploymentEntry:
    return DeploymentEntry(
        version, 1, endpoint=endpoint, intervals=tuple(Interval(start, end, 1, None) for start, end in spans)
    )


def version_of(rules: list[Rule], model: str, at: int, address: str = "") -> str:
    return match(rules, {"model": model, "server_address": address}, at).deployment_version


@given(runs_of, rules_of)
def test_applying_again_changes_nothing_and_taking_out_gives_back(
    values: list[dict[str, object]], rules: RuleSet
) -> None:
    for fields in values:
        made: Run = run("a", **fields)  # type: ignore[arg-type]
        sent = dataclasses.replace(made)
        apply(rules, made)
        once = dataclasses.replace(made)
        apply(rules, made)
        assert made == once
        unmatch(made)
        assert made == sent


def test_the_first_rule_that_is_met_decides_and_the_others_only_fill() -> None:
    rules = [
        Rule("one", (("model", ("gpt*",)), ("provider", ("",))), (("model", "a"),)),
        Rule("two", (("model", ("*",)),), (("model", "b"), ("deployment_version", "v9"))),
        Rule("fill", (("model", ("a",)),), (("deployment_version", "v1"),), only_fills=True),
    ]
    found = match(rules, {"model": "GPT-4o"}, 0)
    assert (found.model, found.deployment_version, found.by) == ("a", "v1", "one + fill")
    found = match(rules, {"model": "GPT-4o", "provider": "azure"}, 0)
    assert (found.model, found.deployment_version, found.by) == ("b", "v9", "two")


def test_of_versions_in_turn_the_one_that_was_up_is_told_by_the_time() -> None:
    rules = implied_rules([entry("llama", up("v1", (10, 20)), up("v2", (15, 30), (40, None)))], [])
    assert [version_of(rules, "llama", at) for at in (9, 10, 14, 15, 19, 20, 29, 30, 39, 40, 10**9)] == [
        "", "v1", "v1", "", "", "v2", "v2", "", "", "v2", "v2",
    ]  # fmt: skip


def test_an_endpoint_tells_versions_apart_that_are_up_at_once() -> None:
    model = entry(
        "llama", up("v1", (1, None), endpoint="http://a:8000/v1"), up("v2", (1, None), endpoint="https://b/v1")
    )
    rules = implied_rules([model], [])
    assert version_of(rules, "llama", 5, "a:8000") == "v1"
    assert version_of(rules, "llama", 5, "b") == version_of(rules, "llama", 5, "b:443") == "v2"
    assert version_of(rules, "llama", 5, "a") == "", "another port of that host may be another server"
    assert version_of(rules, "other", 5, "a:8000") == ""
    doubled = [up("v1", (1, None), endpoint="http://a:8000/v1")] * 2
    rules = implied_rules([entry("llama", *doubled, up("v2", (1, None), endpoint="https://b/v1"))], [])
    assert version_of(rules, "llama", 5, "a:8000") == "v1", "two that a merge brought together"


def test_a_connection_is_told_by_its_address_or_by_the_model_that_it_alone_reaches() -> None:
    gpt = entry("gpt-4o", kind="external")
    rules = implied_rules(
        [gpt], [connection("eu", "https://eu.example.com/v1"), connection("us", "https://us.example.com")]
    )
    assert match(rules, {"model": "x", "server_address": "eu.example.com"}, 0).connection_name == "eu"
    assert match(rules, {"model": "gpt-4o"}, 0).connection_name == "", "both may reach it"
    rules = implied_rules([gpt], [connection("eu", "https://eu.example.com/v1", "gpt-4o")])
    assert match(rules, {"model": "gpt-4o"}, 0).connection_name == "eu"
    rules = implied_rules([gpt], [connection("eu", "https://eu.example.com/v1", "gpt-4o", archived=True)])
    assert match(rules, {"model": "gpt-4o"}, 0).connection_name == ""


def test_an_empty_catalog_implies_nothing() -> None:
    assert implied_rules([], []) == []
    assert implied_rules([entry("m"), entry("e", kind="external")], []) == []


def test_a_star_in_a_models_name_is_no_pattern() -> None:
    rules = implied_rules([entry("*", up("v1", (1, None)))], [])
    assert version_of(rules, "llama", 5) == ""


@pytest.mark.parametrize(
    ("attributes", "address"),
    [
        ({}, ""),
        ({"server.address": "API.example.com.", "server.port": "443"}, "api.example.com:443"),
        ({"server.address": "api.example.com"}, "api.example.com"),
        ({"server.address": "https://api.example.com/v1"}, "api.example.com:443"),
        ({"server.address": "::1", "server.port": "8000"}, "[::1]:8000"),
        ({"server.address": "h", "server.port": "no"}, "h"),
        # Both as one, as gateways of old wrote it, and others do.
        ({"server.address": "LLM.internal:8000"}, "llm.internal:8000"),
        ({"server.address": "llm.internal:8000", "server.port": "8000"}, "llm.internal:8000"),
        ({"server.address": "h:no"}, "[h:no]"),
        ({"server.address": "fe80::1"}, "[fe80::1]"),
        ({"net.peer.name": "old", "net.peer.port": "80"}, "old:80"),
        ({"gen_ai.openai.api_base": "http://llm:8000/v1"}, "llm:8000"),
        ({"url.full": "nonsense", "http.url": "https://x/y"}, "x:443"),
        ({"url.full": "https://[bad/"}, ""),
    ],
)
def test_the_server_is_read_from_what_emitters_write(attributes: dict[str, str], address: str) -> None:
    assert server_address(attributes) == address


@given(st.text())
def test_any_text_is_an_address_or_none(text: str) -> None:
    assert isinstance(address_of(text), str)
    assert isinstance(server_address({"server.address": text, "server.port": text}), str)
