"""Assembles the parts into one ASGI app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from modeltraces import __version__, web
from modeltraces.api import (
    audit_log,
    connections,
    deployments,
    errors,
    hardware,
    health,
    keys,
    langfuse,
    matching,
    models,
    native,
    otlp,
    otlp_grpc,
    retention,
    runs,
)
from modeltraces.api.form_bodies import FormBodies
from modeltraces.api.identity import key_places
from modeltraces.api.openapi import complete
from modeltraces.api.security import SecurityHeaders
from modeltraces.arrivals import Arrivals
from modeltraces.gateway.proxy import Gateway
from modeltraces.gateway.target_book import TargetBook
from modeltraces.gateway.timeouts import Timeouts
from modeltraces.parts import Parts

_DESCRIPTION = f"""Every call made to a model, run by run.

Send a key of yours as {key_places("`{}`")}. Errors are `application/problem+json`.
Everything that reads runs takes the same selection: `model`, `period` or `from`/`to`, `filter`, `sort`, `order`.
"""


class _Front:
    """The gateway beside everything else: the layers and routes of the rest take a fifth of what a call through it costs."""

    def __init__(self, gateway: Gateway, rest: FastAPI, arrivals: Arrivals, trusted_proxies: str) -> None:
        self._gateway, self._app = gateway, rest
        # Around everything, so that the answer to an error of ours has them, too.
        layered: Any = SecurityHeaders(FormBodies(rest, arrivals))
        # Who asks and how, behind a proxy: nothing that the gateway wants to know.
        self._rest = ProxyHeadersMiddleware(layered, trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/gateway/"):
            scope["app"] = self._app
            await self._gateway.call(None, scope, receive, send)
        else:
            await self._rest(cast(Any, scope), cast(Any, receive), cast(Any, send))


def create_app(parts: Parts, *, grpc: bool = True) -> ASGIApp:
    """The app over open parts. It closes them when the server stops, after storing what was accepted."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        settings = parts.settings
        receiver = (
            await otlp_grpc.start(parts, settings.host, settings.otlp_grpc_port)
            if grpc and settings.otlp_grpc_port
            else None
        )
        try:
            yield
        finally:
            await gateway.close()
            if receiver is not None:
                await otlp_grpc.stop(receiver)
            parts.close()

    settings = parts.settings
    gateway = Gateway(
        TargetBook(parts.catalog, parts.registry),
        parts.recorder,
        parts.limiter,
        parts.vault,
        parts.arrivals,
        body_bytes=settings.gateway_body_megabytes << 20,
        timeouts=Timeouts(
            connect=settings.gateway_connect_seconds,
            first_byte=settings.gateway_first_byte_seconds,
            idle=settings.gateway_idle_seconds,
            total=settings.gateway_total_seconds,
        ),
        allow_link_local=settings.allow_link_local,
    )
    app = FastAPI(
        title="Model Traces",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts, app.state.gateway = parts, gateway
    described = app.openapi
    app.openapi = lambda: app.openapi_schema or complete(described())  # type: ignore[method-assign]
    errors.install(app)
    # A model's name may hold slashes: what stands below one must be looked for first.
    for part in (
        health, otlp, langfuse, native, deployments, models, connections, hardware, matching, retention, runs, audit_log,
        keys,
    ):  # fmt: skip
        app.include_router(part.router)
    web.install(app)
    return _Front(gateway, app, parts.arrivals, settings.trusted_proxies)
