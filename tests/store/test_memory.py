"""What a commit holds is let go of with it: payloads of a busy minute are many megabytes."""

import gc
import weakref

from modeltraces.store.engine import ClickHouseStore


class Column(list[object]):
    """A list that tells when it is gone."""


def test_what_was_inserted_is_gone_without_looking_for_cycles(store: ClickHouseStore) -> None:
    types = {"account_id": "LowCardinality(String)", "rejected_on": "DateTime64(6, 'UTC')", "signal": "LowCardinality(String)",
             "reason": "String", "subject": "String", "key_name": "LowCardinality(String)"}  # fmt: skip
    columns = {name: (kind, Column([1 if name == "rejected_on" else "memory"])) for name, kind in types.items()}
    left = [weakref.ref(values) for _, values in columns.values()]
    gc.disable()
    try:
        store.insert("rejections", columns)
        del columns
        assert [reference() for reference in left] == [None] * len(left)
    finally:
        gc.enable()
