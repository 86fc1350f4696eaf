"""All processes over one database show the runs of one store."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from modeltraces.catalog import shared_store
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.shared_store import ON_A_SERVER, embedded
from modeltraces.store.directory import identity
from modeltraces.store.errors import StoreUnavailable

pytestmark = pytest.mark.postgresql(alone=True)

FIRST, SECOND = embedded("1234", Path("/srv/first/runs")), embedded("5678", Path("/srv/second/runs"))


def test_a_process_with_a_store_of_its_own_does_not_start_over_a_catalog_that_is_shared(
    catalog: Catalog, other_process: Catalog
) -> None:
    shared_store.hold_to_one(catalog, FIRST)
    shared_store.hold_to_one(other_process, FIRST)
    with pytest.raises(CatalogUnavailable) as refused:
        shared_store.hold_to_one(other_process, SECOND)
    line = str(refused.value)
    assert "the runs in /srv/first/runs" in line
    assert "others, in /srv/second/runs" in line
    assert "MODELTRACES_STORE_URL" in line
    assert "forget-store" in line
    shared_store.forget(other_process)
    shared_store.hold_to_one(other_process, SECOND)
    with pytest.raises(CatalogUnavailable, match="the runs in /srv/second/runs"):
        shared_store.hold_to_one(catalog, FIRST)


def test_a_server_and_an_embedded_store_are_two(catalog: Catalog) -> None:
    shared_store.hold_to_one(catalog, ON_A_SERVER)
    shared_store.hold_to_one(catalog, ON_A_SERVER)
    with pytest.raises(CatalogUnavailable, match=r"the runs on a ClickHouse server, .* others, in /srv/first/runs"):
        shared_store.hold_to_one(catalog, FIRST)
    shared_store.forget(catalog)
    shared_store.hold_to_one(catalog, FIRST)
    with pytest.raises(CatalogUnavailable, match=r"the runs in /srv/first/runs, .* others, on a ClickHouse server"):
        shared_store.hold_to_one(catalog, ON_A_SERVER)


def test_a_store_that_was_moved_is_the_same_and_told_where_it_is_now(catalog: Catalog) -> None:
    shared_store.hold_to_one(catalog, FIRST)
    shared_store.hold_to_one(catalog, embedded("1234", Path("/srv/moved here/runs")))
    with pytest.raises(CatalogUnavailable, match="the runs in /srv/moved here/runs, "):
        shared_store.hold_to_one(catalog, SECOND)


def test_a_catalog_in_a_file_that_has_other_runs_is_told_of(tmp_path: Path) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path}/catalog.db")
    catalog.upgrade()
    shared_store.hold_to_one(catalog, FIRST)
    with capture_logs() as lines:
        shared_store.hold_to_one(catalog, SECOND)
        shared_store.hold_to_one(catalog, SECOND)
    assert ["others, in /srv/second/runs" in line["event"] for line in lines] == [True]
    catalog.close()


@pytest.mark.parametrize("before", [None, b""], ids=["none", "a file that is empty"])
def test_a_directory_keeps_its_identity_wherever_it_is_moved(tmp_path: Path, before: bytes | None) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.mkdir()
        if before is not None:
            (path / "store.id").write_bytes(before)
    known = identity(one)
    assert known
    assert identity(other) not in ("", known)
    assert identity(one.rename(tmp_path / "elsewhere")) == known


def test_an_identity_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"nowhere.*cannot be (read or )?written"):
        identity(tmp_path / "nowhere")
