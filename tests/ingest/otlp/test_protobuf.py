"""One bad span in a protobuf body costs that span, and no other."""

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.ingest.otlp.logs import contents_of_logs
from modeltraces.ingest.otlp.protobuf import MAX_REPAIRED_BYTES, logs_from_protobuf, traces_from_protobuf
from modeltraces.ingest.otlp.spans import runs_of_traces
from modeltraces.ingest.recordings import Decoded, Limits, SourceDefaults
from tests.ingest.otlp.building import CHAT, NOW_US, log, logs, span, traces
from tests.ingest.otlp.strategies import unhurried


def body(*attributes: dict[str, Any]) -> bytes:
    """A request of one span for each dict of attributes, and one ordinary span behind them."""
    spans = [span({**CHAT, **each}, span_id=bytes([number + 1] * 8)) for number, each in enumerate(attributes)]
    return traces([*spans, span(CHAT, span_id=b"\xff" * 8)]).SerializeToString()


def decode(data: bytes) -> Decoded:
    return runs_of_traces(
        traces_from_protobuf(data),
        account_id="A",
        defaults=SourceDefaults(),
        limits=Limits(),
        received_on_us=NOW_US,
    )


def nested(levels: int) -> bytes:
    """An AnyValue of lists in lists, written by hand: the library refuses to write it."""
    value = b"\x0a\x01x"
    for _ in range(levels):
        value = framed(b"\x2a", framed(b"\x0a", value))
    return value


def framed(tag: bytes, value: bytes) -> bytes:
    size, length = bytearray(), len(value)
    while length >= 0x80:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return tag + bytes(size) + value


def in_a_span(field: bytes, data: bytes) -> bytes:
    """The request with one more field in a span of its own, before the others."""
    plain = span(CHAT, span_id=b"\xee" * 8).SerializeToString()
    scope_spans = framed(b"\x12", plain + field)
    return data + framed(b"\x0a", framed(b"\x12", scope_spans))


def test_a_string_that_is_no_utf8_costs_its_broken_characters_and_nothing_else() -> None:
    broken = body({"note": "caf!"}, {"other": "fine"}).replace(b"caf!", b"caf\xe9")
    with pytest.raises(DecodeError):
        traces([]).FromString(broken)
    decoded = decode(broken)
    assert not decoded.rejected
    assert len(decoded.runs) == 3
    assert decoded.runs[0].attributes["note"] == "caf\ufffd"
    assert decoded.runs[1:] == decode(body({"note": "caf!"}, {"other": "fine"})).runs[1:]


def test_a_span_with_a_value_nested_too_deeply_is_refused_alone() -> None:
    key_value = framed(b"\x0a", b"deep") + framed(b"\x12", nested(300))
    decoded = decode(in_a_span(framed(b"\x4a", key_value), body()))
    assert [run.span_id for run in decoded.runs] == ["ff" * 8]
    assert "nested too deeply" in decoded.rejected[0].reason


def test_a_span_whose_bytes_are_out_of_place_is_refused_alone() -> None:
    decoded = decode(in_a_span(b"\x4a\x7f\x00", body()))
    assert [run.span_id for run in decoded.runs] == ["ff" * 8]
    assert "malformed" in decoded.rejected[0].reason


def test_a_body_that_is_no_request_is_still_an_error() -> None:
    for data in (b"not protobuf", b"\x0a\xff", body()[:-3], b"\xff" * 100):
        with pytest.raises(DecodeError):
            traces_from_protobuf(data)
        with pytest.raises(DecodeError):
            logs_from_protobuf(data)


def test_a_huge_broken_body_is_not_walked() -> None:
    broken = body({"note": "caf!" + "x" * MAX_REPAIRED_BYTES}).replace(b"caf!", b"caf\xe9")
    with pytest.raises(DecodeError):
        traces_from_protobuf(broken)


def test_log_records_are_mended_alike() -> None:
    request = logs(log("gen_ai.user.message", {"content": "caf!"}), log("gen_ai.choice", {"message": {"content": "a"}}))
    read = logs_from_protobuf(request.SerializeToString().replace(b"caf!", b"caf\xe9"))
    decoded = contents_of_logs(read, account_id="A", limits=Limits(), received_on_us=NOW_US)
    assert len(decoded.contents) == 2
    assert "caf\ufffd" in decoded.contents[0].body


@unhurried
@given(st.binary(max_size=60), st.integers(0, 400))
def test_bytes_of_any_kind_in_any_place_give_a_request_or_the_librarys_error(garbage: bytes, at: int) -> None:
    whole = body({"note": "caf"}, {"deep": [[1], {"a": "b"}]})
    data = whole[:at] + garbage + whole[at + len(garbage) :]
    try:
        request = traces_from_protobuf(data)
    except DecodeError:
        return
    decoded = runs_of_traces(request, account_id="A", defaults=SourceDefaults(), limits=Limits(), received_on_us=NOW_US)
    assert not any("could not be read" in rejection.reason for rejection in decoded.rejected)
