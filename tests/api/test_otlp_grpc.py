"""OTLP/gRPC: the same runs, the same refusals."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from modeltraces.api.errors import problem_of
from modeltraces.api.otlp_grpc import refusal_of
from modeltraces.catalog.errors import CatalogBusy, CatalogUnavailable
from modeltraces.ingest.writer import QueueFull
from modeltraces.store.engine import StoreError, StoreUnavailable
from tests.support.otlp import genai_span, log_record, traces
from tests.support.server import Server


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


def bearer(server: Server, *scopes: str, account: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {server.key(*scopes, account=account)}"),)


def found(client: httpx.Client) -> list[dict[str, object]]:
    answer = client.get("/api/v1/runs", params={"period": "all"})
    assert answer.status_code == 200
    rows: list[dict[str, object]] = answer.json()["runs"]
    return rows


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_spans_and_log_records_come_in(server: Server, channel: grpc.Channel, compression: grpc.Compression) -> None:
    account = server.new_account(f"grpc {compression}")
    metadata = bearer(server, account=account)
    trace_id, span_id = b"g" * 16, b"h" * 8
    request = traces(genai_span(trace_id=trace_id, span_id=span_id))
    TraceServiceStub(channel).Export(request, metadata=metadata, compression=compression, timeout=20)
    logs = log_record("gen_ai.user.message", {"content": "by gRPC"}, trace_id=trace_id, span_id=span_id)
    LogsServiceStub(channel).Export(logs, metadata=metadata, compression=compression, timeout=20)
    with server.client(account=account) as client:
        (run,) = found(client)
    assert "by gRPC" in str(run["input"])


def test_a_malformed_span_is_a_partial_success(server: Server, channel: grpc.Channel) -> None:
    account = server.new_account("grpc partial")
    bad = genai_span()
    bad.span_id = b""
    answer = TraceServiceStub(channel).Export(
        traces(bad, genai_span()), metadata=bearer(server, account=account), timeout=20
    )
    assert answer.partial_success.rejected_spans == 1
    with server.client(account=account) as client:
        assert len(found(client)) == 1


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), grpc.StatusCode.UNAUTHENTICATED),
        ((("authorization", "Bearer mt_unknown"),), grpc.StatusCode.UNAUTHENTICATED),
        ((("x-api-key", "nonsense"),), grpc.StatusCode.UNAUTHENTICATED),
    ],
)
def test_without_a_valid_key_nothing_is_taken(
    channel: grpc.Channel, metadata: tuple[tuple[str, str], ...], code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        TraceServiceStub(channel).Export(traces(genai_span()), metadata=metadata, timeout=20)
    assert failure.value.code() is code


def test_a_key_of_another_scope_is_refused(server: Server, channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        TraceServiceStub(channel).Export(
            traces(genai_span()), metadata=bearer(server, "read", account="default"), timeout=20
        )
    assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_what_is_not_an_export_is_an_invalid_argument(server: Server, channel: grpc.Channel) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    )
    with pytest.raises(grpc.RpcError) as failure:
        call(b"\xff\xff\xff", metadata=bearer(server, account="default"), timeout=20)
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert str(failure.value.details()).startswith("The body is not an OTLP protobuf export of traces: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CatalogBusy("Two changes met each other, and this one was undone. Try again."), grpc.StatusCode.UNAVAILABLE),
        (CatalogUnavailable("postgresql://user@host is away"), grpc.StatusCode.UNAVAILABLE),
        (StoreUnavailable("the disk is full"), grpc.StatusCode.UNAVAILABLE),
        (QueueFull(), grpc.StatusCode.UNAVAILABLE),
        (StoreError("DB::Exception"), grpc.StatusCode.INTERNAL),
        (KeyError("secret"), grpc.StatusCode.INTERNAL),
    ],
)
def test_what_is_wrong_here_is_told_as_by_http(error: Exception, code: grpc.StatusCode) -> None:
    assert refusal_of(error) == (code, problem_of(error).detail)
    assert problem_of(error).detail.endswith(".")
    for hidden in ("secret", "user@host", "DB::"):
        assert hidden not in refusal_of(error)[1]


def export(channel: grpc.Channel) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
    return channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")


def memory_mb(server: Server) -> int:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) >> 10


def test_what_strangers_send_is_not_read_into_memory(server: Server) -> None:
    before = memory_mb(server)
    message = b"\0" * (60 << 20)
    codes: list[grpc.StatusCode] = []

    def send() -> None:
        with grpc.insecure_channel(
            f"127.0.0.1:{server.grpc_port}",
            options=[("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)],
        ) as channel, pytest.raises(grpc.RpcError) as failure:  # fmt: skip
            export(channel)(message, metadata=(("x-api-key", "mt_stranger"),), timeout=60)
        codes.append(failure.value.code())

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) == {grpc.StatusCode.UNAUTHENTICATED}
    assert memory_mb(server) - before < 150


def test_a_bomb_is_refused(server: Server, channel: grpc.Channel) -> None:
    before = memory_mb(server)
    with pytest.raises(grpc.RpcError) as failure:
        export(channel)(
            b"\0" * (500 << 20),
            metadata=bearer(server, account="default"),
            compression=grpc.Compression.Gzip,
            timeout=60,
        )
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert memory_mb(server) - before < 200


def test_a_caller_that_gives_up_leaves_the_server_whole(server: Server, channel: grpc.Channel) -> None:
    account = server.new_account("grpc gives up")
    metadata = bearer(server, account=account)
    request = traces(*(genai_span() for _ in range(50)))
    with pytest.raises(grpc.RpcError) as failure:
        TraceServiceStub(channel).Export(request, metadata=metadata, timeout=0.001)
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    for wait in (0, 0.002, 0.005):
        pending = TraceServiceStub(channel).Export.future(request, metadata=metadata, timeout=20)
        time.sleep(wait)
        pending.cancel()
    TraceServiceStub(channel).Export(request, metadata=metadata, timeout=20)
    with server.client(account=account) as client:
        assert client.get("/api/v1/metrics", params={"period": "all"}).json()["total_requests"] == 50


def test_more_than_fits_is_said_so_that_exporters_send_it_again(tmp_path: Path) -> None:
    server = Server(
        tmp_path / "data", {"MODELTRACES_QUEUE_MEGABYTES": "1", "MODELTRACES_COMMIT_WAIT_MS": "500"}, grpc=True
    )
    server.start()
    try:
        request = traces(*(genai_span(gen_ai__conversation__id="x" * 5000) for _ in range(60)))
        codes: list[grpc.StatusCode | None] = []

        def send() -> None:
            with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
                try:
                    TraceServiceStub(channel).Export(request, metadata=bearer(server, account="default"), timeout=30)
                    codes.append(None)
                except grpc.RpcError as error:
                    codes.append(error.code())

        server.key(account="default")
        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # By OTLP's rules an exporter drops what RESOURCE_EXHAUSTED refuses.
        assert set(codes) == {None, grpc.StatusCode.UNAVAILABLE}
        assert "fork" not in server.log, "what gRPC has to say of the decoding processes is nothing to an operator"
    finally:
        server.close()


@pytest.mark.parametrize("name", ["x-api-key", "api-key"])
def test_a_key_of_ours_counts_beside_a_proxys_own_credentials(server: Server, channel: grpc.Channel, name: str) -> None:
    metadata = (("authorization", "Bearer something-of-a-proxy"), (name, server.key()))
    TraceServiceStub(channel).Export(traces(genai_span()), metadata=metadata, timeout=20)
