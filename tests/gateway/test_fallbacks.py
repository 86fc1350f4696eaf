"""Calls of models whose calls are spread, through a real server: what the caller gets, and what the run says of it."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.gateway.upstream import KEY, Upstream
from tests.support.server import Server

CHAT = "/gateway/openai/v1/chat/completions"
FIRST_BYTE, IDLE, TOTAL = 1.5, 2.5, 4.0
STAR = "star"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for no upstream for long."""
    running = Server(
        tmp_path_factory.mktemp("hasty") / "data",
        {
            "MODELTRACES_GATEWAY_FIRST_BYTE_SECONDS": str(FIRST_BYTE),
            "MODELTRACES_GATEWAY_IDLE_SECONDS": str(IDLE),
            "MODELTRACES_GATEWAY_TOTAL_SECONDS": str(TOTAL),
        },
    )
    try:
        yield running.start()
    finally:
        running.close()


class World:
    """An account, who calls its models, and what is made in its catalog."""

    def __init__(self, server: Server, name: str, upstream: Upstream) -> None:
        self.server, self.upstream = server, upstream
        account = server.new_account(name)
        self.caller = httpx.Client(base_url=server.url, headers=self._headers("gateway", account), timeout=30)
        self.admin = httpx.Client(base_url=server.url, headers=self._headers("admin", account), timeout=30)

    def _headers(self, scope: str, account: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.server.key(scope, account=account)}"}

    def make(self, path: str, **values: Any) -> None:
        answer = self.admin.post(f"/api/v1/{path}", json=values)
        assert answer.status_code == 201, answer.text

    def connect(self, name: str, does: str = "", *models: str, **more: Any) -> None:
        """A connection to the fake provider; `does`: what the provider does with every call."""
        base = f"{self.upstream.url}/do-{does}/v1" if does else f"{self.upstream.url}/{name}/v1"
        values = {"name": name, "protocol": "openai", "base_url": base, "models": list(models) or ["*"], **more}
        self.make("connections", **values)

    def route(self, model: str, *fallbacks: str, **weights: int) -> None:
        answer = self.admin.patch(
            f"/api/v1/models/{model}", json={"routing": {"weights": weights, "fallbacks": list(fallbacks)}}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["routing"] == {"weights": weights, "fallbacks": list(fallbacks)}

    def external(self, *places: tuple[str, str]) -> None:
        """`gpt-4o`: always the first of the places, then the others."""
        self.make("models", name="gpt-4o", kind="external")
        for name, does in places:
            self.connect(name, does)
        self.route("gpt-4o", *[name for name, _ in places[1:]], **{places[0][0]: 1})

    def ask(self, model: str = "gpt-4o", **more: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
        return self.caller.post(CHAT, json=body)

    def run(self, answer: httpx.Response) -> dict[str, Any]:
        return self.run_of(answer.headers["x-request-id"])

    def run_of(self, request_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while (found := self.admin.get(f"/api/v1/runs/{request_id}")).status_code == 404:
            assert time.monotonic() < deadline, "the call was not recorded"
            time.sleep(0.05)
        run: dict[str, Any] = found.json()
        return run

    def last_run(self, count: int = 1) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while len(runs := self.admin.get("/api/v1/runs").json()["runs"]) != count:
            assert time.monotonic() < deadline, runs
            time.sleep(0.05)
        return self.run_of(runs[0]["request_id"])


@pytest.fixture
def world(hasty: Server, upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(hasty, request.node.nodeid, upstream)
    yield made
    made.caller.close()
    made.admin.close()


def attempts(run: dict[str, Any]) -> list[tuple[str, Any]]:
    """(place, status or error) of each."""
    listed = json.loads(run["attributes"]["gateway.attempts"])
    assert all(one["ms"] >= 0 for one in listed)
    assert run["response_time_ms"] >= sum(one["ms"] for one in listed) - 0.1
    return [(one["place"], one.get("status") or one["error"]) for one in listed]


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("status-429", 429),
        ("status-500", 500),
        ("status-529", 529),
        ("reset", "The upstream broke the call off."),
        ("silent", "The upstream sent no first byte within 1.5 seconds."),
    ],
)
def test_what_fails_before_the_first_byte_is_tried_at_the_next_place(world: World, does: str, said: Any) -> None:
    world.external(("bad", does), ("good", ""))
    answer = world.ask()
    assert answer.json()["choices"][0]["message"]["content"] == "Größe 退款"
    run = world.run(answer)
    assert (run["status"], run["connection_name"], run["base_model"]) == ("success", "good", "gpt-4o-2026")
    assert attempts(run) == [("bad", said), ("good", 200)]
    server = urlsplit(world.upstream.url)
    assert (run["attributes"]["server.address"], run["attributes"]["server.port"]) == (
        server.hostname,
        str(server.port),
    )
    filtered = world.admin.get("/api/v1/runs", params={"filter": f"server_address:{server.netloc}"}).json()["runs"]
    assert run["request_id"] in [one["request_id"] for one in filtered]
    again = world.run(world.ask())
    assert again["connection_name"] == "good"
    assert "gateway.attempts" not in again["attributes"], "what just failed is left alone for a while"
    filtered = world.admin.get("/api/v1/runs", params={"filter": "attributes.gateway.attempts:*"}).json()["runs"]
    assert [one["request_id"] for one in filtered] == [run["request_id"]], "those that fell back"
    reason = said if isinstance(said, int) else "timeout" if does == "silent" else "error"
    assert f'modeltraces_gateway_fallbacks_total{{reason="{reason}"}}' in world.admin.get("/metrics").text


def test_a_place_that_cannot_be_reached_is_passed_over(world: World) -> None:
    world.make("models", name="gpt-4o", kind="external")
    world.connect("dead", base_url="http://127.0.0.1:9/v1")
    world.connect("good")
    world.route("gpt-4o", "good", dead=1)
    ((dead, said), good) = attempts(world.run(world.ask()))
    assert (dead, good) == ("dead", ("good", 200))
    assert said == "The upstream cannot be reached: connection refused.", "and nothing of its address"


def test_the_caller_gets_what_the_last_place_said(world: World) -> None:
    world.external(("a", "status-503"), ("b", "status-529-7"))
    answer = world.ask()
    assert (answer.status_code, answer.json()["error"]["message"]) == (529, "no: 529")
    assert answer.headers["retry-after"] == "7"
    run = world.run(answer)
    assert (run["status"], run["error"]["message"], run["connection_name"]) == ("failed", "no: 529", "b")
    assert attempts(run) == [("a", 503), ("b", 529)]


def test_what_the_caller_did_wrong_is_said_by_the_first_place(world: World) -> None:
    world.external(("a", "status-400"), ("b", ""))
    answer = world.ask()
    assert answer.status_code == 400
    run = world.run(answer)
    assert (run["connection_name"], "gateway.attempts" in run["attributes"]) == ("a", False)


def test_a_stream_falls_back_before_it_begins_and_never_after(world: World) -> None:
    world.external(("a", "status-429"), ("b", ""))
    direct = httpx.post(
        f"{world.upstream.url}/v1/chat/completions", json={"model": "gpt-4o", "messages": [], "stream": True}
    ).text
    streamed = world.ask(stream=True)
    assert streamed.text == direct, "as if there had been one place"
    run = world.run(streamed)
    assert (run["output"], run["input_tokens"], attempts(run)) == ("Größe 退款.", 9, [("a", 429), ("b", 200)])
    world.make("models", name="broken", kind="external")
    world.route("broken", "a", b=1)
    with pytest.raises(httpx.RemoteProtocolError):
        world.ask("broken", stream=True)
    run = world.last_run(2)
    assert (run["status"], run["output"], run["connection_name"]) == ("failed", "Größe ", "b")
    assert run["error"]["message"] == "The upstream broke the call off."
    assert "gateway.attempts" not in run["attributes"]


def test_each_place_has_its_own_name_credential_and_protocol(world: World) -> None:
    world.make("models", name="llama", kind="open_source")
    for number, endpoint in enumerate(
        (f"{world.upstream.url}/do-status-500", f"{world.upstream.url}/do-status-503/v1"), 1
    ):
        world.make(
            "models/llama/deployments", endpoint=endpoint, upstream_model=f"meta/{number}", credential=f"sk-own-{number}",
            protocol="ollama",
        )  # fmt: skip
    world.connect("azure", protocol="azure_openai", base_url=world.upstream.url, models=["LLAMA"], credential=KEY)
    world.route("llama", "v1", "azure", v2=1)
    before = len(world.upstream.asked)
    answer = world.ask("llama", stream=True)
    assert answer.status_code == 200
    sent = world.upstream.asked[before:]
    assert [path for path, _, _ in sent] == [
        "/do-status-503/v1/chat/completions", "/do-status-500/v1/chat/completions",
        "/openai/deployments/LLAMA/chat/completions?api-version=2024-10-21",
    ]  # fmt: skip
    assert [json.loads(body)["model"] for _, _, body in sent] == ["meta/2", "meta/1", "LLAMA"]
    assert [headers.get("authorization") for _, headers, _ in sent] == ["Bearer sk-own-2", "Bearer sk-own-1", None]
    assert sent[2][1]["api-key"] == KEY
    run = world.run(answer)
    assert (run["model"], run["deployment_version"], run["connection_name"]) == ("llama", None, "azure")
    assert attempts(run) == [("v2", 503), ("v1", 500), ("azure", 200)]
    named = world.ask("llama@v1")
    assert named.status_code == 500
    run = world.run(named)
    assert run["deployment_version"] == "v1"
    assert "gateway.attempts" not in run["attributes"], "a named place is that place only"


def test_weights_spread_the_calls_and_a_place_that_is_not_up_is_skipped(world: World) -> None:
    world.make("models", name="llama", kind="open_source")
    for version in ("v1", "v2", "v3"):
        world.make("models/llama/deployments", version=version, endpoint=f"{world.upstream.url}/at-{version}/v1")
    world.route("llama", v1=1, v2=1, v3=0)
    before = len(world.upstream.asked)
    for _ in range(40):
        assert world.ask("llama").status_code == 200
    went = {path.split("/")[1] for path, _, _ in world.upstream.asked[before:]}
    assert went == {"at-v1", "at-v2"}
    world.make("models/llama/deployments/v1/events", type="undeploy")
    assert world.run(world.ask("llama"))["deployment_version"] == "v2"
    world.make("models/llama/deployments/v2/events", type="undeploy")
    refused = world.ask("llama")
    assert refused.status_code == 404
    assert "No place of the routing of llama is up" in refused.json()["error"]["message"]
    assert world.admin.patch("/api/v1/models/llama", json={"routing": None}).json()["routing"] is None
    assert world.run(world.ask("llama"))["deployment_version"] == "v3"


def test_a_routing_that_cannot_be_is_refused_by_the_api(world: World) -> None:
    world.external(("a", ""))
    for routing, says in (({"weights": {"nowhere": 1}}, "no connection 'nowhere'"), (3, "routing must be")):
        refused = world.admin.patch("/api/v1/models/gpt-4o", json={"routing": routing})
        assert (refused.status_code, says in refused.json()["detail"]) == (422, True), refused.text
    assert world.admin.get("/api/v1/models/gpt-4o").json()["routing"] == {"weights": {"a": 1}, "fallbacks": []}


def test_a_caller_that_leaves_in_mid_attempt_ends_it_and_no_other_is_made(world: World) -> None:
    world.external(("a", "status-500"), ("b", "silent"), ("c", ""))
    left, before = world.upstream.left, len(world.upstream.asked)
    with pytest.raises(httpx.ReadTimeout):
        world.caller.post(CHAT, json={"model": "gpt-4o", "messages": []}, timeout=0.6)
    run = world.last_run()
    assert (run["status"], run["finish_reasons"], run["connection_name"]) == ("success", ["client_left"], "b")
    assert attempts(run) == [("a", 500), ("b", "The caller left.")]
    assert (world.upstream.left, len(world.upstream.asked) - before) == (left + 1, 2)


def test_all_attempts_together_have_the_time_of_one_call(world: World) -> None:
    world.external(("a", "silent"), ("b", "silent"), ("c", "silent"), ("d", ""))
    began = time.monotonic()
    answer = world.ask()
    assert TOTAL - 0.1 < time.monotonic() - began < TOTAL + 2
    assert answer.status_code == 504
    assert answer.json()["error"]["message"] == "modeltraces gateway: The call took longer than 4 seconds in all."
    run = world.last_run()
    assert [place for place, _ in attempts(run)] == ["a", "b", "c"]
    assert run["error"]["message"] == "The call took longer than 4 seconds in all."


def test_an_error_says_which_time_was_over(world: World) -> None:
    for name in ("silent", "head", "stall"):
        world.connect(name, name, name)
    found: dict[str, Any] = {}

    def call(name: str) -> None:
        try:
            found[name] = world.ask(name, stream=True)
        except httpx.TransportError as error:
            found[name] = error

    threads = [threading.Thread(target=call, args=(name,)) for name in ("silent", "head", "stall")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found["silent"].status_code, found["silent"].json()["error"]["message"]) == (
        504, "modeltraces gateway: The upstream sent no first byte within 1.5 seconds. That was silent@silent.",
    )  # fmt: skip
    assert isinstance(found["head"], httpx.RemoteProtocolError)
    assert isinstance(found["stall"], httpx.RemoteProtocolError)
    deadline = time.monotonic() + 10
    while len(runs := world.admin.get("/api/v1/runs").json()["runs"]) != 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {run["model"]: (run["error"]["message"], run["output"]) for run in runs} == {
        "silent": ("The upstream sent no first byte within 1.5 seconds.", ""),
        "head": ("The upstream sent no first byte within 1.5 seconds.", ""),
        "stall": ("The upstream sent nothing for 2.5 seconds in the middle of its answer.", "one"),
    }


def test_what_is_not_known_to_be_inference_is_sent_once(world: World) -> None:
    world.external(("a", "status-500"), ("b", ""))
    before = len(world.upstream.asked)
    answer = world.caller.post("/gateway/openai/v1/fine_tuning/jobs", json={"model": "gpt-4o", "training_file": "f"})
    assert answer.status_code == 500
    assert len(world.upstream.asked) == before + 1


def test_a_connection_to_every_model_serves_what_nobody_else_claims(world: World) -> None:
    """And such names enter the catalog as external, whatever server is at its end."""
    world.connect(STAR, provider="vllm")
    world.connect("named", "", "gpt-4o")
    world.make("models", name="my-llama", kind="open_source")
    for _ in range(2):
        answer = world.ask("ft:anything/new")
        assert answer.status_code == 200
        assert world.run(answer)["connection_name"] == STAR
    found = world.admin.get("/api/v1/models/ft%3Aanything%2Fnew").json()
    assert (found["kind"], found["deployments"], [one["name"] for one in found["connections"]]) == (
        "external",
        [],
        [STAR],
    )
    assert world.run(world.ask("GPT-4o"))["connection_name"] == "named"
    before = len(world.upstream.asked)
    refused = world.ask("my-llama")
    assert refused.status_code == 404
    assert "call it as my-llama@star" in refused.json()["error"]["message"]
    assert len(world.upstream.asked) == before, "nothing meant for a model of one's own leaves the house"
    listed = {model["id"] for model in world.caller.get("/gateway/openai/v1/models").json()["data"]}
    assert "my-llama" not in listed
    assert world.run(world.ask("my-llama@star"))["connection_name"] == STAR
