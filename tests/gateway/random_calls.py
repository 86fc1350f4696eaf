"""Many calls before an upstream that fails at random: each has exactly one run, and the run says what the caller saw.

`python -m tests.gateway.random_calls [COUNT] [SEED]`
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import httpx

from tests.gateway.random_upstream import events, plan_of, request_of, said_so_far, whole_body
from tests.support.server import Server

CHAT: Final = "/gateway/openai/v1/chat/completions"


@dataclass(slots=True)
class Seen:
    """By the caller of one call."""

    status: int = 0
    body: bytes = b""
    is_whole: bool = False
    request_id: str = ""


@contextmanager
def upstream(seed: int) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.gateway.random_upstream", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


async def make_calls(url: str, key: str, seed: int, count: int, concurrent: int = 24) -> list[Seen]:
    seen = [Seen() for _ in range(count)]
    numbers = iter(range(count))
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:

        async def caller() -> None:
            for number in numbers:
                one = seen[number]
                asked = request_of(plan_of(seed, number), number)
                async with session.post(url + CHAT, json=asked, headers={"x-session-id": str(number)}) as answer:
                    one.status, one.request_id = answer.status, answer.headers.get("x-request-id", "")
                    try:
                        async for piece in answer.content.iter_any():
                            one.body += piece
                        one.is_whole = True
                    except aiohttp.ClientPayloadError:
                        pass

        await asyncio.gather(*(caller() for _ in range(concurrent)))
    return seen


def runs_of(reader: httpx.Client, count: int, seconds: float) -> list[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    while reader.get("/api/v1/metrics").json()["total_requests"] < count and time.monotonic() < deadline:
        time.sleep(0.1)
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = reader.get("/api/v1/runs", params={"limit": "1000", **({"cursor": cursor} if cursor else {})}).json()
        found += page["runs"]
        cursor = page["next_cursor"]
    return found


def difference(seed: int, number: int, seen: Seen, run: dict[str, Any]) -> str:
    """What is wrong with what was seen of one call, or with its run; '' when nothing is."""
    plan = plan_of(seed, number)
    breaks = plan.fault in ("reset in body", "reset in stream")
    failed = plan.fault not in ("success", "stream", "garbage in stream")
    said = (run["status"], run["output"], run["input_tokens"], run["output_tokens"])
    if plan.fault == "reset at once":
        status, body, is_whole = 502, seen.body, True
        wanted: tuple[Any, ...] = ("failed", "", None, None)
        if b"modeltraces gateway: " not in seen.body or run["error"]["type"] != "gateway":
            return f"not our error: {seen.body!r}, {run['error']}"
    elif plan.is_stream:
        status, body, is_whole = 200, b"".join(events(plan, plan.wants_usage)), not breaks
        tokens = (None, None) if failed else (plan.input_tokens, len(plan.words))
        wanted = ("failed" if failed else "success", said_so_far(plan), *tokens)
    else:
        status, body, is_whole = plan.status, whole_body(plan), not breaks
        ok = plan.fault == "success"
        wanted = (
            "failed" if failed else "success",
            plan.text if ok else said[1],
            *((plan.input_tokens, len(plan.words)) if ok else (None, None)),
        )
    if (seen.status, seen.is_whole) != (status, is_whole):
        return f"{plan.fault}: seen {seen.status}, whole {seen.is_whole}"
    if seen.body != body if is_whole else not body.startswith(seen.body):
        return f"{plan.fault}: the body differs: {seen.body[-150:]!r} instead of {body[-150:]!r}"
    if said != wanted:
        return f"{plan.fault}: the run says {said} instead of {wanted}"
    if seen.request_id and seen.request_id != run["request_id"]:
        return f"{plan.fault}: another Request ID"
    return ""


def differences(server: Server, account: str, seed: int, count: int, concurrent: int = 24) -> list[str]:
    with upstream(seed) as url, server.client("admin", account=account) as admin:
        made = {"name": "random", "protocol": "openai", "base_url": f"{url}/v1", "models": ["*"]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
        seen = asyncio.run(make_calls(server.url, server.key("gateway", account=account), seed, count, concurrent))
        runs = runs_of(admin, count, 30 + count / 200)
    found = []
    times = Counter(run["session_id"] for run in runs)
    found += [f"call {name}: {number} runs" for name, number in times.items() if number != 1]
    by_number = {int(run["session_id"]): run for run in runs}
    found += [f"call {number} has no run" for number in range(count) if number not in by_number]
    for number, run in by_number.items():
        if wrong := difference(seed, number, seen[number], run):
            found.append(f"call {number}: {wrong}")
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory) / "data")
        try:
            server.start()
            server.new_account("random")
            began = time.monotonic()
            found = differences(server, "random", seed, count)
            print("\n".join(found[:20]))
            print(f"{count:,} calls in {time.monotonic() - began:.0f} s: {len(found)} differences")
        finally:
            server.close()
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
