"""All processes over one database have one secret key."""

import pytest

from modeltraces.catalog import shared_key
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import CatalogUnavailable

pytestmark = pytest.mark.postgresql


def test_a_process_with_another_key_does_not_start_over_a_database_that_is_shared(
    catalog: Catalog, other_process: Catalog
) -> None:
    shared_key.hold_to_one(catalog, b"one")
    shared_key.hold_to_one(other_process, b"one")
    if catalog.is_sqlite:
        # Lost with its directory, or changed by who owns both.
        shared_key.hold_to_one(other_process, b"other")
        shared_key.hold_to_one(catalog, b"other")
        return
    with pytest.raises(CatalogUnavailable, match="same MODELTRACES_SECRET_KEY") as refused:
        shared_key.hold_to_one(other_process, b"other")
    assert "forget-key" in str(refused.value)
    shared_key.forget(other_process)
    shared_key.hold_to_one(other_process, b"other")
    with pytest.raises(CatalogUnavailable):
        shared_key.hold_to_one(catalog, b"one")
