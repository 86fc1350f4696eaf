"""What is answered from sums, held against what the runs themselves give."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

from modeltraces.query import totals
from modeltraces.query.filters import FilterContext
from modeltraces.query.metrics import Metrics, count_runs, metrics, requests_since_deployment
from modeltraces.query.selection import Selection
from modeltraces.query.series import series
from modeltraces.query.series_by import series_by
from modeltraces.run import Run
from modeltraces.store.coverage import US_PER_HOUR
from modeltraces.store.engine import Store
from tests.query.runs import DAY_US, NOON_US, run

MIDNIGHT_US = NOON_US - DAY_US // 2
HOURS = 80
HOSTED = ("m0", "m1")


@contextmanager
def run_by_run() -> Iterator[None]:
    with patch.object(totals, "summed", lambda *_: None), patch("modeltraces.query.metrics.summed", lambda *_: None):
        yield


def forget_all_sums(store: Store) -> None:
    for table in ("summaries", "summary_hours", "summary_days", "minute_sums", "minute_marks", "changed_hours"):
        store.command(f"TRUNCATE TABLE {table}")


def made(account_id: str, chance: Random, number: int, received_us: int, **fields: Any) -> Run:
    """Within the hours after MIDNIGHT_US, unless `executed_on_us` says when."""
    start = MIDNIGHT_US + chance.randrange(HOURS * US_PER_HOUR)
    return run(
        account_id,
        number,
        executed_on_us=fields.pop("executed_on_us", start),
        received_on_us=received_us,
        model=f"m{chance.randrange(3)}",
        status=chance.choice(("success", "success", "failed")),
        response_time_ms=chance.choice((None, 0.0, round(chance.lognormvariate(5, 2), 3))),
        response_time_clamped=chance.random() < 0.1,
        source=chance.choice(("a", "b", "a2")),
        source_type=chance.choice(("Agent", "API")),
        deployment_version=chance.choice(("", "v1")),
        connection_name=chance.choice(("x", "y", "")),
        input=chance.choice(("refund", "")),
        input_tokens=chance.choice((None, 7)),
        output_tokens=chance.choice((None, None, 3)),
        **fields,
    )


def everything(store: Store, selection: Selection, since: dict[str, int]) -> list[Any]:
    context = FilterContext(names_of_kind={"external": ["m2"]}, names={"m1": "renamed"}, recorded={"renamed": ["m1"]})
    found: list[Any] = [metrics(store, selection, context, HOSTED), count_runs(store, selection, context)]
    found.append(requests_since_deployment(store, selection, context, since))
    for steps in ((3600, 7200, 5400), (1200, 900, 1800)):
        found.append(series(store, selection, context, step_seconds=steps[len(selection.models)]))
    found.append(series_by(store, selection, context, "source" if selection.models else "model", step_seconds=10_800))
    return [
        replace(one, hosted_busy_ms=round(one.hosted_busy_ms, 6)) if isinstance(one, Metrics) else one for one in found
    ]


def agree(store: Store, selection: Selection, since: dict[str, int] | None = None) -> Any:
    answered = everything(store, selection, since or {})
    with run_by_run():
        assert answered == everything(store, selection, since or {})
    return answered[0]
