"""How fast the API and the page answer over many runs, and how fast they are exported."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from bench.fill import RARE_WORD
from bench.progress import Progress
from bench.results import Section, quantile
from bench.server import disk_mb, memory_mb, running
from modeltraces.api.identity import SESSION_COOKIE
from modeltraces.catalog import users
from modeltraces.catalog.sessions import Sessions
from tests.support.server import ALICE, PASSWORD, Server

TRIES: Final = 30
_FEWEST_TRIES: Final = 5
_CALL_SECONDS: Final = 8.0
"""After which a slow call is not tried more often."""
_DEEP_PAGES: Final = 200
_EXPORT_SECONDS: Final = 60.0
_PAGE: Final = "/settings/monitoring/model-traces"
PAGES: Final = {"page, one model": f"{_PAGE}?model=gpt-4o&period=7d", "page, all models": f"{_PAGE}?period=7d"}

_ONE: Final = "gpt-4o"
_PERIODS: Final = ("24h", "7d", "30d", "90d")
_FILTERS: Final = {
    "failed": "status:failed",
    "one source": "source:crm-sync",
    "one version": "deployment_version:v2",
    "over 5 s": "response_time>5s",
    "common word": "refund",
    "rare word": RARE_WORD,
}


def _calls() -> Iterator[tuple[str, str, dict[str, str]]]:
    """(name, path, parameters) of each call that is measured."""
    whose: dict[str, dict[str, str]] = {"all models": {}, "one model": {"model": _ONE}}
    for period in _PERIODS:
        for models, params in whose.items():
            yield f"metrics, {models}, {period}", "/api/v1/metrics", {**params, "period": period}
    for period in ("24h", "30d"):
        for models, params in whose.items():
            yield f"series, {models}, {period}", "/api/v1/metrics/series", {**params, "period": period}
            yield f"newest 50, {models}, {period}", "/api/v1/runs", {**params, "period": period}
    for name, filter in _FILTERS.items():
        for models, params in whose.items():
            asked = {**params, "filter": filter, "period": "7d" if "word" in name else "30d"}
            yield f"metrics, {models}, {name}", "/api/v1/metrics", asked
            yield f"newest 50, {models}, {name}", "/api/v1/runs", asked
    yield "oldest 50, all models", "/api/v1/runs", {"period": "30d", "order": "asc"}
    yield "slowest 50, one model", "/api/v1/runs", {"model": _ONE, "period": "30d", "sort": "response_time"}


def measure(
    data_dir: Path, *, floor: Callable[[], Mapping[str, float]] | None = None, tries: int = TRIES
) -> Iterator[Section]:
    """`data_dir` holds the runs. `floor` is asked when the server has stopped: the same questions in plain SQL."""
    whole = Section("The server", ("what", "value"))
    began = time.perf_counter()
    with running(data_dir) as server:
        whole.add("start to first answer, s", time.perf_counter() - began)
        whole.add("memory after start, MB", memory_mb(server))
        with server.client("read") as client, _browser(server) as browser:
            runs = client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"]
            calls = Section(f"Answers over {runs:,} runs, one at a time", ("call", "p50 ms", "p95 ms", "KB sent"))
            asked = list(_calls())
            in_all = len(asked) + len(PAGES) + 2
            progress = Progress(
                f"Answers: {in_all} calls over {runs:,} runs, each up to {tries} time{'s' if tries > 1 else ''}",
                f"at most {_CALL_SECONDS:.0f} s a call, and mostly far less",
            )
            for name, path, params in asked:
                calls.add(name, *_timed(client, path, params, tries))
                progress.show(f"{len(calls.rows)} of {in_all} calls: {name}")
            calls.add(*_deep_page(client))
            calls.add(*_one_run(client))
            for name, path in PAGES.items():
                calls.add(name, *_timed(browser, path, {}, tries))
                progress.show(f"{len(calls.rows)} of {in_all} calls: {name}")
            progress.end()
            yield calls
            first_page = _transferred_kb(browser, PAGES["page, all models"])
            whole.add("first page with scripts and styles, KB transferred", first_page)
            whole.add("memory after these calls, MB", memory_mb(server))
            yield _exports(client)
            whole.add("memory after the exports, MB", memory_mb(server))
    whole.add("disk, MB", disk_mb(data_dir / "runs"))
    yield whole
    if floor is not None:
        Progress("The engine's own answers to the same questions, without the server", "some seconds")
        yield _against(floor(), calls)


def _against(plain: Mapping[str, float], calls: Section) -> Section:
    table = Section(
        "Against the engine's own answer to the same question",
        ("call", "p50 ms", "plain SQL ms", "ratio"),
        note="Plain SQL: no HTTP, nothing looked up in the catalog, no runs sent twice left out.",
    )
    for name, p50, *_ in calls.rows:
        if name in plain:
            table.add(name, p50, plain[name], p50 / plain[name])
    return table


def _timed(client: httpx.Client, path: str, params: Mapping[str, str], tries: int) -> tuple[float, float, float]:
    times, size = [], 0
    until = time.perf_counter() + _CALL_SECONDS
    for number in range(tries + 1):
        if number > _FEWEST_TRIES and time.perf_counter() > until:
            break
        began = time.perf_counter()
        response = client.get(path, params=params)
        elapsed = (time.perf_counter() - began) * 1000
        assert response.status_code == 200, f"{response.url}: {response.status_code} {response.text[:300]}"
        size = response.num_bytes_downloaded
        if number:  # The first one warms up.
            times.append(elapsed)
    return quantile(times, 0.5), quantile(times, 0.95), size / 1024


def _deep_page(client: httpx.Client) -> tuple[str, float, float, float]:
    """Pages far behind the first, reached as a reader does: one cursor after the other."""
    params = {"period": "30d", "limit": "50"}
    times, size = [], 0
    for _ in range(_DEEP_PAGES):
        began = time.perf_counter()
        response = client.get("/api/v1/runs", params=params)
        times.append((time.perf_counter() - began) * 1000)
        answer, size = response.json(), response.num_bytes_downloaded
        if answer["next_cursor"] is None:
            break
        params["cursor"] = answer["next_cursor"]
    last = times[-TRIES:]
    return f"page {len(times)} of 50 runs", quantile(last, 0.5), quantile(last, 0.95), size / 1024


def _one_run(client: httpx.Client) -> tuple[str, float, float, float]:
    listed = client.get("/api/v1/runs", params={"period": "30d", "limit": "1000"}).json()["runs"]
    times, size = [], 0
    for run in listed[:: max(1, len(listed) // TRIES)]:
        began = time.perf_counter()
        response = client.get(f"/api/v1/runs/{run['request_id']}")
        times.append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200
        size = max(size, response.num_bytes_downloaded)
    return "one run", quantile(times, 0.5), quantile(times, 0.95), size / 1024


def _exports(client: httpx.Client) -> Section:
    table = Section(
        "Export",
        ("format", "MB", "first byte, s", "all, s", "MB/s"),
        note=f"One that takes longer than {_EXPORT_SECONDS:.0f} s is broken off then; its figures are of what had come.",
    )
    progress = Progress(
        "Export: 30 days in three formats, one after the other", f"at most {_EXPORT_SECONDS:.0f} s each"
    )
    for form in ("csv", "jsonl", "parquet"):
        received, first, began = 0, 0.0, time.perf_counter()
        params = {"format": form, "period": "30d"}
        with client.stream("GET", "/api/v1/runs/export", params=params, timeout=300) as response:
            assert response.status_code == 200, f"{form}: {response.status_code} {response.read()[:300]!r}"
            for chunk in response.iter_raw():
                first = first or time.perf_counter() - began
                received += len(chunk)
                if time.perf_counter() - began > _EXPORT_SECONDS:
                    break
        seconds = time.perf_counter() - began
        table.add(form, received / 1e6, first, seconds, received / 1e6 / seconds)
        progress.show(f"{form} is done")
    progress.end()
    return table


@contextmanager
def _browser(server: Server) -> Iterator[httpx.Client]:
    """Asks as Alice's browser does."""
    account_id = server.account_id()
    # Alice is made at the first start, unless the directory has an owner already.
    user = users.find(server.catalog, ALICE) or users.create(
        server.catalog, account_id, ALICE, "owner", actor="bench", password=PASSWORD
    )
    session = Sessions(server.catalog).create(user.id, account_id)
    cookies: dict[str, Any] = {SESSION_COOKIE: session.token}
    with httpx.Client(base_url=server.url, cookies=cookies, follow_redirects=True, timeout=30) as client:
        yield client


def _transferred_kb(browser: httpx.Client, path: str) -> float:
    page = browser.get(path)
    assets = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    assert assets, "the page names no scripts and styles"
    return sum(browser.get(asset).num_bytes_downloaded for asset in assets) / 1024 + page.num_bytes_downloaded / 1024
