"""The real SDKs, in environments of their own, send straight to a running server: each of their calls is one run.

`tests/emitters/run` makes the environments and runs these. An environment that cannot be made fails its tests. Daily one of
each kind; the others with `--thorough`: what each sends was recorded, and test_recorded.py reads all of it every day.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.emitters.catalog import EMITTERS, Emitter
from tests.emitters.driver import Driver
from tests.emitters.environments import set_up
from tests.emitters.expected import EXPECTED
from tests.emitters.facts import check
from tests.emitters.fake_provider import Provider
from tests.emitters.reading import whole_runs
from tests.support.server import Server

pytestmark = pytest.mark.emitters
SETUP_SECONDS = 600
DAILY = {
    "anthropic_openinference", "langchain_mixed_twice", "pydantic_ai", "vercel_ai_7", "litellm_otel",
    "langfuse", "openai_openllmetry", "openai_otel_v2_latest",
}  # fmt: skip
# Plays daily all that it would play over HTTP, too.
DAILY_OVER_GRPC = "openai_otel_genai_events"


@pytest.fixture
def emitter(request: pytest.FixtureRequest, thorough: bool) -> Emitter:
    daily = {DAILY_OVER_GRPC} if "over_grpc" in request.function.__name__ else DAILY
    if request.param not in daily and not thorough:
        pytest.skip("with --thorough")
    return EMITTERS[request.param]


@pytest.fixture(scope="session")
def environments() -> None:
    """The first test that needs them waits for the installers."""
    set_up()


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    running = Provider().start()
    yield running
    running.stop()


@pytest.mark.timeout(SETUP_SECONDS)
@pytest.mark.usefixtures("environments")
@pytest.mark.parametrize("emitter", EMITTERS, indirect=True)
def test_every_call_of_a_real_sdk_is_one_run_with_all_that_is_known_of_it(
    server: Server, provider: Provider, emitter: Emitter
) -> None:
    play_all(server, provider, emitter, server.url)


@pytest.mark.timeout(SETUP_SECONDS)
@pytest.mark.usefixtures("environments")
@pytest.mark.parametrize("emitter", [DAILY_OVER_GRPC, "langchain_openinference_twice"], indirect=True)
def test_it_is_the_same_over_grpc(server: Server, provider: Provider, emitter: Emitter) -> None:
    grpc = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_INSECURE": "true"}
    emitter = replace(emitter, settings=emitter.settings | grpc)
    play_all(server, provider, emitter, f"http://127.0.0.1:{server.grpc_port}")


def play_all(server: Server, provider: Provider, emitter: Emitter, otlp_url: str) -> None:
    """Play every scenario of an emitter into an account of its own, and check the runs of each."""
    account = server.new_account(f"live {emitter.name} to {otlp_url}")
    key = server.key(account=account)
    problems = {}
    seen: set[str] = set()
    with (
        server.client(account=account) as client,
        Driver(emitter, provider_url=provider.url, otlp_url=otlp_url, key=key) as driver,
    ):
        assert set(driver.scenarios) == set(EXPECTED[emitter.name])
        for scenario in driver.scenarios:
            driver.play(scenario)
            runs = whole_runs(client, seen)
            seen |= {run["request_id"] for run in runs}
            try:
                check(runs, EXPECTED[emitter.name][scenario])
            except AssertionError as difference:
                problems[scenario] = str(difference)
    assert not problems, "\n\n".join(f"{scenario}: {problem}" for scenario, problem in problems.items())
