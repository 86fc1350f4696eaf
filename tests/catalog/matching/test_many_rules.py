"""Matching in a large catalog, and with patterns that somebody made to be slow: it stays cheap, and says the same."""

import time
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog.hosting.intervals import Interval
from modeltraces.catalog.matching.implied import implied_rules
from modeltraces.catalog.matching.past import differences
from modeltraces.catalog.matching.rules import Fact, Rule, RuleSet, match
from modeltraces.catalog.model_entries import DeploymentEntry, ModelEntry
from modeltraces.run import Run
from modeltraces.store.engine import Store
from modeltraces.store.rows import insert_runs
from tests.catalog.matching.test_past import rules_of, runs_of
from tests.query.runs import NOON_US, SECOND_US, run


def large_catalog(models: int) -> RuleSet:
    """Each model has an endpoint, and two versions that were up one after the other."""
    entries = [
        ModelEntry(
            f"{number}", f"model-{number}", "open_source", "", "",
            tuple(
                DeploymentEntry(
                    version, 1, endpoint=f"http://{version}-{number}:8000",
                    intervals=(Interval(NOON_US + (2 * number + place) * SECOND_US, None, 1, None),)
                    if place else (Interval(NOON_US + 2 * number * SECOND_US, NOON_US + (2 * number + 1) * SECOND_US, 1, None),),
                )
                for place, version in enumerate(("v1", "v2"))
            ),
            (), 1, (f"org/model-{number}", f"model-{number}"), 1, False,
        )
        for number in range(models)
    ]  # fmt: skip
    return RuleSet(tuple(implied_rules(entries, [])))


@given(st.lists(runs_of, min_size=1, max_size=3), rules_of)
def test_a_set_of_rules_says_what_the_rules_say_one_after_the_other(
    values: list[list[dict[str, object]]], rules: RuleSet
) -> None:
    # As they stand in an account: those that are written first, and none that fills changes the model.
    fills = [
        Rule(rule.name, rule.conditions, tuple(one for one in rule.outcomes if one[0] != "model"), True)
        for rule in rules.rules
        if rule.only_fills
    ]
    written = [rule for rule in rules.rules if not rule.only_fills]
    for one in (rules, RuleSet((*written, *fills))):
        for fields in [fields for runs in values for fields in runs]:
            facts = cast(dict[Fact, str], fields)
            at = cast(int, fields["executed_on_us"])
            assert one.match(facts, at) == match(one.rules, facts, at)


@given(st.text("ab*", max_size=8), st.text("abC", max_size=8))
def test_a_star_stands_for_any_characters(pattern: str, text: str) -> None:
    def meant(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(meant(pattern[1:], text[start:]) for start in range(len(text) + 1))
        return text[:1] == pattern[0] and meant(pattern[1:], text[1:])

    rule = Rule("r", (("provider", (pattern,)),), (("model", "x"),))
    assert (match([rule], {"provider": text}, 0).model == "x") == meant(pattern, text.lower())


def test_a_pattern_of_many_stars_does_not_hold_everybody_up() -> None:
    rules = RuleSet((Rule("r", (("model", ("*a" * 100 + "*b",)),), (("model", "x"),)),))
    began = time.process_time()
    assert rules.match({"model": "a" * 500}, 0).model == "a" * 500
    assert rules.match({"model": "a" * 500 + "b"}, 0).model == "x"
    assert time.process_time() - began < 5, "it would take years to try all ways"


def test_two_thousand_models_are_told_apart_at_once() -> None:
    rules = large_catalog(2000)
    assert len(rules.rules) > 6000
    asked = [(f"org/MODEL-{number}", f"v2-{number}:8000") for number in range(2000)]
    began = time.process_time()
    found = [rules.match({"model": model, "server_address": server}, 0) for model, server in asked]
    took = time.process_time() - began
    assert {one.deployment_version for one in found} == {"v2"}
    # Asking all rules of each would be twelve million tests of a text.
    assert took < 2, took


@pytest.mark.parametrize("models", [0, 2000])
def test_past_runs_are_matched_again_whatever_the_number_of_hosted_intervals(
    store: Store, account_id: str, models: int
) -> None:
    rules = large_catalog(models)
    assert len(rules.bounds) >= models
    made: list[Run] = [
        run(account_id, number, model="model-7", executed_on_us=NOON_US + number * SECOND_US // 1000)
        for number in range(20_000)
    ]
    insert_runs(store, made)
    found = differences(store, account_id, rules)
    assert found.total == 20_000
    by_version: dict[str, int] = {}
    for group in found.groups:
        version = group.then.deployment_version
        by_version[version] = by_version.get(version, 0) + group.runs
    assert by_version == ({"v1": 1000, "v2": 5000} if models else {})
