"""Liveness, readiness, and the process's own metrics."""

import time
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from modeltraces.api.errors import problem_response
from modeltraces.api.identity import Admin
from modeltraces.api.state import parts_of
from modeltraces.parts import Parts

router = APIRouter(tags=["health"])


@dataclass(slots=True)
class _LastCheck:
    """Readiness is asked for without credentials: the store is asked at most once a second, whoever asks."""

    at: float = float("-inf")
    trouble: str = ""


_last = _LastCheck()


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> Response:
    return Response("ok\n", media_type="text/plain")


@router.get("/readyz", summary="Whether the store and the catalog can be reached and written to")
async def readyz(request: Request) -> Response:
    now = time.monotonic()
    if now - _last.at > 1:
        _last.trouble = await parts_of(request).workers.query(_trouble, parts_of(request))
        _last.at = now
    if _last.trouble:
        return problem_response(503, _last.trouble, {"Retry-After": "2"})
    return Response("ready\n", media_type="text/plain")


@router.get("/metrics", summary="Prometheus metrics of this process (scope admin)")
async def metrics(_: Admin) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _trouble(parts: Parts) -> str:
    try:
        parts.store.check_writable()
    except Exception:
        return "The store cannot be written to; the server's log says why."
    try:
        parts.catalog.check()
    except Exception:
        return "The catalog cannot be reached; the server's log says why."
    return ""
