"""Where a request that came to no route, or to one by the wrong method, was probably meant to go."""

import difflib
from collections.abc import Iterable
from typing import Final

from modeltraces.gateway.asked import AT
from modeltraces.gateway.targets import Family

_OTLP: Final = (
    "OTLP {signal} go to /v1/{signal}. Set OTEL_EXPORTER_OTLP_ENDPOINT to this server's address without a path, "
    "or OTEL_EXPORTER_OTLP_{name}_ENDPOINT to the address with /v1/{signal}."
)
_RUNS: Final = "Runs are sent to POST /api/v1/runs."
_OTHERS: Final = {
    "/v1/metrics": "OTLP metrics are not taken here. Set OTEL_METRICS_EXPORTER=none.",
    "/api/public/ingestion": "The SDKs of Langfuse before version 3 are not read. Newer ones send OTLP, to "
    "/api/public/otel/v1/traces.",
    "/api/public/otel": "Langfuse SDKs send to /api/public/otel/v1/traces.",
}
_MODEL_CALLS: Final[dict[str, Family]] = {
    "/chat/completions": "openai", "/completions": "openai", "/embeddings": "openai", "/responses": "openai",
    "/messages": "anthropic", "/messages/count_tokens": "anthropic",
}  # fmt: skip
"""How calls to models end, and the API that they speak."""
_BASES: Final[dict[Family, str]] = {"openai": "/gateway/openai/v1", "anthropic": "/gateway/anthropic"}
"""What they go through the gateway by."""
_OURS: Final = ("/api/", "/settings/")
_RUN_NAMES: Final = ("run", "runs")
_LIKENESS: Final = 0.8


def family_of(method: str, path: str) -> Family | None:
    """The API of a call to a model that was sent past the gateway; None for anything else."""
    plain = _plain(path)
    if method != "POST" or plain.startswith(_OURS):
        return None
    return next((family for tail, family in _MODEL_CALLS.items() if plain.endswith(tail)), None)


def _plain(path: str) -> str:
    return "/" + path.strip("/").lower()


def hint(method: str, path: str, known: Iterable[str], address: str) -> str:
    """A sentence that leads on, or ''. `known`: the paths of all routes; `address`: this server's, as the caller has it."""
    plain = _plain(path)
    for signal in ("traces", "logs"):
        if plain == "/api/public/otel/v1/traces":
            break
        if plain == f"/v1/{signal}":
            return f"OTLP {signal} are sent by POST." if method != "POST" else ""
        if plain.endswith(f"/{signal}") or plain == f"/{signal}":
            return _OTLP.format(signal=signal, name=signal.upper())
    for tail, text in _OTHERS.items():
        if plain.endswith(tail):
            return text
    if family := family_of(method, path):
        return f"Models are called through the gateway: set the base URL to {address}{_BASES[family]}."
    if plain == "/gateway":
        return f"{AT} Settings, Gateway shows how a program calls it."
    if method == "POST" and plain == "/":
        return f"{_OTLP.format(signal='traces', name='TRACES')} {_RUNS}"
    if plain not in ("/api/v1/runs",) and plain.rpartition("/")[2] in _RUN_NAMES:
        return _RUNS
    near = difflib.get_close_matches(plain, [one for one in known if "{" not in one], n=1, cutoff=_LIKENESS)
    return f"Did you mean {near[0]}?" if near and near[0] != plain else ""


def is_ingest(method: str, path: str) -> bool:
    """Whether a program that sends runs may have meant this: what is refused of it is worth a line in the log."""
    return method == "POST" and not path.startswith(("/settings/", "/sign-"))
