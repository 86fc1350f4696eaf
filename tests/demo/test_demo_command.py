"""`modeltraces demo`, as a newcomer meets it. With `--pictures docs` the picture of its page in docs/ is taken anew."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from modeltraces.demo.history import DEMO_RUNS
from modeltraces.demo.models import MODELS
from modeltraces.demo.serving import OWNER_EMAIL
from tests.browser.conftest import TRACES
from tests.conftest import TakePicture
from tests.demo import small
from tests.support import server as support
from tests.support.server import Server

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "screenshot.png"
MOST_BYTES = 300_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def runs(thorough: bool, request: pytest.FixtureRequest) -> int:
    """How long the history is: whole where the picture is taken."""
    return DEMO_RUNS if thorough or request.config.getoption("--pictures") else small.RUNS


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, runs: int) -> Iterator[Server]:
    module = "modeltraces" if runs == DEMO_RUNS else small.__name__
    running = Server(tmp_path_factory.mktemp("demo") / "data", verb="demo", module=module, from_nothing=True)
    with pytest.MonkeyPatch.context() as patch:
        # The promise is a minute on two cores of one's own; here other tests run beside it.
        patch.setattr(support, "_START_SECONDS", 300.0)
        try:
            yield running.start()
            assert running.stop() == 0, running.log
        finally:
            running.close()


def link_in(log: str) -> str:
    found = re.findall(r"http://127\.0\.0\.1:\d+(/sign-in/link/\S+)", log)
    assert found, log
    return str(found[-1])


def test_it_has_the_whole_history_and_then_live_runs(demo: Server, runs: int) -> None:
    with demo.client() as client:
        models = {model["name"]: model["kind"] for model in client.get("/api/v1/models").json()["models"]}
        assert models == {name: model.kind for name, model in MODELS.items()}
        deadline = time.monotonic() + 60
        while True:
            total = client.get("/api/v1/metrics", params={"period": "90d"}).json()["total_requests"]
            if total > runs:
                break
            assert total == runs
            assert time.monotonic() < deadline, "no live run came"
            time.sleep(0.5)


def test_the_printed_link_signs_in_and_no_other_link_is_printed(demo: Server) -> None:
    assert len(re.findall(r"/sign-in/link/", demo.log)) == 1
    with httpx.Client(base_url=demo.url, follow_redirects=True, timeout=30) as browser:
        page = browser.get(link_in(demo.log))
        assert page.status_code == 200
        form = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
        signed_in = browser.post(link_in(demo.log), data=form, headers={"Origin": demo.url})
        assert signed_in.status_code == 200, signed_in.text[:500]
        assert "Model Traces" in signed_in.text
        assert OWNER_EMAIL in browser.get("/").text


def test_a_second_start_has_the_same_runs_soon_and_a_new_link(demo: Server, runs: int) -> None:
    before = link_in(demo.log)
    assert demo.stop() == 0, demo.log
    began = time.monotonic()
    demo.start()
    assert time.monotonic() - began < 30
    assert link_in(demo.log) != before
    with demo.client() as client:
        total = client.get("/api/v1/metrics", params={"period": "90d"}).json()["total_requests"]
    assert runs < total < 1.1 * runs


def test_every_model_can_be_called_at_once(demo: Server) -> None:
    """After the second start: what leads to the demo's upstream was brought up to date."""
    prompt = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 50}
    with demo.client("gateway", "read") as client:
        listed = {one["id"] for one in client.get("/gateway/openai/v1/models").json()["data"]}
        embedding = "text-embedding-3-small"
        assert listed == {one.name for one in MODELS.values() if one.wire == "openai"}
        for model in [*sorted(listed - {embedding}), "gpt-4o@openai-direct", "gpt-4o@azure-eu"]:
            told = client.post("/gateway/openai/v1/chat/completions", json={"model": model, **prompt})
            assert told.status_code == 200, (model, told.text)
            assert told.json()["choices"][0]["message"]["content"].startswith("Hello!")
        told = client.post("/gateway/openai/v1/embeddings", json={"model": embedding, "input": "hello"})
        assert told.status_code == 200, told.text
        assert len(told.json()["data"][0]["embedding"]) > 100
        streamed = {"model": "claude-sonnet-5-5", "stream": True, **prompt}
        told = client.post("/gateway/anthropic/v1/messages", json=streamed)
        assert told.text.count("content_block_delta") > 5, told.text
        run = client.get(f"/api/v1/runs/{told.headers['x-request-id']}")
        deadline = time.monotonic() + 20
        while run.status_code == 404 and time.monotonic() < deadline:
            time.sleep(0.1)
            run = client.get(f"/api/v1/runs/{told.headers['x-request-id']}")
        assert (run.json()["connection_name"], run.json()["status"]) == ("anthropic-prod", "success")


@pytest.mark.browser
def test_the_picture_of_the_page_is_small_and_shows_what_there_is(
    demo: Server, browser: Browser, take_picture: TakePicture
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 860}, timezone_id="Europe/Berlin")
    page.goto(demo.url + link_in(demo.log))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**" + TRACES)
    expect(page.locator(".chart-area canvas")).to_be_visible()
    expect(page.locator("tr[data-run]")).to_have_count(50)
    page.wait_for_timeout(400)
    take_picture(page, PICTURE.stem)
    page.close()
    assert 20_000 < PICTURE.stat().st_size <= MOST_BYTES, "take it with --pictures docs"
