"""Two servers over one PostgreSQL: whichever is asked, accounts, keys, models and limits are the same."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.gateway.upstream import Upstream, serving
from tests.support.clickhouse import ClickHouse
from tests.support.postgres import PASSWORD as DATABASE_PASSWORD
from tests.support.postgres import Postgres
from tests.support.server import PASSWORD, Server, run_command

pytestmark = pytest.mark.faults

CHAT = "/gateway/openai/v1/chat/completions"
OWNER = "first@example.com"
TOKENS = 12
"""That the upstream says of each call."""


@pytest.fixture(scope="module")
def environment(postgres: Postgres, clickhouse: ClickHouse) -> Iterator[dict[str, str]]:
    url = postgres.new_database()
    yield {
        "MODELTRACES_STORE_URL": clickhouse.new_database(),
        "MODELTRACES_CATALOG_URL": url,
        "MODELTRACES_SECRET_KEY": secrets.token_hex(32),
        "MODELTRACES_ADMIN_EMAIL": "",
        "MODELTRACES_ADMIN_PASSWORD": "",
    }
    postgres.drop(url)


@pytest.fixture(scope="module")
def servers(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Both started at the same moment over an empty database, without an owner."""
    directory = tmp_path_factory.mktemp("shared")
    both = Server(directory / "one", environment), Server(directory / "two", environment)
    with ExitStack() as closing:
        for server in both:
            closing.callback(server.close)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Server.start, both))
        yield both
        for server in both:
            assert server.stop() == 0, server.log
            assert "Traceback" not in server.log
            assert DATABASE_PASSWORD not in server.log


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def account(servers: tuple[Server, Server], upstream: Upstream) -> str:
    one, _ = servers
    name = one.new_account("shared")
    with one.client("admin", account=name) as admin:
        made = {"name": "fake", "protocol": "openai", "base_url": f"{upstream.url}/v1", "models": ["*"]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
        assert admin.post("/api/v1/models", json={"name": "gpt-4o", "kind": "external"}).status_code == 201
    return name


@pytest.fixture
def admins(servers: tuple[Server, Server], account: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """The same key at either server."""
    headers = {"x-api-key": servers[0].key("admin", account=account)}
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(httpx.Client(base_url=server.url, headers=headers, timeout=30)) for server in servers
        )
        yield one, two


Limited = Callable[..., tuple[httpx.Client, httpx.Client, str]]


@pytest.fixture
def limited(admins: tuple[httpx.Client, httpx.Client]) -> Iterator[Limited]:
    """A new key of these limits, at either server; and its id."""
    with ExitStack() as stack:

        def made(**limits: int) -> tuple[httpx.Client, httpx.Client, str]:
            key = admins[0].post("/api/v1/keys", json={"name": "limited", "scopes": ["gateway"], **limits}).json()
            one, two = (
                stack.enter_context(
                    httpx.Client(base_url=admin.base_url, headers={"x-api-key": key["key"]}, timeout=30)
                )
                for admin in admins
            )
            return one, two, key["id"]

        yield made


def call(caller: httpx.Client, model: str = "gpt-4o") -> int:
    asked = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    return caller.post(CHAT, json=asked).status_code


def soon(what: Callable[[], Any], expected: Any) -> None:
    deadline = time.monotonic() + 30
    while (found := what()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def in_the_middle_of_a_minute() -> None:
    while time.time() % 60 > 45:
        time.sleep(0.5)


def test_the_first_owners_link_of_one_works_at_the_other_and_who_signed_in_there_is_known_here(
    servers: tuple[Server, Server],
) -> None:
    one, two = servers
    (path,) = re.findall(r"http://127\.0\.0\.1:\d+(/sign-in/link/\S+)", one.log)
    with httpx.Client(base_url=two.url, headers={"Origin": two.url}, timeout=30) as visitor:
        assert "Set up your account" in visitor.get(path).text
        chosen = {"email": OWNER, "password": PASSWORD, "again": PASSWORD}
        entered = visitor.post(path, data=chosen)
        assert entered.status_code == 303, entered.text
        cookies = dict(visitor.cookies)
    with httpx.Client(base_url=one.url, cookies=cookies, timeout=30) as visitor:
        assert OWNER in visitor.get("/settings/profile").text
        (other,) = re.findall(r"http://127\.0\.0\.1:\d+(/sign-in/link/\S+)", two.log)
        assert visitor.get(other).status_code == 404, "there is an owner now"


def test_a_key_that_is_revoked_at_one_is_refused_by_the_other(
    admins: tuple[httpx.Client, httpx.Client], limited: Limited
) -> None:
    one, two, key_id = limited()
    assert (call(one), call(two)) == (200, 200)
    assert admins[0].delete(f"/api/v1/keys/{key_id}").status_code == 204
    assert call(one) == 401
    soon(lambda: call(two), 401)


def test_models_and_connections_that_are_changed_at_one_are_so_at_the_other(
    admins: tuple[httpx.Client, httpx.Client], limited: Limited
) -> None:
    one, two, _ = limited()
    assert admins[0].post("/api/v1/models", json={"name": "gpt-mini", "kind": "external"}).status_code == 201
    assert call(two, "gpt-mini") == 200
    assert "gpt-mini" in admins[1].get("/api/v1/models").text
    assert admins[1].patch("/api/v1/models/gpt-mini", json={"archived": True}).status_code == 200
    assert call(two, "gpt-mini") == 404
    soon(lambda: call(one, "gpt-mini"), 404)


def test_a_minutes_requests_are_counted_exactly_over_both(
    admins: tuple[httpx.Client, httpx.Client], limited: Limited
) -> None:
    in_the_middle_of_a_minute()
    one, two, _ = limited(requests_per_minute=40)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(call, [one, two] * 40))
    passed = answers.count(200)
    assert passed <= 40
    # What one took and did not use goes back.
    deadline = time.monotonic() + 10
    while passed < 40:
        assert time.monotonic() < deadline
        passed += [call(one), call(two)].count(200)
        time.sleep(0.05)
    assert passed == 40
    assert (call(one), call(two)) == (429, 429)


def test_a_days_tokens_are_counted_over_both(admins: tuple[httpx.Client, httpx.Client], limited: Limited) -> None:
    one, two, _ = limited(tokens_per_day=2 * TOKENS)
    assert (call(one), call(two)) == (200, 200)
    soon(lambda: (call(one), call(two)), (429, 429))


def test_a_server_with_another_secret_key_does_not_start_and_says_why(
    environment: dict[str, str], servers: tuple[Server, Server], tmp_path: Any
) -> None:
    other = {
        **environment,
        "MODELTRACES_SECRET_KEY": secrets.token_hex(32),
        "MODELTRACES_DATA_DIR": str(tmp_path / "other"),
    }
    ended = run_command("serve", "--port=0", "--otlp-grpc-port=0", environment=other)
    assert ended.returncode == 1
    assert "Give every process the same MODELTRACES_SECRET_KEY" in ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert DATABASE_PASSWORD not in ended.stderr


def test_while_postgresql_is_away_servers_say_so_and_go_on_when_it_is_back(
    admins: tuple[httpx.Client, httpx.Client], limited: Limited, servers: tuple[Server, Server], postgres: Postgres
) -> None:
    if postgres.directory is None:
        pytest.skip("this PostgreSQL is not the tests' to stop")
    one, two, _ = limited(requests_per_minute=1000)
    assert (call(one), call(two)) == (200, 200)
    postgres.stop()
    try:
        soon(lambda: httpx.get(f"{servers[0].url}/readyz", timeout=30).status_code, 503)
        assert httpx.get(f"{servers[0].url}/healthz", timeout=30).status_code == 200
        soon(lambda: admins[0].get("/api/v1/models").status_code, 503)
        answer = admins[0].get("/api/v1/models")
        assert answer.headers["retry-after"]
        assert (
            answer.json()["detail"] == "The database of accounts and models cannot be used; the server's log says why."
        )
        assert "Check that PostgreSQL runs" in servers[0].log
        assert DATABASE_PASSWORD not in answer.text
        assert "Traceback" not in answer.text
        assert [call(caller) for caller in (one, two) * 5] == [200] * 10, "programs go on by what is known"
        # That is recorded when the catalog can take its model; until then the log says why in a line.
        assert call(one, "first-called-then") == 200
        soon(lambda: "the journal cannot be stored" in servers[0].log, True)
        with httpx.Client(base_url=servers[0].url, headers={"x-api-key": "mt_unknown"}, timeout=30) as nobody:
            assert call(nobody) == 503
    finally:
        postgres.start()
    for server in servers:
        soon(lambda server=server: httpx.get(f"{server.url}/readyz", timeout=30).status_code, 200)  # type: ignore[misc]
    soon(lambda: (call(one), call(two)), (200, 200))
    soon(lambda: "first-called-then" in admins[0].get("/api/v1/models").text, True)


def test_servers_that_start_and_stop_meanwhile_disturb_nobody(
    environment: dict[str, str], limited: Limited, tmp_path: Any, thorough: bool
) -> None:
    if not thorough:
        pytest.skip("takes a third server: with --thorough")
    one, _, _ = limited()
    stop, wrong = threading.Event(), []

    def go_on() -> None:
        while not stop.is_set():
            if (status := call(one)) != 200:
                wrong.append(status)

    calling = threading.Thread(target=go_on)
    calling.start()
    third = Server(tmp_path / "third", environment)
    try:
        third.start()
        assert third.stop() == 0, third.log
    finally:
        third.close()
        stop.set()
        calling.join()
    assert wrong == []
