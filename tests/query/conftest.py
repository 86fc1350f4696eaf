"""A store whose sums a module has for itself, and in which few runs are enough to be summed up."""

from collections.abc import Iterator

import pytest

from modeltraces.query import covered
from modeltraces.store import minutes
from modeltraces.store.engine import Store
from tests.query.sums import forget_all_sums


@pytest.fixture(scope="module")
def sums_of_its_own(store: Store) -> Iterator[None]:
    """Other tests give their runs any time of receipt."""
    yield
    forget_all_sums(store)


@pytest.fixture
def no_store_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covered, "FEWEST_RUNS", 0)
    # A test's eighty hours in two steps, not in ten: a step costs the same however little is in it.
    monkeypatch.setattr("modeltraces.store.summaries._AT_ONCE", 48)


@pytest.fixture
def no_hour_is_too_small(no_store_is_too_small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For its minutes to be summed up."""
    monkeypatch.setattr(minutes, "FEWEST_RUNS", 1)
    monkeypatch.setattr(minutes, "_AT_ONCE", 60)
