"""Images, sound and files in a payload: kept up to a cap, above it replaced by type, size and digest, in any provider's shape."""

import base64
import hashlib
import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeltraces.ingest.native import run_of_json
from modeltraces.ingest.otlp.payloads import fit
from modeltraces.ingest.recordings import Limits, SourceDefaults
from modeltraces.run import Run, now_us

LIMITS = Limits(max_media_bytes=2000)
NOISE = random.Random(7).randbytes(3000)
PNG = b"\x89PNG\r\n\x1a\n" + NOISE
JPEG = b"\xff\xd8\xff\xe0" + NOISE
PDF = b"%PDF-1.7\n" + NOISE
WEBP = b"RIFF\x00\x10\x00\x00WEBP" + NOISE
WAV = b"RIFF\x00\x10\x00\x00WAVE" + NOISE
MP4 = b"\x00\x00\x00\x20ftypisom" + NOISE


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def blob(mime: str, data: bytes) -> dict[str, Any]:
    return {"type": "blob", "mime": mime, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def recorded(limits: Limits = LIMITS, **fields: Any) -> Run:
    return run_of_json(
        {"model": "m", **fields}, account_id="a", defaults=SourceDefaults(), limits=limits, received_on_us=now_us()
    ).run


def asked(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]}


SHAPES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("openai image_url", {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}},
     {"type": "image_url", "image_url": {"url": blob("image/png", PNG)}}, "[image image/png 3 KB]"),
    ("openai input_audio", {"type": "input_audio", "input_audio": {"data": b64(NOISE), "format": "pcm16"}},
     {"type": "input_audio", "input_audio": {"data": blob("audio/pcm", NOISE), "format": "pcm16"}}, "[audio audio/pcm 3 KB]"),
    ("openai file", {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{b64(PDF)}"}},
     {"type": "file", "file": {"filename": "a.pdf", "file_data": blob("application/pdf", PDF)}}, "[file application/pdf 3 KB]"),
    ("responses input_image", {"type": "input_image", "image_url": f"data:image/webp;base64,{b64(WEBP)}"},
     {"type": "input_image", "image_url": blob("image/webp", WEBP)}, "[image image/webp 3 KB]"),
    ("responses input_file", {"type": "input_file", "filename": "a", "file_data": b64(NOISE)},
     {"type": "input_file", "filename": "a", "file_data": blob("application/octet-stream", NOISE)},
     "[file application/octet-stream 3 KB]"),
    ("anthropic image", {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": b64(JPEG)}},
     {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": blob("image/jpeg", JPEG)}},
     "[image image/jpeg 3 KB]"),
    ("gemini inline_data", {"inline_data": {"mime_type": "video/mp4", "data": b64(MP4)}},
     {"inline_data": {"mime_type": "video/mp4", "data": blob("video/mp4", MP4)}}, "[video video/mp4 3 KB]"),
    ("gemini inlineData", {"inlineData": {"mimeType": "audio/wav", "data": b64(WAV)}},
     {"inlineData": {"mimeType": "audio/wav", "data": blob("audio/wav", WAV)}}, "[audio audio/wav 3 KB]"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "kept", "said"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_media_over_the_cap_is_its_type_size_and_digest(sent: dict[str, Any], kept: dict[str, Any], said: str) -> None:
    run = recorded(request=asked(sent))
    assert json.loads(run.request) == asked(kept)
    assert run.input == f"What is this?\n{said}"
    assert run.payload_cut


@pytest.mark.parametrize(
    ("sent", "said"), [(shape[1], shape[3]) for shape in SHAPES], ids=[shape[0] for shape in SHAPES]
)
def test_media_up_to_the_cap_is_kept(sent: dict[str, Any], said: str) -> None:
    for limits in (Limits(max_media_bytes=5000), Limits(max_media_bytes=5000, max_part_bytes=100)):
        run = recorded(limits, request=asked(sent))
        assert json.loads(run.request) == asked(sent)
        assert not run.payload_cut


@pytest.mark.parametrize(
    ("response", "place"),
    [
        ({"data": [{"b64_json": b64(PNG)}]}, ("data", 0, "b64_json")),
        ({"output": [{"type": "image_generation_call", "result": b64(PNG)}]}, ("output", 0, "result")),
        ({"some": {"provider": ["has", {"its": {"own": b64(PNG)}}]}}, ("some", "provider", 1, "its", "own")),
    ],
)
def test_an_image_that_was_made_is_told_by_its_first_bytes_wherever_it_stands(response: Any, place: Any) -> None:
    run = recorded(response=response)
    found = json.loads(run.response)
    for step in place:
        found = found[step]
    assert found == blob("image/png", PNG)
    assert b64(PNG)[:100] not in run.output


@pytest.mark.parametrize(
    "text",
    [
        "a" * 5000,
        "Lorem ipsum " * 500,
        b64(NOISE),
        "data: the numbers, in all " * 200,
        "é" * 3000,
        "/9j/ is a JPEG " * 300,
    ],
)
def test_a_text_is_no_media_however_long(text: str) -> None:
    for payload in (asked({"type": "text", "text": text}), {"mime_type": "text/plain", "data": text}):
        run = recorded(request=payload)
        assert json.loads(run.request) == payload
        assert not run.payload_cut


def test_base64_with_line_breaks_or_in_the_alphabet_of_addresses_has_the_same_digest() -> None:
    lines = base64.encodebytes(PNG).decode()
    urls = base64.urlsafe_b64encode(PNG).decode().rstrip("=")
    for data in (lines, urls, f"data:image/png;base64,{urls}"):
        fitted, was_cut = fit({"data": data, "mime_type": "image/png"}, LIMITS)
        assert (fitted["data"], was_cut) == (blob("image/png", PNG), True)
    fitted, _ = fit({"url": "data:image/svg+xml;utf8," + "%3Csvg%2F%3E" * 400}, LIMITS)
    assert fitted["url"] == blob("image/svg+xml", b"<svg/>" * 400)


def test_what_only_claims_to_be_base64_is_counted_by_its_own_letters() -> None:
    fitted, _ = fit({"url": "data:image/png;base64," + "A" * 3001}, LIMITS)
    assert fitted["url"]["size"] in (2250, 2251, 3001)
    fitted, _ = fit({"url": "data:image/png;base64," + "é" * 3000}, LIMITS)
    assert fitted["url"]["mime"] == "image/png"


_TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


@settings(max_examples=25)
@given(
    st.recursive(
        st.one_of(_TEXTS, st.integers(-9, 9), st.binary(min_size=1600, max_size=1700).map(lambda d: b64(PNG + d))),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)),
        max_leaves=8,
    )
)
def test_whatever_media_stands_in_is_valid_json_afterwards_and_as_it_was_around_it(value: Any) -> None:
    run = recorded(request={"input": value})
    kept = orjson.loads(run.request)
    assert len(run.request) < 9_000
    assert run.payload_cut == ('"blob"' in run.request)

    def same(one: Any, other: Any) -> bool:
        if isinstance(one, str) and len(one) > 2000:
            return bool(other["mime"] == "image/png")
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(same(part, other[name]) for name, part in one.items())
        if isinstance(one, list):
            return len(one) == len(other) and all(map(same, one, other))
        return bool(one == other)

    assert same(value, kept["input"])
