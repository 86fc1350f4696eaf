"""Whether there are runs of something: what has runs is archived, never deleted."""

from collections.abc import Sequence
from typing import Any

from modeltraces.store.engine import Store


def has_runs(
    store: Store,
    account_id: str,
    *,
    models: Sequence[str] | None = None,
    deployment_version: str | None = None,
    connection_name: str | None = None,
) -> bool:
    """Whether the account has a run of all that is given.

    `models`: the names that runs bear (`ModelEntry.recorded_names`, and the name itself); None: of any model; an empty
    list: none can match. Raises StoreError.
    """
    if models is not None and not models:
        return False
    conditions = ["account_id = {account_id:String}"]
    params: dict[str, Any] = {"account_id": account_id}
    if models is not None:
        conditions.append("model IN {models:Array(String)}")
        params["models"] = list(models)
    if deployment_version is not None:
        conditions.append("deployment_version = {version:String}")
        params["version"] = deployment_version
    if connection_name is not None:
        conditions.append("connection_name = {connection:String}")
        params["connection"] = connection_name
    # Without FINAL a run that was replaced, and is another's now, would count for as long as its parts are not merged.
    return bool(
        store.query(
            f"SELECT 1 FROM runs FINAL WHERE {' AND '.join(conditions)} LIMIT 1", params, surface="catalog.has_runs"
        )
    )


def most_called(store: Store, account_id: str, models: Sequence[str], since_us: int) -> str:
    """Of these names, the one that most runs since then bear that succeeded; '' when none did. Raises StoreError."""
    rows = store.query(
        "SELECT toString(model) FROM runs FINAL WHERE account_id = {account_id:String} AND superseded_by = '' "
        "AND executed_on >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') AND status = 'success' "
        "AND model IN {models:Array(String)} GROUP BY model ORDER BY count() DESC, model LIMIT 1",
        {"account_id": account_id, "since": since_us, "models": list(models)},
        surface="page.gateway",
    )
    return str(rows[0][0]) if rows else ""
