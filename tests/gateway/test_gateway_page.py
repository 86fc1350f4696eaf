"""Settings → Gateway over a real server: what the page shows to whom, and calls made from it."""

import html
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from modeltraces.api.identity import SESSION_COOKIE
from modeltraces.catalog import keys, users
from modeltraces.catalog.sessions import Sessions
from modeltraces.catalog.users import Role
from tests.gateway.raw import RawUpstream, http
from tests.gateway.upstream import KEY, Upstream
from tests.support.server import Server

PAGE = "/settings/gateway"
ANSWER = "Größe 退款"


@dataclass
class Place:
    """An account with its people, keys and connections."""

    server: Server
    account: str
    account_id: str
    key_id: str
    key: str

    def person(self, role: Role, email: str = "") -> httpx.Client:
        """Signed in; the form's token is sent with every request."""
        email = email or f"{role}-{secrets.token_hex(4)}@example.com"
        user = users.create(self.server.catalog, self.account_id, email, role, actor="test")
        sessions = Sessions(self.server.catalog)
        made = sessions.create(user.id, self.account_id)
        found = sessions.lookup(made.token)
        assert found is not None
        return httpx.Client(
            base_url=self.server.url, cookies={SESSION_COOKIE: made.token}, headers={"X-CSRF-Token": found.csrf_token},
            timeout=30,
        )  # fmt: skip

    def try_it(self, person: httpx.Client, model: str, prompt: str = "hi", **more: str) -> list[dict[str, Any]]:
        given = {"model": model, "key": self.key_id, "family": "openai", "prompt": prompt, **more}
        answer = person.post(f"{PAGE}/try", data=given)
        assert answer.headers["content-type"] == "application/x-ndjson", answer.text
        return [orjson.loads(line) for line in answer.text.splitlines()]


@pytest.fixture(scope="module")
def place(server: Server, upstream: Upstream) -> Place:
    account = server.new_account("gateway page")
    account_id = server.account_id(account)
    with server.client("admin", account=account) as admin:
        for name, protocol, base, models in (
            ("fake", "openai", f"{upstream.url}/v1", ["gpt-4o", "status-429", "broken", "endless"]),
            ("claude", "anthropic", upstream.url, ["claude-x"]),
            ("nowhere", "openai", "http://127.0.0.1:9/v1", ["away"]),
        ):
            made = {"name": name, "protocol": protocol, "base_url": base, "credential": KEY, "models": models}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        for name in ("gpt-4o", "claude-x"):
            assert admin.post("/api/v1/models", json={"name": name, "kind": "external"}).status_code == 201
    plain, key = keys.create_key(server.catalog, account_id, "playground", actor="test", scopes=("gateway",))
    return Place(server, account, account_id, key.id, plain)


@pytest.fixture(scope="module")
def member(place: Place) -> Iterator[httpx.Client]:
    with place.person("member") as client:
        yield client


