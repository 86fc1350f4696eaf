"""The order in which a call tries its targets, with dice and a clock that the tests hold."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltraces.gateway.routing import COOL_SECONDS, Router, is_worth_another, retry_after_seconds
from modeltraces.gateway.targets import Candidates, Target

ACCOUNT = "a"


def target(place: str, protocol: str = "openai") -> Target:
    return Target("m", "", place, "", protocol, f"http://127.0.0.1/{place}", "m", None)


class World:
    """A router, its dice and its clock."""

    def __init__(self) -> None:
        self.dice = 0.0
        self.now = 100.0
        self.router = Router(random=lambda: self.dice, timer=lambda: self.now)

    def order(self, candidates: Candidates, dice: float = 0.0) -> list[str]:
        self.dice = dice
        return [one.place for one in self.router.order(ACCOUNT, candidates)]

    def fails(self, place: str, retry_after: float | None = None) -> None:
        self.router.failed(ACCOUNT, target(place), retry_after)


@pytest.fixture
def world() -> World:
    return World()


def routed(weights: dict[str, int], fallbacks: Sequence[str] = ()) -> Candidates:
    return Candidates(
        tuple(map(target, weights)), tuple(weights.values()), tuple(map(target, fallbacks)), is_routed=True
    )


def test_without_a_routing_the_best_serves_alone_whatever_failed(world: World) -> None:
    best = Candidates((target("v2"), target("v1")))
    assert world.order(best) == ["v2"]
    world.fails("v2")
    assert world.order(best) == ["v2"]


def test_the_first_is_drawn_by_weight_and_the_fallbacks_follow_in_order(world: World) -> None:
    spread = routed({"v2": 90, "v1": 10}, ["v1", "azure"])
    assert world.order(spread, 0.0) == ["v2", "v1", "azure"]
    assert world.order(spread, 0.899) == ["v2", "v1", "azure"]
    assert world.order(spread, 0.901) == ["v1", "azure"]
    assert world.order(spread, 1.0) == ["v1", "azure"], "dice that round up draw the last"


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True), st.integers(0, 6))
@settings(max_examples=100)
def test_each_target_is_tried_once_and_its_share_of_the_dice_is_its_weight(
    weights: list[int], dice: float, fallbacks: int
) -> None:
    places = [f"v{number}" for number in range(len(weights))]
    world = World()
    spread = routed(dict(zip(places, weights, strict=True)), places[:fallbacks])
    order = world.order(spread, dice)
    assert Counter(order) == Counter({order[0], *places[:fallbacks]})
    before = sum(weights[: places.index(order[0])])
    assert before - 1e-6 <= dice * sum(weights) <= before + weights[places.index(order[0])] + 1e-6


def test_what_just_failed_comes_last_and_never_out(world: World) -> None:
    spread = routed({"v2": 90, "v1": 10}, ["v1", "azure"])
    world.fails("v2")
    assert world.order(spread) == ["v1", "azure", "v2"]
    world.fails("v1")
    assert world.order(spread) == ["azure", "v1", "v2"]
    world.fails("azure")
    assert world.order(spread) == ["v1", "azure", "v2"]
    world.now += COOL_SECONDS + 0.1
    assert world.order(spread) == ["v2", "v1", "azure"]
    only = routed({"v2": 1})
    world.fails("v2")
    assert world.order(only) == ["v2"]


def test_the_calls_of_one_that_failed_go_to_the_other_weights(world: World) -> None:
    spread = routed({"a": 50, "b": 25, "c": 25})
    world.fails("a")
    assert world.order(spread, 0.4) == ["b", "a"]
    assert world.order(spread, 0.8) == ["c"], "the others are drawn as ever"


def test_without_weights_the_best_goes_before_the_fallbacks(world: World) -> None:
    plain = Candidates((target("v2"), target("v1")), (), (target("azure"),), is_routed=True)
    assert world.order(plain) == ["v2", "azure"]
    world.fails("v2")
    assert world.order(plain) == ["azure", "v2"]


def test_when_no_weighted_place_is_up_the_fallbacks_serve(world: World) -> None:
    assert world.order(routed({}, ["v1", "azure"])) == ["v1", "azure"]


def test_the_upstream_says_how_long_within_reason(world: World) -> None:
    spread = routed({"v2": 1}, ["v1"])
    world.fails("v2", 30)
    world.now += 29
    assert world.order(spread) == ["v1", "v2"]
    world.now += 2
    assert world.order(spread) == ["v2", "v1"]
    world.fails("v2", 86_400)
    world.now += 61
    assert world.order(spread) == ["v2", "v1"]
    world.fails("v2", 0)
    assert world.order(spread) == ["v2", "v1"], "it said to come back at once"


def test_what_answers_again_is_well_and_another_account_never_knew(world: World) -> None:
    spread = routed({"v2": 1}, ["v1"])
    world.fails("v2")
    assert [one.place for one in world.router.order("b", spread)] == ["v2", "v1"]
    world.router.answered(ACCOUNT, target("v2"))
    assert world.order(spread) == ["v2", "v1"]


def test_what_failed_long_ago_is_forgotten(world: World) -> None:
    for number in range(10_000):
        world.fails(f"v{number}")
    world.now += COOL_SECONDS + 1
    world.fails("last")
    assert len(world.router._cool_at) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None), ("7", 7), (" 12 ", 12), ("0", 0), ("-1", None), ("soon", None), ("", None), ("1e9", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("9" * 400, 1e400),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, now=lambda: 10) == seconds


def test_only_what_is_overloaded_or_broken_is_tried_elsewhere() -> None:
    assert [status for status in (200, 302, 400, 401, 404, 408, 429, 500, 503, 529) if is_worth_another(status)] == [
        429, 500, 503, 529,
    ]  # fmt: skip


def test_targets_of_the_other_protocol_are_left_out_with_their_weights() -> None:
    mixed = Candidates(
        (target("a", "anthropic"), target("b")), (3, 1), (target("c", "anthropic"), target("d")), is_routed=True
    )
    spoken = mixed.spoken("openai")
    assert ([one.place for one in spoken.choices], spoken.weights) == (["b"], (1,))
    assert [one.place for one in spoken.fallbacks] == ["d"]
