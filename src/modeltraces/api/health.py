"""Liveness, readiness, and the process's own metrics."""

import asyncio
import time
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import anyio.to_thread
import structlog
from anyio import CapacityLimiter
from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette

from modeltraces.api.errors import problem_response
from modeltraces.api.identity import Admin
from modeltraces.api.state import parts_of
from modeltraces.parts import Parts

log = structlog.get_logger(__name__)
router = APIRouter(tags=["health"])
_BELIEVED_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0
"""Orchestrators give a check some seconds; an answer that says what is wrong is worth more than none."""


@dataclass(slots=True)
class _Readiness:
    """Asked for without credentials: the store is asked once at a time and at most once a second, whoever asks, in a
    thread of its own, so that it costs readers nothing and does not wait for them."""

    at: float = float("-inf")
    trouble: str = ""
    check: "asyncio.Task[str] | None" = None
    thread: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    async def ask(self, parts: Parts) -> str:
        if self.check is None:
            if time.monotonic() - self.at <= _BELIEVED_SECONDS:
                return self.trouble
            self.check = asyncio.create_task(self._look(parts))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await asyncio.shield(self.check)
        except TimeoutError:
            return f"The store has not answered for {_PATIENCE_SECONDS:g} seconds."

    async def _look(self, parts: Parts) -> str:
        try:
            self.trouble = await anyio.to_thread.run_sync(_trouble, parts, limiter=self.thread)
            return self.trouble
        finally:
            self.at, self.check = time.monotonic(), None


_readiness: "WeakKeyDictionary[Starlette, _Readiness]" = WeakKeyDictionary()


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> Response:
    return Response("ok\n", media_type="text/plain")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Whether the store and the catalog can be reached and written to")
async def readyz(request: Request) -> Response:
    trouble = await _readiness.setdefault(request.app, _Readiness()).ask(parts_of(request))
    if trouble:
        return problem_response(503, trouble, {"Retry-After": "2"})
    return Response("ready\n", media_type="text/plain")


@router.get("/metrics", summary="Prometheus metrics of this process (scope admin)")
async def metrics(_: Admin) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _trouble(parts: Parts) -> str:
    try:
        parts.store.check_writable()
    except Exception as error:
        log.warning("not ready", part="store", error=str(error))
        return "The store cannot be written to; the server's log says why."
    try:
        parts.catalog.check()
    except Exception as error:
        log.warning("not ready", part="catalog", error=str(error))
        return "The catalog cannot be reached; the server's log says why."
    return ""
