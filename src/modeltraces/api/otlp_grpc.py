"""OTLP/gRPC (port 4317): the same as OTLP/HTTP, for exporters that speak gRPC.

A key of ours comes as metadata, by the names that it has as a header. It is looked at before the message is read: what a
stranger sends never comes into memory. UNAVAILABLE (more waits than fits, or the store is away) lets exporters send
again with their own back-off; by OTLP's rules they drop what RESOURCE_EXHAUSTED refuses, so that is kept for messages
over the cap.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import structlog
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from modeltraces.api import intake
from modeltraces.api.errors import Problem, problem_of
from modeltraces.api.identity import key_alone
from modeltraces.catalog.key_authenticator import KeyIdentity
from modeltraces.catalog.keys import KEY_START
from modeltraces.ingest.decoding import decode_logs, decode_traces
from modeltraces.ingest.recordings import Decoded, Limits, SourceDefaults
from modeltraces.ingest.writer import QueueFull
from modeltraces.parts import Parts
from modeltraces.seldom import Seldom
from modeltraces.settings import keep_grpc_out_of_forks

keep_grpc_out_of_forks()
import grpc  # noqa: E402

log = structlog.get_logger(__name__)
_refusals: Final = Seldom(60)

_STOP_SECONDS: Final = 5.0
_MOST_CALLS: Final = 256
"""Calls at once; each waits for its commit, and holds a few KB beside the message that was reserved for."""
Context = grpc.aio.ServicerContext[Any, Any]


_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT, 408: grpc.StatusCode.DEADLINE_EXCEEDED, 503: grpc.StatusCode.UNAVAILABLE,
}  # fmt: skip
"""Of an HTTP status, where the same is said."""
_OURS: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)


def refusal_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """What to say of an error, in the words of OTLP/HTTP."""
    problem = problem_of(error)
    return _CODES.get(problem.status, grpc.StatusCode.INTERNAL), problem.detail


class OtlpReceiver:
    """Takes raw messages of both services: they are decoded where OTLP/HTTP's are, off the event loop.

    Its methods are unary to the caller, and streams here: only so does the library let the metadata be seen before it
    reads the message.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._calls = 0
        # The library hands over whole messages: as many may be on their way as fit the memory set aside.
        cap = parts.settings.max_body_megabytes
        self._reading = asyncio.Semaphore(max(4, parts.settings.queue_megabytes // cap))

    async def traces(self, messages: AsyncIterator[bytes], context: Context) -> Message:
        decoded = await self._take_in(messages, context, "traces", decode_traces)
        answer = trace_service_pb2.ExportTraceServiceResponse()
        if decoded.rejected:
            answer.partial_success.rejected_spans = len(decoded.rejected)
            answer.partial_success.error_message = intake.summary_of(decoded.rejected)
        return answer

    async def logs(self, messages: AsyncIterator[bytes], context: Context) -> Message:
        decoded = await self._take_in(messages, context, "logs", decode_logs)
        answer = logs_service_pb2.ExportLogsServiceResponse()
        if decoded.rejected:
            answer.partial_success.rejected_log_records = len(decoded.rejected)
            answer.partial_success.error_message = intake.summary_of(decoded.rejected)
        return answer

    async def _take_in(
        self,
        messages: AsyncIterator[bytes],
        context: Context,
        signal: str,
        decode: Callable[[bytes, bool, str, SourceDefaults, Limits], Decoded],
    ) -> Decoded:
        self._calls += 1
        try:
            if self._calls > _MOST_CALLS:
                raise QueueFull
            key = await self._key_of(context)
            data = await self._message(messages)
            try:
                return await self._store(data, key, signal, decode)
            finally:
                self._parts.writer.release(len(data))
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception as error:
            # The library would tell the caller the exception's text.
            code, said = refusal_of(error)
            if code in _OURS and not isinstance(error, QueueFull) and _refusals.due(str(error)) is not None:
                log.error(
                    "gRPC request failed", signal=signal, error=str(error),
                    exc_info=error if code is grpc.StatusCode.INTERNAL else None,
                )  # fmt: skip
            return await context.abort(code, said)
        finally:
            self._calls -= 1

    async def _message(self, messages: AsyncIterator[bytes]) -> bytes:
        """The message, whose bytes are reserved. Raises QueueFull, and Problem for one that does not come."""
        async with self._reading:
            try:
                async with asyncio.timeout(self._parts.settings.body_idle_seconds):
                    data = await anext(aiter(messages), b"")
            except TimeoutError as error:
                raise Problem(408, "The message stopped coming.") from error
            self._parts.writer.reserve(len(data))
            return data

    async def _store(
        self,
        data: bytes,
        key: KeyIdentity,
        signal: str,
        decode: Callable[[bytes, bool, str, SourceDefaults, Limits], Decoded],
    ) -> Decoded:
        parts = self._parts
        defaults = SourceDefaults(key.default_source_type, key.default_source, key.name)
        async with intake.counting_bad_bodies(parts, key.account_id, signal, key.name):
            try:
                decoded = await parts.decoders.run(
                    decode, len(data), data, False, key.account_id, defaults, parts.limits
                )
            except (DecodeError, ValueError) as error:
                raise intake.not_an_export(signal, False, error) from error
        await intake.store(parts, intake.batch_of(decoded, key.account_id, signal, key.name, len(data)))
        return decoded

    async def _key_of(self, context: Context) -> KeyIdentity:
        metadata = {str(name).lower(): str(value) for name, value in context.invocation_metadata() or ()}
        token = key_alone(metadata) or ""
        scheme, _, credential = metadata.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and credential.strip().startswith(KEY_START):
            token = credential.strip()
        identity = self._parts.keys.cached(token) or await self._parts.workers.look_up(
            self._parts.keys.authenticate, token
        )
        if identity is None:
            unsaid = _refusals.due("key")
            if unsaid is not None:
                log.warning(
                    "refused what was sent", protocol="grpc", credentials="not valid here" if token else "none",
                    client=context.peer(), unsaid_since_last_line=unsaid,
                )  # fmt: skip
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "")
            raise AssertionError
        if "ingest" not in identity.scopes:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED, "this key may not send runs: it lacks the scope 'ingest'"
            )
        return identity


def _handler(service: Any, method: Callable[[AsyncIterator[bytes], Context], Any]) -> grpc.GenericRpcHandler:
    name = service.DESCRIPTOR.services_by_name
    (full_name,) = [descriptor.full_name for descriptor in name.values()]
    return grpc.method_handlers_generic_handler(
        full_name,
        {
            "Export": grpc.stream_unary_rpc_method_handler(
                method, request_deserializer=None, response_serializer=lambda message: message.SerializeToString()
            )
        },
    )


async def start(parts: Parts, host: str, port: int) -> grpc.aio.Server:
    """Listen; raises OSError when the port is taken."""
    cap = parts.settings.max_body_megabytes << 20
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", cap), ("grpc.so_reuseport", 0)],
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
