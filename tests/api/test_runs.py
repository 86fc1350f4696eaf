"""What is asked of runs: the contract's JSON, the selection, pages, exports, the live view."""

import csv
import io
import itertools
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from tests.support.server import Server

HEADER = (
    "Status,Request ID,Response Time (ms),Deployment Version,Source Type,Source,Executed On,Input,Output,"
    "Base Model,Connection Name,Input Tokens,Output Tokens,Error"
)
RUN_KEYS = {
    "request_id", "status", "model", "model_kind", "base_model", "deployment_version", "connection_name", "operation",
    "response_time_ms", "time_to_first_token_ms", "executed_on", "source_type", "source", "input", "output", "input_tokens",
    "output_tokens", "cached_input_tokens", "reasoning_tokens", "finish_reasons", "streaming", "error", "trace_id", "span_id",
    "parent_span_id", "session_id", "user_id", "attributes",
}  # fmt: skip
ARABIC, CHINESE, LONG = "كيف حالك اليوم؟", "你好，世界", "long text 😀 " * 400


def at(hours_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()


RUNS: list[dict[str, Any]] = [
    {"request_id": f"run-{number:03}", "model": "alpha" if number % 3 else "beta", "executed_on": at(number + 1),
     "response_time_ms": 10.0 * (number + 1), "source_type": "Agent" if number % 2 else "Workflow", "source": f"s{number % 4}",
     "input": f"question {number}", "output": f"answer {number}", "input_tokens": number if number % 5 else None,
     **({"error": {"type": "RateLimitError", "message": "slow down", "code": "429"}} if number % 10 == 0 else {})}
    for number in range(100)
]  # fmt: skip
SPECIAL: list[dict[str, Any]] = [
    {"request_id": "special-formula", "model": "gamma", "executed_on": at(0.5), "input": "=1+1", "output": '+SUM("a",2)\nnext'},
    {"request_id": "special-arabic", "model": "gamma", "executed_on": at(0.6), "input": ARABIC, "output": CHINESE},
    {"request_id": "special-long", "model": "gamma", "executed_on": at(0.7), "input": LONG, "output": "x" * 500},
    {"request_id": "special-old", "model": "gamma", "executed_on": at(24 * 20), "model_kind": "open_source",
     "deployment_version": "v2", "response_time_ms": 5, "request": {"model": "gamma", "n": 1}, "response": {"id": "r"}},
]  # fmt: skip


@pytest.fixture(scope="module")
def account(server: Server) -> str:
    name = server.new_account("runs api")
    with server.client(account=name) as client:
        answer = client.post("/api/v1/runs", json=RUNS + SPECIAL)
        assert answer.json() == {"request_ids": [run["request_id"] for run in RUNS + SPECIAL], "rejected": []}
    return name


@pytest.fixture
def client(server: Server, account: str) -> Iterator[httpx.Client]:
    with server.client(account=account) as opened:
        yield opened


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def bad(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["detail"]
    return problem


def test_a_list_has_the_contracts_fields_newest_first(client: httpx.Client) -> None:
    page = ok(client.get("/api/v1/runs", params={"period": "30d"}))
    assert len(page["runs"]) == 50
    assert all(run.keys() >= RUN_KEYS | {"input_truncated", "output_truncated"} for run in page["runs"])
    times = [run["executed_on"] for run in page["runs"]]
    assert times == sorted(times, reverse=True)
    assert "request" not in page["runs"][0]


def test_a_run_is_whole(client: httpx.Client) -> None:
    run = ok(client.get("/api/v1/runs/special-old"))
    assert run.keys() >= RUN_KEYS | {"request", "response"}
    assert (run["request"], run["response"]) == ({"model": "gamma", "n": 1}, {"id": "r"})
    assert (run["model_kind"], run["deployment_version"], run["error"]) == ("open_source", "v2", None)
    failed = ok(client.get("/api/v1/runs/run-010"))
    assert failed["error"] == {"type": "RateLimitError", "message": "slow down", "code": "429"}
    assert failed["input_tokens"] is None, "unknown is null, never 0"


def test_lists_carry_the_first_500_characters(client: httpx.Client) -> None:
    runs = {run["request_id"]: run for run in ok(client.get("/api/v1/runs", params={"model": "gamma"}))["runs"]}
    assert runs["special-long"]["input"] == LONG[:500]
    assert runs["special-long"]["input_truncated"] is True
    assert runs["special-long"]["output_truncated"] is False
    assert runs["special-arabic"]["input"] == ARABIC
    assert ok(client.get("/api/v1/runs/special-long"))["input"] == LONG


@pytest.mark.parametrize(
    "sort", ["executed_on", "response_time", "source", "input_tokens", "status", "model", "request_id"]
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_by_cursor_show_every_run_once_in_order(client: httpx.Client, sort: str, order: str) -> None:
    params = {"period": "all", "sort": sort, "order": order, "limit": "23"}
    seen: list[str] = []
    cursor = None
    while True:
        page = ok(client.get("/api/v1/runs", params={**params, **({"cursor": cursor} if cursor else {})}))
        seen += [run["request_id"] for run in page["runs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(RUNS + SPECIAL)
    whole = ok(client.get("/api/v1/runs", params={**params, "limit": "1000"}))["runs"]
    assert [run["request_id"] for run in whole] == seen


def test_a_cursor_that_was_tampered_with_is_refused(client: httpx.Client) -> None:
    cursor = ok(client.get("/api/v1/runs", params={"limit": "5"}))["next_cursor"]
    for wrong in ("nonsense", cursor[:-2] + "AA", cursor + "x", "", "😀"):
        bad(client.get("/api/v1/runs", params={"limit": "5", "cursor": wrong}))
    bad(client.get("/api/v1/runs", params={"limit": "5", "cursor": cursor, "filter": "status:failed"}))


def test_metrics_are_exact(client: httpx.Client) -> None:
    found = ok(client.get("/api/v1/metrics", params={"period": "all", "model": ["alpha", "beta"]}))
    assert (found["total_requests"], found["failed_requests"], found["failure_rate"]) == (100, 10, 0.1)
    assert found["response_time_ms"] == {
        "p50": pytest.approx(505),
        "p90": pytest.approx(901),
        "p99": pytest.approx(990.1),
    }
    assert found["input_tokens"] == sum(run["input_tokens"] or 0 for run in RUNS)
    assert found["output_tokens"] is None
    assert found["hosting_credits"] is None
    day = ok(client.get("/api/v1/metrics", params={"period": "24h", "model": "alpha"}))
    assert day["total_requests_since_deployment"] == 66
    assert day["total_requests"] < 66


def test_a_model_that_the_catalog_does_not_have_is_named_beside_the_answer(client: httpx.Client) -> None:
    params = {"model": ["alpha", "nope", "nö, pe"]}
    for path in ("metrics", "metrics/series", "metrics/series?by=model", "runs", "runs/export"):
        answer = client.get(f"/api/v1/{path}", params=params if "?" not in path else {**params, "by": "model"})
        assert (answer.status_code, answer.headers["x-unknown-model"]) == (200, "nope, n%C3%B6%2C%20pe")
        assert "x-unknown-model" not in client.get(f"/api/v1/{path}", params={"model": "alpha"}).headers
        assert "x-unknown-model" not in client.get(f"/api/v1/{path}").headers
    with client.stream("GET", "/api/v1/runs/stream", params={"model": "nope"}) as stream:
        assert stream.headers["x-unknown-model"] == "nope"
    many = client.get("/api/v1/metrics", params={"model": [f"n{number:03}" + "o" * 46 for number in range(200)]})
    assert many.headers["x-unknown-model"].endswith("o, ...")
    assert 900 < len(many.headers["x-unknown-model"]) < 1010


def test_the_default_period_is_seven_days(client: httpx.Client) -> None:
    assert ok(client.get("/api/v1/metrics", params={"model": "gamma"}))["total_requests"] == 3
    assert ok(client.get("/api/v1/metrics", params={"model": "gamma", "period": "30d"}))["total_requests"] == 4


def test_the_series_adds_up_and_has_its_empty_steps(client: httpx.Client) -> None:
    series = ok(client.get("/api/v1/metrics/series", params={"period": "30d"}))
    assert 2 <= len(series["points"]) <= 200
    assert sum(point["total_requests"] for point in series["points"]) == 104
    assert sum(point["failed_requests"] for point in series["points"]) == 10
    assert any(point["total_requests"] == 0 for point in series["points"])
    empty = next(point for point in series["points"] if point["total_requests"] == 0)
    assert empty["response_time_ms"] == {"p50": None, "p90": None, "p99": None}
    ats = [datetime.fromisoformat(point["at"]) for point in series["points"]]
    assert {(b - a).total_seconds() for a, b in itertools.pairwise(ats)} == {series["step_seconds"]}
    hourly = ok(client.get("/api/v1/metrics/series", params={"period": "24h", "step_seconds": "3600"}))
    assert hourly["step_seconds"] == 3600


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("status:failed", 10),
        ("-status:failed", 94),
        ("response_time>500ms", 50),
        ("response_time>=0.5s response_time<=1s", 51),
        ("source_type:Agent OR source_type:Workflow", 100),
        ('source_type:Agent source:"s1"', 25),
        ("input_tokens:*", 80),
        ("question", 100),
        ("كيف", 1),
        ("世界", 1),
        ('"answer 42"', 1),
        ("request_id:run-01*", 10),
        ("error_type:RateLimitError", 10),
        ("model_kind:open_source", 4),
        ("' OR 1=1", 0),
        ('"\'; DROP TABLE runs; --"', 0),
    ],
)
def test_filters_select_the_same_everywhere(client: httpx.Client, text: str, count: int) -> None:
    params = {"period": "all", "filter": text}
    assert len(ok(client.get("/api/v1/runs", params={**params, "limit": "1000"}))["runs"]) == count
    assert ok(client.get("/api/v1/metrics", params=params))["total_requests"] == count
    assert (
        sum(point["total_requests"] for point in ok(client.get("/api/v1/metrics/series", params=params))["points"])
        == count
    )
    lines = client.get("/api/v1/runs/export", params={**params, "format": "jsonl"}).text.splitlines()
    assert len(lines) == count


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("status:broken", 7),
        ('source:"open', 7),
        ("nonsense_field:x", 0),
        ("(status:failed", 0),
        ("response_time>soon", 14),
    ],
)
def test_a_filter_that_is_wrong_says_where_and_what_was_expected(
    client: httpx.Client, text: str, position: int
) -> None:
    for path in (
        "/api/v1/runs",
        "/api/v1/metrics",
        "/api/v1/metrics/series",
        "/api/v1/runs/export",
        "/api/v1/runs/stream",
    ):
        problem = bad(client.get(path, params={"filter": text}))
        assert problem["parameter"] == "filter"
        assert problem["position"] == position, problem


@pytest.mark.parametrize(
    ("params", "parameter"),
    [
        ({"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, "from"),
        ({"from": "2026-11-02T00:00:00"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"period": "8d"}, "period"),
        ({"period": "7d", "from": "2026-11-02T00:00:00Z"}, "period"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"sort": "input"}, "sort"),
        ({"order": "up"}, "order"),
        ({"model": ""}, "model"),
        ({"filtre": "status:failed"}, "filtre"),
        ({"step_seconds": "5"}, "step_seconds"),
        ({"period": ["7d", "30d"]}, "period"),
        ({"cursor": ["a", "b"]}, "cursor"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(client: httpx.Client, params: dict[str, Any], parameter: str) -> None:
    assert bad(client.get("/api/v1/runs", params=params))["parameter"] == parameter


@pytest.mark.parametrize(
    ("path", "name"), [("metrics/series", "tz"), ("metrics/series", "by"), ("runs/export", "format")]
)
def test_a_parameter_that_is_given_twice_is_named(client: httpx.Client, path: str, name: str) -> None:
    problem = bad(client.get(f"/api/v1/{path}", params={name: ["a", "b"]}))
    assert (problem["parameter"], problem["detail"]) == (name, f"{name} was given 2 times; give it once.")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "x" * 5000, "Europe", "a\0b"])
@pytest.mark.parametrize("path", ["/api/v1/metrics/series", "/api/v1/runs/export"])
def test_a_time_zone_that_is_none_is_refused(client: httpx.Client, path: str, zone: str) -> None:
    assert bad(client.get(path, params={"tz": zone}))["parameter"] == "tz"


def test_a_run_that_is_not_there_is_a_404(client: httpx.Client) -> None:
    for wrong in ("nope", "0" * 36, "a/b", "%00", "x" * 300):
        answer = client.get(f"/api/v1/runs/{wrong}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_csv_is_the_tables_runs_whole_and_harmless(client: httpx.Client) -> None:
    answer = client.get("/api/v1/runs/export", params={"period": "all", "model": "gamma", "format": "csv"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    text = answer.content.decode()
    assert text.splitlines()[0] == HEADER
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    listed = ok(client.get("/api/v1/runs", params={"period": "all", "model": "gamma"}))["runs"]
    assert [row["Request ID"] for row in rows] == [run["request_id"] for run in listed]
    by_id = {row["Request ID"]: row for row in rows}
    assert by_id["special-long"]["Input"] == LONG
    assert by_id["special-arabic"]["Output"] == CHINESE
    assert by_id["special-formula"]["Input"] == "'=1+1"
    assert by_id["special-formula"]["Output"] == '\'+SUM("a",2)\nnext'
    assert by_id["special-old"]["Response Time (ms)"] == "5"
    assert by_id["special-old"]["Deployment Version"] == "v2"
    assert by_id["special-old"]["Input Tokens"] == ""
    assert by_id["special-old"]["Executed On"].endswith("Z")
    raw = client.get("/api/v1/runs/export", params={"period": "all", "model": "gamma", "raw": "1"}).text
    assert ',"=1+1",' in raw


def test_jsonl_holds_whole_runs(client: httpx.Client) -> None:
    answer = client.get("/api/v1/runs/export", params={"period": "all", "model": "gamma", "format": "jsonl"})
    runs = {run["request_id"]: run for run in map(orjson.loads, answer.content.splitlines())}
    whole = ok(client.get("/api/v1/runs/special-old"))
    assert runs["special-old"].keys() >= RUN_KEYS
    assert {name: runs["special-old"][name] for name in RUN_KEYS} == {name: whole[name] for name in RUN_KEYS}
    assert runs["special-long"]["input"] == LONG


def test_parquet_can_be_read(client: httpx.Client) -> None:
    import pyarrow.parquet as parquet

    answer = client.get("/api/v1/runs/export", params={"period": "all", "format": "parquet"})
    assert answer.status_code == 200
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.num_rows == len(RUNS + SPECIAL)
    assert {"request_id", "input", "response_time_ms"} <= set(table.column_names)


def test_an_empty_selection_is_an_empty_file_with_its_header(client: httpx.Client) -> None:
    answer = client.get("/api/v1/runs/export", params={"model": "nobody", "format": "csv"})
    assert answer.text.strip() == HEADER
    assert client.get("/api/v1/runs/export", params={"model": "nobody", "format": "jsonl"}).text == ""


def test_new_runs_arrive_in_the_live_view_as_they_land(server: Server) -> None:
    account = server.new_account("live view")
    seen: list[dict[str, Any]] = []
    opened = threading.Event()

    def watch() -> None:
        with (
            server.client(account=account) as client,
            client.stream("GET", "/api/v1/runs/stream", params={"filter": "model:watched"}) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                opened.set()
                if line.startswith("data: "):
                    seen.append(orjson.loads(line.removeprefix("data: ")))
                    if len(seen) == 2:
                        return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    assert opened.wait(10)
    with server.client(account=account) as client:
        client.post("/api/v1/runs", json=[{"model": "watched", "input": "one"}, {"model": "other", "input": "not me"}])
        time.sleep(1.2)
        client.post("/api/v1/runs", json={"model": "watched", "input": "two"})
    watcher.join(15)
    assert [run["input"] for run in seen] == ["one", "two"]
    assert seen[0].keys() >= RUN_KEYS
