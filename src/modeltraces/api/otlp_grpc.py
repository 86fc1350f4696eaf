"""OTLP/gRPC (port 4317): the same as OTLP/HTTP, for exporters that speak gRPC.

A key of ours comes as metadata, `authorization: Bearer mt_…` or `x-api-key`. UNAUTHENTICATED, PERMISSION_DENIED,
RESOURCE_EXHAUSTED (more waits than fits; retryable, with RetryInfo's absence meaning the exporter's own back-off) and
UNAVAILABLE (the store is away) are what OTLP exporters expect.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from modeltraces.api import intake
from modeltraces.api.otlp import decode_logs, decode_traces
from modeltraces.catalog.errors import CatalogUnavailable
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.ingest.recordings import Decoded, SourceDefaults
from modeltraces.ingest.writer import QueueFull
from modeltraces.parts import Parts
from modeltraces.store.engine import StoreUnavailable

log = structlog.get_logger(__name__)

_STOP_SECONDS: Final = 5.0
Context = grpc.aio.ServicerContext[Any, Any]


class OtlpReceiver:
    """Takes raw messages of both services: they are decoded where OTLP/HTTP's are, off the event loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def traces(self, data: bytes, context: Context) -> Message:
        decoded = await self._take_in(data, context, "traces", decode_traces)
        answer = trace_service_pb2.ExportTraceServiceResponse()
        if decoded.rejected:
            answer.partial_success.rejected_spans = len(decoded.rejected)
            answer.partial_success.error_message = intake.summary_of(decoded.rejected)
        return answer

    async def logs(self, data: bytes, context: Context) -> Message:
        decoded = await self._take_in(data, context, "logs", decode_logs)
        answer = logs_service_pb2.ExportLogsServiceResponse()
        if decoded.rejected:
            answer.partial_success.rejected_log_records = len(decoded.rejected)
            answer.partial_success.error_message = intake.summary_of(decoded.rejected)
        return answer

    async def _take_in(
        self,
        data: bytes,
        context: Context,
        signal: str,
        read: Callable[[bytes, bool, Parts, str, SourceDefaults], Decoded],
    ) -> Decoded:
        parts = self._parts
        try:
            key = await self._key_of(context)
            parts.writer.reserve(len(data))
            try:
                body = intake.Body(data, len(data))
                defaults = SourceDefaults(key.default_source_type, key.default_source, key.name)
                decoded = await intake.decode(parts, body, partial(read, data, False, parts, key.account_id, defaults))
                await intake.store(parts, intake.batch_of(decoded, key.account_id, signal, key.name, len(data)))
            finally:
                parts.writer.release(len(data))
            return decoded
        except (DecodeError, ValueError) as error:
            return await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"not an OTLP export of {signal}: {error}")
        except QueueFull:
            return await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "more runs wait to be stored than fit; send again later"
            )
        except (StoreUnavailable, CatalogUnavailable) as error:
            return await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))

    async def _key_of(self, context: Context) -> KeyIdentity:
        metadata = {str(name).lower(): str(value) for name, value in context.invocation_metadata() or ()}
        token = metadata.get("x-api-key", "")
        scheme, _, credential = metadata.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = credential.strip()
        identity = self._parts.keys.cached(token) or await self._parts.workers.look_up(
            self._parts.keys.authenticate, token
        )
        if identity is None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "")
            raise AssertionError
        if "ingest" not in identity.scopes:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED, "this key may not send runs: it lacks the scope 'ingest'"
            )
        return identity


def _handler(service: Any, method: Callable[[bytes, Context], Any]) -> grpc.GenericRpcHandler:
    name = service.DESCRIPTOR.services_by_name
    (full_name,) = [descriptor.full_name for descriptor in name.values()]
    return grpc.method_handlers_generic_handler(
        full_name,
        {
            "Export": grpc.unary_unary_rpc_method_handler(
                method, request_deserializer=None, response_serializer=lambda message: message.SerializeToString()
            )
        },
    )


async def start(parts: Parts, host: str, port: int) -> grpc.aio.Server:
    """Listen; raises OSError when the port is taken."""
    cap = parts.settings.max_body_megabytes << 20
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", cap), ("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=256,
    )
    receiver = OtlpReceiver(parts)
    server.add_generic_rpc_handlers(
        (_handler(trace_service_pb2, receiver.traces), _handler(logs_service_pb2, receiver.logs))
    )
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"port {port} is taken") from error
    if not bound:
        raise OSError(f"port {port} is taken")
    await server.start()
    return server


async def stop(server: grpc.aio.Server) -> None:
    await asyncio.wait_for(server.stop(_STOP_SECONDS), _STOP_SECONDS * 2)
