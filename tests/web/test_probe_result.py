"""What a trial call found beside what it was expected to find."""

import pytest

from modeltraces.gateway.probe import Probe
from modeltraces.web.probe_result import probe_result

LISTED = ("gpt-4o-2024-11-20", "llama3:latest", "o3")


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        (("o3",), ()),
        (("ui-model", "o3"), ("ui-model",)),
        (("gpt-4o",), ()),
        (("llama3",), ()),
        (("gpt",), ("gpt",)),
        (("*",), ()),
        (("O3",), ("O3",)),
        ((), ()),
    ],
)
def test_what_is_named_and_not_listed_is_said_unless_the_list_has_it_by_a_date(
    wanted: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    assert probe_result(Probe(True, "It works.", models=LISTED), "openai", wanted).missing == missing


def test_of_many_some_are_shown() -> None:
    found = probe_result(Probe(True, "It works."), "openai", [f"m-{number}" for number in range(20)])
    assert (len(found.missing), found.more_missing) == (12, 8)


def test_nothing_is_missing_where_nothing_was_listed_or_other_names_are() -> None:
    assert probe_result(Probe(False, "No connection."), "openai", ("ui-model",)).missing == ()
    # Azure lists models, and is called by the names of deployments.
    assert probe_result(Probe(True, "It works.", models=LISTED), "azure_openai", ("my-deployment",)).missing == ()
