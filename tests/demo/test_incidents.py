"""What is worth finding in the demo can be found, by asking the store."""

import pytest

from modeltraces.demo.failures import failure_of_kind
from modeltraces.demo.incidents import incidents_before
from modeltraces.demo.models import MODELS
from modeltraces.store.engine import ClickHouseStore
from tests.demo.conftest import ACCOUNT, NOW_US

HOUR_US = 3_600_000_000


def ask(store: ClickHouseStore, select: str, where: str, from_us: int, to_us: int) -> tuple[float, ...]:
    row = store.query(
        f"SELECT {select} FROM runs FINAL WHERE account_id = {{account:String}} AND {where} "
        "AND executed_on >= fromUnixTimestamp64Micro({from_us:Int64}) "
        "AND executed_on < fromUnixTimestamp64Micro({to_us:Int64})",
        {"account": ACCOUNT, "from_us": from_us, "to_us": to_us},
    )[0]
    return tuple(row)


def test_the_rate_limit_storm_stands_out_of_its_day(stored_history: ClickHouseStore) -> None:
    storm = next(i for i in incidents_before(NOW_US) if i.name == "rate-limit-storm" and i.failure_rate > 0.5)
    where = "model = 'gpt-4o' AND connection_name = 'azure-eu'"
    limited = "countIf(error_code = '429') / count()"
    (during,) = ask(stored_history, limited, where, storm.from_us, storm.to_us)
    (before,) = ask(stored_history, limited, where, storm.from_us - 24 * HOUR_US, storm.from_us)
    assert during > 0.4
    assert before < 0.05


def test_version_2_runs_out_of_memory_after_its_rollout_and_version_1_does_not(stored_history: ClickHouseStore) -> None:
    incident = next(i for i in incidents_before(NOW_US) if i.name == "out-of-memory")
    failures = "countIf(error_message LIKE 'CUDA out of memory%'), count()"
    period = incident.from_us, incident.to_us
    bad, of_v2 = ask(stored_history, failures, "model = 'llama-3.1-8b-instruct' AND deployment_version = 'v2'", *period)
    fine, _ = ask(stored_history, failures, "model = 'llama-3.1-8b-instruct' AND deployment_version = 'v1'", *period)
    assert bad / of_v2 > 0.12
    assert fine <= 2


def test_a_model_was_slow_since_noon_until_forty_minutes_ago(stored_history: ClickHouseStore) -> None:
    queue = next(i for i in incidents_before(NOW_US) if i.name == "queue")
    assert (queue.from_us % (24 * HOUR_US), NOW_US - queue.to_us) == (12 * HOUR_US, 40 * 60_000_000)
    p90 = "quantile(0.9)(response_time_ms)"
    where = f"model = '{queue.model}'"
    (slow,) = ask(stored_history, p90, where, queue.from_us, queue.to_us)
    (usual,) = ask(stored_history, p90, where, queue.from_us - 48 * HOUR_US, queue.from_us)
    (since,) = ask(stored_history, p90, where, queue.to_us, NOW_US)
    assert slow > 4 * usual
    assert since < 2 * usual


def test_one_evening_the_gpus_were_saturated(stored_history: ClickHouseStore) -> None:
    evening = next(i for i in incidents_before(NOW_US) if i.name == "gpu-saturation")
    p90 = "quantile(0.9)(response_time_ms)"
    where = f"model = '{evening.model}'"
    (slow,) = ask(stored_history, p90, where, evening.from_us, evening.to_us)
    (usual,) = ask(stored_history, p90, where, evening.from_us - 72 * HOUR_US, evening.from_us)
    assert slow > 3 * usual
    (timeouts,) = ask(
        stored_history,
        "countIf(error_type = 'APITimeoutError')",
        "model IN ('mistral-small', 'llama-3.1-8b-instruct')",
        evening.from_us,
        evening.to_us,
    )
    assert timeouts >= 3


@pytest.mark.parametrize(
    "sign",
    [
        "error_code = '429'",
        "error_message LIKE 'CUDA out of memory%'",
        "error_type = 'APITimeoutError'",
        "error_message LIKE '%content management policy%'",
        "JSONExtractString(response, 'error', 'code') = 'context_length_exceeded'",
        "error_code = '529'",
        "error_type = 'APIConnectionError'",
    ],
)
def test_every_kind_of_failure_is_there(stored_history: ClickHouseStore, sign: str) -> None:
    (found,) = ask(stored_history, "count()", f"status = 'failed' AND {sign}", NOW_US - 720 * HOUR_US, NOW_US)
    assert found >= 3


@pytest.mark.parametrize("end_hour", range(24))
def test_there_is_a_slow_period_today_at_whatever_hour_the_demo_is_started(end_hour: int) -> None:
    end_us = NOW_US // (24 * HOUR_US) * 24 * HOUR_US + end_hour * HOUR_US
    queue = next(i for i in incidents_before(end_us) if i.name == "queue")
    assert queue.to_us - queue.from_us >= HOUR_US
    assert end_us - queue.from_us <= 9 * HOUR_US


def test_every_incident_fails_in_a_way_that_its_model_knows() -> None:
    for incident in incidents_before(NOW_US):
        model = MODELS[incident.model]
        if incident.failure_rate:
            connection = incident.connection or (model.connections[0][0] if model.connections else "")
            assert failure_of_kind(incident.failure_kind, model, connection).message


def test_a_kind_of_failure_that_a_model_cannot_have_is_an_error() -> None:
    with pytest.raises(KeyError, match="content_filter"):
        failure_of_kind("content_filter", MODELS["mistral-small"], "")
