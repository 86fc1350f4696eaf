"""What a trial call found, as the pages show it."""

from typing import Final

from modeltraces.gateway.probe import Probe
from modeltraces.web.catalog_contexts import ProbeResult
from modeltraces.web.formatting import duration

_MODELS_SHOWN: Final = 12


def probe_result(found: Probe) -> ProbeResult:
    return ProbeResult(
        ok=found.ok,
        says=found.says,
        elapsed=duration(found.elapsed_ms) if found.elapsed_ms else "",
        models=found.models[:_MODELS_SHOWN],
        more_models=max(0, len(found.models) - _MODELS_SHOWN),
    )