def run_at(place: Place, href: str) -> dict[str, Any]:
    with place.server.client("read", account=place.account) as reader:
        answer = reader.get(f"/api/v1/runs/{href.rsplit('/', 1)[1]}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
    return found


def test_a_streamed_answer_comes_piece_by_piece_and_its_run_is_there(place: Place, member: httpx.Client) -> None:
    events = place.try_it(member, "gpt-4o", "Größe?", stream="1")
    texts = [event["text"] for event in events if "text" in event]
    assert len(texts) > 1
    assert "".join(texts) == ANSWER + "."
    done, last = events[-2:]
    assert "first token after" in done["done"]
    assert "9 tokens in, 3 out" in done["done"]
    assert last["is_stored"]
    assert member.get(last["run"]).status_code == 200
    run = run_at(place, last["run"])
    assert (run["source_type"], run["model"], run["connection_name"]) == ("Playground", "gpt-4o", "fake")
    assert run["source"].startswith("member-")
    assert run["input"] == "Größe?"


def test_a_whole_answer_of_either_api_comes_at_once(place: Place, member: httpx.Client) -> None:
    text, done, _ = place.try_it(member, "gpt-4o")
    assert (text["text"], "first token" in done["done"]) == (ANSWER, False)
    events = place.try_it(member, "claude-x", family="anthropic")
    assert events[0] == {"text": "hello"}
    streamed = place.try_it(member, "claude-x", family="anthropic", stream="1")
    assert [event["text"] for event in streamed if "text" in event] == ["hel", "lo"]
    assert run_at(place, streamed[-1]["run"])["request"]["max_tokens"] > 0


def test_a_model_for_embeddings_is_asked_for_a_vector(place: Place, member: httpx.Client, upstream: Upstream) -> None:
    vector, done, run = place.try_it(member, "gpt-4o", "a text", task="embeddings", stream="1")
    assert vector["text"] == "A vector of 2 numbers: 0.1, 0.2"
    assert done["done"].endswith("2 tokens in")
    path, _, body = upstream.last
    assert (path, body) == ("/v1/embeddings", {"model": "gpt-4o", "input": "a text"})
    assert run_at(place, run["run"])["operation"] == "embeddings"
    (error,) = place.try_it(member, "gpt-4o", task="images")
    assert "The task must be chat or embeddings" in error["error"]


def test_errors_are_shown_as_a_program_gets_them_and_lead_to_their_runs(place: Place, member: httpx.Client) -> None:
    error, _, run = place.try_it(member, "status-429")
    assert (error["error"], error["status"]) == ("no: 429", 429)
    assert orjson.loads(error["body"])["error"]["code"] == "nope"
    assert run_at(place, run["run"])["status"] == "failed"
    error, _, run = place.try_it(member, "away", stream="1")
    assert error["status"] == 502
    assert "cannot be reached" in error["error"]
    assert "cannot be reached" in run_at(place, run["run"])["error"]["message"]
    # No upstream was asked: there is no run to lead to.
    error, done = place.try_it(member, "gpt-4")
    assert error["status"] == 404
    assert "Did you mean gpt-4o?" in error["error"]
    assert "done" in done
    events = place.try_it(member, "broken", stream="1")
    assert events[0]["text"] == "Grö"
    assert any("broke off" in event.get("error", "") for event in events)
    assert events[-1]["is_stored"]


@pytest.mark.parametrize("stream", ["", "1"])
def test_an_answer_that_is_none_is_told_as_its_run_tells_it(
    place: Place, member: httpx.Client, raw: RawUpstream, stream: str
) -> None:
    name = f"raw{stream}"
    with place.server.client("admin", account=place.account) as admin:
        made = {"name": name, "protocol": "openai", "base_url": f"{raw.url}/v1", "models": [name]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
    page = b"<html><body>Sign in to the proxy</body></html>"
    for answer, says, shown in (
        (http(200, page, "Content-Type: text/html"), "The upstream answered HTTP 200 with a page of HTML.", page.decode()),
        (http(200, b"", "Content-Type: application/json"), "The upstream answered HTTP 200 with an empty body.", ""),
        (http(200, b"hello", "Content-Type: text/plain"), "The upstream answered HTTP 200 with what is no JSON.", "hello"),
        (http(302, b"", "Location: /elsewhere"), "The upstream answered HTTP 302.", ""),
    ):  # fmt: skip
        raw.sends(answer)
        error, done, run = place.try_it(member, name, stream=stream)
        assert (error["error"], error["body"]) == (says, shown)
        assert "done" in done
        failed = run_at(place, run["run"])
        assert failed["status"] == "failed"
        assert failed["error"]["message"] == says or "302" in says
    raw.sends(http(200, b'{"choices": []}', "Content-Type: application/json"))
    done, _ = place.try_it(member, name, stream=stream)
    assert done["done"].endswith("no text came"), "of a run that succeeded nothing is shown, and that is said"


def test_a_key_holds_the_page_to_its_limits_and_its_recording(place: Place, member: httpx.Client) -> None:
    catalog = place.server.catalog
    _, bound = keys.create_key(
        catalog, place.account_id, "one call", actor="test", scopes=("gateway",), limits={"requests_per_minute": 1}
    )
    found = [place.try_it(member, "gpt-4o", key=bound.id)[0] for _ in range(3)]
    assert found[-1]["status"] == 429
    _, silent = keys.create_key(
        catalog, place.account_id, "silent", actor="test", scopes=("gateway",),
        limits={"recording": "off", "allowed_models": ["gpt-4o"]},
    )  # fmt: skip
    assert "done" in place.try_it(member, "gpt-4o", key=silent.id)[-1], "no link to a run that will not be"
    assert "records nothing" in member.get(PAGE, params={"key": silent.id, "model": "gpt-4o"}).text
    assert place.try_it(member, "claude-x", key=silent.id, family="anthropic")[0]["status"] == 403
    assert "may not call this model" in member.get(PAGE, params={"key": silent.id, "model": "claude-x"}).text


def test_the_page_takes_the_newest_key_that_calls_the_model_and_records_all_of_it(server: Server, place: Place) -> None:
    account = server.new_account("gateway page, keys")
    bare = Place(server, account, server.account_id(account), "", "")
    with server.client("admin", account=account) as admin:
        made = {"name": "any", "protocol": "openai", "base_url": "http://127.0.0.1:9/v1", "models": ["*"]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
    limits: dict[str, dict[str, Any]] = {
        "silent": {"recording": "off"}, "sparse": {"recording": "metadata"}, "full": {}, "newer": {},
        "other": {"allowed_models": ["other"]}, "sparse too": {"recording": "metadata"},
    }  # fmt: skip

    def shown(person: httpx.Client, model: str = "m") -> tuple[str, str]:
        page = person.get(PAGE, params={"model": model}).text
        note = page.partition("This key records ")[2].partition(":")[0]
        return page.partition('aria-label="Key: ')[2].partition('"')[0], note

    with bare.person("admin") as person:
        seen = []
        for name, limit in limits.items():
            keys.create_key(server.catalog, bare.account_id, name, actor="t", scopes=("gateway",), limits=limit)
            seen.append(shown(person))
        assert seen == [
            ("silent", "nothing"), ("sparse", "metadata only"), ("full", ""), ("newer", ""), ("newer", ""), ("newer", ""),
        ]  # fmt: skip
        assert shown(person, "other") == ("other", "")
        for expected in ("Gateway", "Gateway 2", "Gateway 3"):
            assert person.post(f"{PAGE}/key?model=m").status_code == 303
            assert shown(person)[0] == expected


@pytest.mark.parametrize("email", ["жанна@example.com", "jörg@example.com", "退款@example.com"])
def test_who_tried_is_told_in_any_script(place: Place, email: str) -> None:
    """Of a name that Latin-1 does not have, the run said `?????@example.com`."""
    with place.person("member", email) as person:
        (*_, run) = place.try_it(person, "gpt-4o")
    assert run["is_stored"]
    with place.server.client("read", account=place.account) as reader:
        found = reader.get("/api/v1/runs", params={"filter": f'source:"{email}"'}).json()["runs"]
    assert [one["source"] for one in found] == [email]


def test_who_leaves_in_the_middle_ends_the_call(place: Place, member: httpx.Client, upstream: Upstream) -> None:
    left = upstream.left
    given = {"model": "endless", "key": place.key_id, "family": "openai", "prompt": "leave", "stream": "1"}
    with member.stream("POST", f"{PAGE}/try", data=given) as answer:
        lines = answer.iter_lines()
        assert "text" in orjson.loads(next(lines))
    deadline = time.monotonic() + 10
    while upstream.left == left:
        assert time.monotonic() < deadline, "the upstream still answers nobody"
        time.sleep(0.05)
    with place.server.client("read", account=place.account) as reader:
        while not (runs := reader.get("/api/v1/runs", params={"filter": "input:leave"}).json()["runs"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        found = reader.get(f"/api/v1/runs/{runs[0]['request_id']}").json()
    assert found["finish_reasons"] == ["client_left"]
    assert found["status"] == "success"


def test_only_who_may_call_calls_and_with_keys_of_their_account(place: Place, upstream: Upstream) -> None:
    other = place.server.new_account("gateway page, others")
    other_id = place.server.account_id(other)
    _, theirs = keys.create_key(place.server.catalog, other_id, "x", actor="test", scopes=("gateway",))
    _, reading = keys.create_key(place.server.catalog, place.account_id, "r", actor="test", scopes=("read",))
    asked = len(upstream.asked)
    given = {"model": "gpt-4o", "key": place.key_id, "family": "openai", "prompt": "hi"}
    with place.person("member") as member:
        for key_id in (theirs.id, reading.id, "none"):
            assert member.post(f"{PAGE}/try", data={**given, "key": key_id}).status_code == 404
            assert member.get(PAGE, params={"key": key_id}).status_code == 404
        assert member.post(f"{PAGE}/try", data={**given, "prompt": " "}).status_code == 422
        assert member.post(f"{PAGE}/try", data={**given, "prompt": "x" * 100_001}).status_code == 422
        assert member.post(f"{PAGE}/try", data={**given, "family": "x"}).status_code == 422
        assert member.post(f"{PAGE}/try", data=given, headers={"X-CSRF-Token": ""}).status_code == 403
        assert member.post(f"{PAGE}/key").status_code == 403
    with place.person("viewer") as viewer:
        assert viewer.post(f"{PAGE}/try", data=given).status_code == 403
        page = viewer.get(PAGE).text
        assert "data-try" not in page
        assert "curl" in page
    assert len(upstream.asked) == asked


def test_the_page_fits_the_chosen_model_and_shows_a_new_key_once(place: Place) -> None:
    with place.person("admin") as admin:
        page = admin.get(PAGE, params={"model": "claude-x", "tool": "langchain-anthropic"}).text
        assert f"{place.server.url}/gateway/anthropic" in page
        assert "/gateway/openai" not in page
        assert 'id="tab-langchain-anthropic" aria-controls="snippet-langchain-anthropic" aria-selected="true"' in page
        assert "There is no model &#39;gpt-4&#39;" in admin.get(PAGE, params={"model": "gpt-4"}).text
        assert (
            "http://127.0.0.1:8/gateway/openai"
            in admin.get(f"{PAGE}?model=gpt-4o", headers={"Host": "127.0.0.1:8"}).text
        )
        made = admin.post(f"{PAGE}/key?model=claude-x&tool=curl-anthropic")
        assert made.status_code == 303
        location = made.headers["location"]
        assert "model=claude-x" in location
        assert "mt_" not in location
        cookie = made.cookies["modeltraces_once"]
        shown = admin.get(
            location, headers={"Cookie": f"{SESSION_COOKIE}={admin.cookies[SESSION_COOKIE]}; modeltraces_once={cookie}"}
        )
        plain = shown.text.partition('id="new-key">')[2].partition("<")[0]
        assert plain.startswith("mt_")
        assert f"x-api-key: <mark>{plain}</mark>" in shown.text
        asked = {"model": "gpt-4o", "messages": []}
        assert (
            httpx.post(
                f"{place.server.url}/gateway/openai/v1/chat/completions", json=asked, headers={"x-api-key": plain}
            ).status_code
            == 200
        )
        again = admin.get(location, headers={"Cookie": f"{SESSION_COOKIE}={admin.cookies[SESSION_COOKIE]}"})
        assert plain not in again.text
        assert "MODELTRACES_KEY" in again.text
        assert KEY not in again.text


def test_an_account_without_models_or_keys_is_told_what_to_do(place: Place, upstream: Upstream) -> None:
    server = place.server
    account = server.new_account("gateway page, empty")
    empty = Place(server, account, server.account_id(account), "", "")
    with empty.person("owner") as owner:
        page = owner.get(PAGE).text
        assert "No models to call" in page
        assert 'href="/settings/connections"' in page
        with server.client("admin", account=account) as admin:
            made = {"name": "all", "protocol": "openai", "base_url": f"{upstream.url}/v1", "models": ["*"]}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        assert "Another model, by its name" in owner.get(PAGE).text
        page = owner.get(PAGE, params={"model": "never-seen"}).text
        assert "&#34;never-seen&#34;" in page
        assert "No key may call models yet" in page
        assert "data-try-send" not in page


def test_a_model_that_a_connection_names_is_listed_before_its_first_call(server: Server) -> None:
    account = server.new_account("gateway page, new connection")
    here = Place(server, account, server.account_id(account), "", "")
    with server.client("admin", account=account) as admin, here.person("owner") as owner:
        for name, protocol, models in (
            ("first", "openai", ["Known", "brand-new"]),
            ("second", "openai", ["Brand-New"]),
            ("third", "anthropic", ["claude-new"]),
            ("every", "openai", ["*"]),
        ):
            made = {"name": name, "protocol": protocol, "base_url": "http://127.0.0.1:9/v1", "models": models}
            assert admin.post("/api/v1/connections", json=made).status_code == 201
        assert admin.post("/api/v1/models", json={"name": "known", "kind": "external"}).status_code == 201
        page = owner.get(PAGE).text
    group = page.split("Named by connections, not called yet</div>")[1].split("</div>")[0]
    for name, listed in (
        ("brand-new", True),
        ("claude-new", True),
        ("Brand-New", False),
        ("nown", False),
        ("*", False),
    ):
        assert (f"{name}</" in group) is listed, name
    for family, names in (("openai", ["brand-new", "known"]), ("anthropic", ["claude-new"])):
        with server.client("gateway", account=account) as caller:
            answer = caller.get(f"/gateway/{family}/v1/models").json()
        assert [model["id"] for model in answer["data"]] == names


def test_an_unknown_model_is_not_taken_for_one_of_the_other_api(server: Server) -> None:
    account = server.new_account("gateway page, a wrong name")
    with server.client("admin", account=account) as admin, server.client("gateway", account=account) as caller:
        made = {"name": "claude", "protocol": "anthropic", "base_url": "http://127.0.0.1:9", "models": ["*"]}
        assert admin.post("/api/v1/connections", json=made).status_code == 201
        assert admin.post("/api/v1/models", json={"name": "gpt-4o", "kind": "external"}).status_code == 201
        answer = caller.post("/gateway/openai/v1/chat/completions", json={"model": "gpt-4oo", "messages": []})
    assert answer.status_code == 404
    assert "There is no model 'gpt-4oo' in this account. Did you mean gpt-4o?" in answer.json()["error"]["message"]
    assert "claude takes any name, but speaks anthropic" in answer.json()["error"]["message"]


def test_the_page_begins_with_a_model_that_will_answer_not_with_a_misspelt_one(server: Server) -> None:
    account = server.new_account("gateway page, first model")
    here = Place(server, account, server.account_id(account), "", "")

    def begins_with(person: httpx.Client, model: str) -> bool:
        # The gateway looks once a second whether the catalog is another.
        deadline = time.monotonic() + 30
        while f'"model": "{model}"' not in html.unescape(person.get(PAGE).text):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    with server.client("admin", account=account) as admin, here.person("owner") as owner:
        every = {"name": "every", "protocol": "openai", "base_url": "http://127.0.0.1:9/v1", "models": ["*"]}
        assert admin.post("/api/v1/connections", json=every).status_code == 201
        failed = {"model": "a-misspelt", "connection_name": "every", "error": "no such model"}
        assert admin.post("/api/v1/runs", json=failed).status_code == 200
        assert begins_with(owner, "a-misspelt"), "there is no other"
        assert admin.post("/api/v1/runs", json={"model": "m-called", "connection_name": "every"}).status_code == 200
        assert begins_with(owner, "m-called")
        named = {**every, "name": "named", "models": ["z-named"]}
        assert admin.post("/api/v1/connections", json=named).status_code == 201
        assert begins_with(owner, "z-named")
