"""Sound and images: forms that bear files, answers that are files, and streams of either, each one run that holds no file."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from modeltraces.gateway.forms import NoForm, form_of
from tests.gateway.faults import only_run
from tests.gateway.raw import RawUpstream, chunked, http, piece

ROOT = "/gateway/openai/v1/"
SOUND = bytes(range(256)) * 40
DIGEST = hashlib.sha256(SOUND).hexdigest()
JSON = "Content-Type: application/json"


def sent_form(raw: RawUpstream) -> dict[str, bytes]:
    (asked,) = raw.asked
    form = form_of(asked.header("content-type")[0], asked.body)
    return {part.name: form.body[part.start : part.end] for part in form.parts}


@pytest.mark.parametrize(("path", "operation"), [("transcriptions", "transcription"), ("translations", "translation")])
def test_a_sound_that_is_read_is_recorded_by_type_size_and_digest(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, path: str, operation: str
) -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 5}
    raw.sends(http(200, json.dumps({"text": "Feed the duck.", "usage": usage}).encode(), JSON))
    answer = raw_caller.post(
        f"{ROOT}audio/{path}",
        data={"prompt": "a duck", "model": "whisper@raw", "timestamp_granularities[]": ["word", "segment"]},
        files={"file": ("duck.wav", SOUND, "audio/wav")},
    )
    assert answer.json()["text"] == "Feed the duck."
    got = sent_form(raw)
    assert (got["file"], got["prompt"], got["model"]) == (SOUND, b"a duck", b"whisper")
    run = only_run(raw_reader)
    assert (run["model"], run["operation"], run["status"]) == ("whisper", operation, "success")
    assert run["request"] == {
        "prompt": "a duck", "model": "whisper@raw", "timestamp_granularities": ["word", "segment"],
        "file": {"type": "blob", "mime": "audio/wav", "size": len(SOUND), "sha256": DIGEST, "name": "duck.wav"},
    }  # fmt: skip
    assert run["input"].startswith("a duck\n\n[audio audio/wav 10 KB]")
    assert (run["output"], run["input_tokens"], run["output_tokens"]) == ("Feed the duck.", 14, 5)
    assert raw_reader.get("/api/v1/runs", params={"filter": "operation:" + operation}).json()["runs"]


@pytest.mark.parametrize("form", ["srt", "stream"])
def test_a_transcript_comes_as_text_or_as_a_stream_too(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream, form: str
) -> None:
    text = "1\n00:00:00,000 --> 00:00:01,000\nFeed the duck.\n"
    events = [{"type": "transcript.text.delta", "delta": "Feed "}, {"type": "transcript.text.done", "text": "Feed it."}]
    written = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events)
    if form == "srt":
        raw.sends(http(200, text.encode(), "Content-Type: text/plain; charset=utf-8"))
    else:
        raw.sends(chunked("text/event-stream"), piece(written), b"0\r\n\r\n")
    files = {"file": ("duck.wav", SOUND, "audio/wav")}
    answer = raw_caller.post(f"{ROOT}audio/transcriptions", data={"model": "m"}, files=files)
    assert answer.content == (text.encode() if form == "srt" else written)
    run = only_run(raw_reader)
    assert (run["status"], run["streaming"]) == ("success", form == "stream")
    assert run["output"] == (text if form == "srt" else "Feed it.")


def test_a_sound_that_is_made_passes_piece_by_piece_and_is_recorded_by_type_size_and_digest(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    pieces = [piece(SOUND[at : at + 1000]) for at in range(0, len(SOUND), 1000)]
    raw.sends(chunked("audio/mpeg"), *pieces, b"0\r\n\r\n")
    answer = raw_caller.post(f"{ROOT}audio/speech", json={"model": "tts", "input": "Feed the duck.", "voice": "alloy"})
    assert (answer.content, answer.headers["content-type"]) == (SOUND, "audio/mpeg")
    run = only_run(raw_reader)
    assert (run["operation"], run["status"], run["input"]) == ("speech", "success", "Feed the duck.")
    assert run["response"] == {"type": "blob", "mime": "audio/mpeg", "size": len(SOUND), "sha256": DIGEST}
    assert run["output"].startswith("[audio audio/mpeg 10 KB]")


def test_an_image_that_is_changed_comes_in_a_stream_whose_last_event_is_the_answer(
    raw_caller: httpx.Client, raw_reader: httpx.Client, raw: RawUpstream
) -> None:
    events: list[dict[str, Any]] = [
        {"type": "image_edit.partial_image", "b64_json": "aGFsZg=="},
        {"type": "image_edit.completed", "b64_json": "d2hvbGU=", "usage": {"input_tokens": 7, "output_tokens": 9}},
    ]
    raw.sends(
        chunked("text/event-stream"),
        *(piece(b"data: " + json.dumps(one).encode() + b"\n\n") for one in events),
        b"0\r\n\r\n",
    )
    files = [("image[]", ("a.png", SOUND, "image/png")), ("image[]", ("b.png", SOUND[:9], "image/png"))]
    answer = raw_caller.post(
        f"{ROOT}images/edits", data={"model": "m", "prompt": "a hat", "stream": "true"}, files=files
    )
    assert answer.text.count("data: ") == 2
    run = only_run(raw_reader)
    assert (run["operation"], run["status"], run["input_tokens"], run["output_tokens"]) == (
        "image_edit",
        "success",
        7,
        9,
    )
    assert [one["size"] for one in run["request"]["image"]] == [len(SOUND), 9]


def test_a_form_that_names_no_model_or_is_none_goes_nowhere(raw_caller: httpx.Client, raw: RawUpstream) -> None:
    raw.sends(http(200, b"{}", JSON))
    files = {"file": ("duck.wav", SOUND, "audio/wav")}
    answer = raw_caller.post(f"{ROOT}audio/transcriptions", files=files)
    assert (answer.status_code, "must name a model" in answer.text) == (400, True)
    broken = {"content-type": "multipart/form-data; boundary=b"}
    answer = raw_caller.post(f"{ROOT}audio/transcriptions", content=b"--b\r\nno end", headers=broken)
    assert answer.status_code == 400
    assert "ends in the middle of a part" in answer.json()["error"]["message"]
    assert raw.asked == []


@pytest.mark.parametrize(("kind", "body"), [
    ("multipart/form-data", b""),
    ("multipart/form-data; boundary=b", b""),
    ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b"),
])  # fmt: skip
def test_what_is_no_form_says_how(kind: str, body: bytes) -> None:
    with pytest.raises(NoForm):
        form_of(kind, body)


def test_a_form_keeps_every_other_byte_when_its_model_is_named_anew() -> None:
    parts = [
        ('name="model"', b"old"),
        ('name="x"; filename=""', b""),
        ('name="model"', b"other"),
        ('name="y"', b"--b\r\n--"),
    ]
    body = b"preamble\r\n"
    for disposition, value in parts:
        body += b"--b\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"
    form = form_of('multipart/form-data; boundary="b"', body.replace(b"--b\r\n--\r\n", b"-b\r\n--\r\n") + b"--b--\r\n")
    assert form.model == "old"
    assert not form.names_it_alone("old")
    again = form_of("multipart/form-data; boundary=b", form.with_model("new-model"))
    assert again.body == form.body.replace(b"old", b"new-model").replace(b"other", b"new-model")
    assert again.names_it_alone("new-model")
    assert again.value()["y"] == "-b\r\n--"
