"""Names that a model had before: another may take one that no run bears."""

from functools import partial
from typing import Any

from modeltraces.parts import Parts
from modeltraces.query.presence import has_runs


async def is_unborne(parts: Parts, account_id: str, name: Any) -> bool:
    """Whether another model had the name before, and no run bears it. Raises CatalogUnavailable, StoreError."""
    name = name.strip() if isinstance(name, str) else ""
    entry = await parts.workers.look_up(parts.registry.get_model, account_id, name)
    if entry is None or name in (entry.name, *entry.merged):
        return False
    return not await parts.workers.query(partial(has_runs, parts.store, account_id, models=(name,)))
