"""One suite over both engines: the embedded one, and a ClickHouse server over HTTP, give the answer of the plain model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeltraces.query.export import export
from modeltraces.query.fields import SORTABLE
from modeltraces.query.filters import FilterContext, parse
from modeltraces.query.metrics import count_runs, metrics
from modeltraces.query.runs import get_run, list_runs, neighbours
from modeltraces.query.selection import Order, Selection
from modeltraces.query.series import series
from modeltraces.query.suggest import suggest
from modeltraces.run import Run
from modeltraces.store.engine import ClickHouseStore, Store
from modeltraces.store.migrate import migrate
from modeltraces.store.retention import sweep
from modeltraces.store.retention_limits import NEVER, Keep, Limits
from modeltraces.store.rows import insert_runs
from tests.query.filters import filters
from tests.query.naive import matches
from tests.query.runs import DAY_US, NOON_US, various_runs
from tests.query.test_pages_of_runs import in_order
from tests.support.clickhouse import ClickHouse, opened

ACCOUNT = "of both engines"
CONTEXT = FilterContext({"external": ["gpt-4o"], "open_source": ["llama-3", "other"], "fine_tuned": []})
SECRET = b"a secret of the tests"
LATEST_US = NOON_US + 3 * DAY_US


@dataclass(frozen=True)
class World:
    embedded: Store
    server: Store
    runs: list[Run]

    @property
    def stores(self) -> tuple[Store, Store]:
        return self.embedded, self.server


@pytest.fixture(scope="module")
def server(clickhouse: ClickHouse) -> Iterator[ClickHouseStore]:
    with opened(clickhouse.new_database()) as store:
        migrate(store)
        yield store


@pytest.fixture(scope="module")
def world(store: ClickHouseStore, server: ClickHouseStore) -> World:
    """Rows that were sent twice, came late, and were folded into others."""
    runs = various_runs(ACCOUNT, 200)
    superseded = [replace(one, superseded_by=runs[0].request_id, version=2) for one in runs[190:]]
    for engine in (store, server):
        insert_runs(engine, runs[:120])
        insert_runs(engine, runs[60:])
        insert_runs(engine, superseded)
        insert_runs(engine, [replace(one, account_id="of another") for one in runs[:50]])
    return World(store, server, runs[:190])


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    days = sorted(draw(st.tuples(st.integers(-3, 3), st.integers(-3, 3))))
    since, until = draw(st.sampled_from([(None, None), (days[0], None), (None, days[1]), tuple(days), (-3, 3)]))
    return Selection(
        ACCOUNT,
        tuple(draw(st.lists(st.sampled_from(["gpt-4o", "llama-3", "Größe/模型", "none"]), max_size=2, unique=True))),
        None if since is None else NOON_US + since * DAY_US,
        None if until is None else NOON_US + until * DAY_US,
        filter=draw(st.none() | filters),
        sort=draw(st.sampled_from(SORTABLE)),
        order=draw(st.sampled_from(("asc", "desc"))),
        now_us=LATEST_US,
    )


def expected(runs: list[Run], selection: Selection) -> list[Run]:
    return [
        one
        for one in runs
        if (not selection.models or one.model in selection.models)
        and (selection.from_us is None or one.executed_on_us >= selection.from_us)
        and (selection.to_us is None or one.executed_on_us < selection.to_us)
        and (selection.filter is None or matches(selection.filter, one, CONTEXT))
    ]


def pages(store: Store, selection: Selection, limit: int) -> list[str]:
    ids: list[str] = []
    cursor = None
    while True:
        page = list_runs(store, selection, CONTEXT, limit=limit, cursor=cursor, secret=SECRET)
        ids += [one.request_id for one in page.runs]
        cursor = page.next_cursor
        if cursor is None:
            return ids


def exported(store: Store, selection: Selection, form: str) -> bytes:
    with export(store, selection, CONTEXT, format=form) as pieces:
        return b"".join(pieces)


def test_a_selection_has_one_answer_from_both_engines_and_from_the_plain_model(world: World, thorough: bool) -> None:
    @settings(max_examples=50 if thorough else 4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(selection=selections(), limit=st.integers(40, 90))
    def holds(selection: Selection, limit: int) -> None:
        check(world, selection, limit)

    holds()


def check(world: World, selection: Selection, limit: int) -> None:
    found = expected(world.runs, selection)
    ordered = in_order(found, selection.sort, selection.order)
    numbers = []
    for store in world.stores:
        assert pages(store, selection, limit) == ordered
        assert count_runs(store, selection, CONTEXT) == len(found)
        lines = exported(store, selection, "jsonl").splitlines()
        assert [orjson.loads(line)["request_id"] for line in lines] == ordered
        counted = metrics(store, selection, CONTEXT)
        assert counted.total_requests == len(found)
        assert counted.failed_requests == sum(one.status == "failed" for one in found)
        whole = series(store, selection, CONTEXT, step_seconds=86_400)
        assert sum(point.total_requests for point in whole.points) == len(found)
        numbers.append((counted, whole))
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_single_runs_their_neighbours_and_suggestions_are_the_same(world: World, order: Order) -> None:
    selection = Selection(ACCOUNT, sort="response_time", order=order, now_us=LATEST_US)
    for one in (*world.runs[::90], replace(world.runs[0], request_id="nowhere")):
        answers: list[Any] = [
            (get_run(store, ACCOUNT, one.request_id), neighbours(store, selection, CONTEXT, one.request_id))
            for store in world.stores
        ]
        assert answers[0] == answers[1]
    assert len({exported(store, selection, "csv") for store in world.stores}) == 1
    for field in ("model", "source", "attributes", "attributes.env", "model_kind"):
        suggested = [suggest(store, selection, CONTEXT, field) for store in world.stores]
        assert suggested[0] == suggested[1] != []


def test_removal_leaves_the_same_in_both(world: World, request: pytest.FixtureRequest) -> None:
    account = request.node.name
    mine = [replace(one, account_id=account) for one in world.runs[:60]]
    limit = Limits({account: NOON_US}, {(account, "llama-3"): NEVER})
    kept = {one.request_id for one in mine if one.model == "llama-3" or one.executed_on_us >= NOON_US}
    for store in world.stores:
        insert_runs(store, mine)
        sweep(store, Keep(limit, limit), LATEST_US)
        assert set(pages(store, Selection(account, now_us=LATEST_US), 50)) == kept
    assert 0 < len(kept) < len(mine)


def test_a_filter_that_names_very_many_values_is_asked_of_a_server_too(world: World) -> None:
    names = [f"model {number} of very many" for number in range(9_000)]
    context = FilterContext({"external": ["gpt-4o", *names], "open_source": [], "fine_tuned": []})
    selection = Selection(ACCOUNT, filter=parse("model_kind:external"), now_us=LATEST_US)
    total = sum(one.model == "gpt-4o" for one in world.runs)
    assert [count_runs(store, selection, context) for store in world.stores] == [total, total]
