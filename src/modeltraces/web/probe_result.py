"""What a trial call found, as the pages show it."""

import re
from collections.abc import Sequence
from typing import Final

from modeltraces.catalog.connections import EVERY_MODEL
from modeltraces.gateway.probe import Probe
from modeltraces.web.catalog_contexts import ProbeResult
from modeltraces.web.formatting import duration

_MODELS_SHOWN: Final = 12
_VERSION: Final = re.compile(r"(?:-\d[\d-]*|-latest|:latest)$")
"""Providers list `gpt-4o-2024-11-20`, and take `gpt-4o` for it."""


def probe_result(found: Probe, protocol: str, wanted: Sequence[str]) -> ProbeResult:
    """`wanted`: the names that calls ask that server for."""
    missing = _missing(found, protocol, wanted)
    return ProbeResult(
        ok=found.ok,
        says=found.says,
        elapsed=duration(found.elapsed_ms) if found.elapsed_ms else "",
        models=found.models[:_MODELS_SHOWN],
        more_models=max(0, len(found.models) - _MODELS_SHOWN),
        missing=missing[:_MODELS_SHOWN],
        more_missing=max(0, len(missing) - _MODELS_SHOWN),
    )


def _missing(found: Probe, protocol: str, wanted: Sequence[str]) -> tuple[str, ...]:
    # Azure lists models, and is called by the names that deployments of them were given.
    if not found.ok or protocol == "azure_openai":
        return ()
    known = {*found.models, *(_VERSION.sub("", name) for name in found.models), EVERY_MODEL}
    return tuple(name for name in wanted if name not in known)
