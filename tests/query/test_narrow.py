"""A filter that leaves no room for any run of a deployment leaves its hosting out, too; and only then."""

import pytest
from hypothesis import given

from modeltraces.query.filters import Filter, FilterContext, parse
from modeltraces.query.filters.narrow import may_match
from tests.query.filters import filters
from tests.query.naive import matches
from tests.query.runs import various_runs


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", True),
        ("status:failed response_time>2s", True),
        ("deployment_version:v2", True),
        ("deployment_version:V2", True),
        ("deployment_version:v*", True),
        ("deployment_version:v1", False),
        ("deployment_version:(v1 OR v3)", False),
        ("deployment_version:*", True),
        ("-deployment_version:v2", False),
        ("NOT deployment_version:v1", True),
        ("deployment_version:v1 OR status:failed", True),
        ("deployment_version:v1 OR deployment_version:v2", True),
        ("deployment_version:v1 status:failed", False),
        ("NOT (deployment_version:v2 status:failed)", True),
        ("model:llama*", True),
        ("model:gpt-4o", False),
        ("model_kind:open_source", True),
        ("model_kind:fine_tuned", False),
        ("connection_name:azure-eu", False),
        ("connection_name:*", False),
        ("refund", True),
    ],
)
def test_what_a_filter_leaves_of_a_deployment(text: str, left: bool) -> None:
    known = {
        "model": "llama-3-8b", "model_kind": "open_source", "deployment_version": "v2", "connection_name": "",
    }  # fmt: skip
    assert may_match(parse(text), known) is left


CONTEXT = FilterContext({"external": ["gpt-4o"], "open_source": ["llama-3"]})
KIND = {"gpt-4o": "external", "llama-3": "open_source"}
RUNS = various_runs("a", 60)


@given(filters)
def test_whatever_matches_a_run_leaves_its_deployment(filter: Filter) -> None:
    for run in RUNS:
        known = {
            "model": run.model,
            "model_kind": KIND.get(run.model, ""),
            "deployment_version": run.deployment_version,
            "connection_name": run.connection_name,
        }
        if matches(filter, run, CONTEXT):
            assert may_match(filter, known)
