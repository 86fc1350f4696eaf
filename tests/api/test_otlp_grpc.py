"""OTLP/gRPC: the same runs, the same refusals."""

from collections.abc import Iterator

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

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
