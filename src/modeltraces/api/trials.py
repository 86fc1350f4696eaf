"""Trying a connection or an endpoint out with its stored credential."""

from typing import Any

from modeltraces.catalog.connections import Reach
from modeltraces.gateway.probe import Probe, probe
from modeltraces.parts import Parts


async def try_out(parts: Parts, reach: Reach) -> Probe:
    """One real call. Raises Invalid for an address that leads to a metadata service, and for a credential that cannot be read."""
    credential = parts.vault.unlock(reach.locked_credential) if reach.locked_credential else ""
    return await probe(reach.protocol, reach.base_url, credential, allow_link_local=parts.settings.allow_link_local)


def trial_json(found: Probe) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "says": found.says,
        "status": found.status,
        "elapsed_ms": round(found.elapsed_ms, 1),
        "models": list(found.models),
    }
