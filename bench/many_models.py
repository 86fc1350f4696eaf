"""Pages of an account with very many models. `python -m bench.many_models [--models N]`.

Server and reader share the machine's cores; each page is read nine times, after the sign-in.
"""

import argparse
import re
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx

from bench.results import Section, machine, quantile, show
from bench.server import running
from modeltraces.catalog.models import ModelRegistry, SeenModel
from tests.support.server import ALICE, PASSWORD, Server

_READS: Final = 9
_PAGES: Final = (
    "/settings/monitoring/model-traces",
    "/settings/monitoring/model-traces?model=model-0007",
    "/settings/models",
    "/settings/gateway",
)


def _fill(server: Server, models: int) -> None:
    names = [f"model-{n:04}" for n in range(models)]
    seen = {name: SeenModel(first_run_on_us=1, kind="open_source") for name in names}
    ModelRegistry(server.catalog).ensure(server.account_id("default"), seen)
    runs = [{"model": name, "input": "hi", "response_time_ms": 5} for name in names]
    with server.client("ingest") as sender:
        assert sender.post("/api/v1/runs", json=runs).status_code == 200


def _sign_in(reader: httpx.Client, server: Server) -> None:
    fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', reader.get("/sign-in").text))
    given = {**fields, "email": ALICE, "password": PASSWORD}
    assert reader.post("/sign-in", data=given, headers={"Origin": server.url}).status_code == 200


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.many_models", description=__doc__)
    parser.add_argument("--models", type=int, default=2_000)
    options = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    table = Section(f"Pages with {options.models:,} models and as many runs", ("page", "p50 ms", "most ms", "KB"))
    with (
        tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as directory,
        running(Path(directory) / "data") as server,
        httpx.Client(base_url=server.url, follow_redirects=True, timeout=30) as reader,
    ):
        server.cast()
        _fill(server, options.models)
        _sign_in(reader, server)
        for path in _PAGES:
            times, size = list[float](), 0
            for _ in range(_READS):
                began = time.perf_counter()
                page = reader.get(path)
                times.append((time.perf_counter() - began) * 1000)
                assert page.status_code == 200, path
                size = len(page.content)
            table.add(path, quantile(times, 0.5), max(times), size / 1000)
        show([table])


if __name__ == "__main__":
    main()
