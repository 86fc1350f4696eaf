"""How much of a payload is kept, and what of it."""

import base64
import json
import re
import time
import tracemalloc
from typing import Any

import pytest

from modeltraces.ingest.otlp.payloads import fit
from modeltraces.ingest.recordings import Limits
from tests.ingest.otlp.building import chat, event

SMALL = Limits(max_part_bytes=1000, max_media_bytes=1000, max_payload_bytes=10_000)


def spoken(text: str, **more: Any) -> str:
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}], **more)


def test_a_text_over_the_cap_is_cut_and_its_size_said_in_its_place() -> None:
    text = "é" * 5000
    run = chat({"gen_ai.input.messages": spoken(text)}, limits=SMALL)
    kept = json.loads(run.request)["messages"][0]["parts"][0]["content"]
    assert kept == "é" * 500 + "… [cut: 10000 bytes in all]"
    assert run.input == kept
    assert run.input_size == 10_000
    assert run.payload_cut


def test_a_text_of_exactly_the_cap_is_whole() -> None:
    run = chat({"gen_ai.input.messages": spoken("a" * 1000)}, limits=SMALL)
    assert run.input == "a" * 1000
    assert not run.payload_cut


def test_what_stands_beside_a_long_part_is_kept() -> None:
    parts = [{"type": "text", "content": "a" * 5000}, {"type": "text", "content": "the question"}]
    run = chat({"gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])}, limits=SMALL)
    assert run.input.endswith("the question")


@pytest.mark.parametrize("form", ["data url", "blob part"])
def test_a_base64_blob_over_the_cap_becomes_its_type_size_and_digest(form: str) -> None:
    data = base64.b64encode(bytes(3000)).decode()
    part = (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        if form == "data url"
        else {"type": "blob", "modality": "image", "mime_type": "image/png", "content": data}
    )
    run = chat({"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [part]}])}, limits=SMALL)
    kept = json.loads(run.request)["messages"][0]["parts"][0]
    blob = kept["image_url"]["url"] if form == "data url" else kept["content"]
    assert blob == {"type": "blob", "mime": "image/png", "size": 3000, "sha256": blob["sha256"]}
    assert re.fullmatch("[0-9a-f]{64}", blob["sha256"])
    assert run.input == "[image image/png 3 KB]"
    assert run.payload_cut


def test_a_payload_over_its_cap_loses_most_from_its_longest_parts() -> None:
    payload = {
        "messages": [{"content": "a" * 900}, *[{"content": "b" * 40} for _ in range(100)], {"content": "c" * 900}]
    }
    fitted, was_cut = fit(payload, Limits(max_part_bytes=1000, max_payload_bytes=6000))
    assert was_cut
    assert len(json.dumps(fitted, separators=(",", ":"))) <= 6000
    assert fitted["messages"][50] == {"content": "b" * 40}
    assert fitted["messages"][0]["content"].endswith("[cut: 900 bytes in all]")


def test_a_payload_of_too_many_small_parts_is_kept_as_the_beginning_of_its_text() -> None:
    fitted, was_cut = fit({"input": ["abc"] * 10_000}, Limits(max_part_bytes=1000, max_payload_bytes=8000))
    assert was_cut
    assert fitted["cut"].startswith('{"input":["abc"')
    assert fitted["size"] == 60_011
    assert len(json.dumps(fitted)) <= 8000


def test_metadata_only_keeps_sizes_and_tokens_and_no_word_of_what_was_said() -> None:
    secret = "the secret plan"
    run = chat(
        {
            "gen_ai.input.messages": spoken(secret),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": secret}]),
            "gen_ai.system_instructions": spoken(secret),
            "traceloop.entity.input": secret,
            "my.prompt": secret,
            "gen_ai.tool.call.arguments": {"plan": secret},
            "gen_ai.usage.input_tokens": 4,
            "team": "search",
        },
        limits=Limits(record_content=False),
        events=[event("gen_ai.user.message", {"content": secret})],
    )
    assert (run.input, run.output, run.request, run.response) == ("", "", "", "")
    assert run.output_size == len(secret)
    assert run.input_size > len(secret)
    assert run.input_tokens == 4
    assert run.attributes["team"] == "search"
    assert secret not in repr(run)


def test_redaction_reaches_every_place_that_a_text_can_end_up_in() -> None:
    def mask(text: str) -> str:
        return text.replace("4242 4242", "****")

    card = "card 4242 4242"
    run = chat(
        {
            "gen_ai.input.messages": spoken(card),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": [{"type": "text", "text": card}]}]),
            "gen_ai.tool.definitions": json.dumps([{"description": card}]),
            "note": card,
            "error.type": "E",
        },
        limits=Limits(redact=mask),
        status={"code": 2, "message": card},
        events=[event("exception", {"exception.message": card, "exception.stacktrace": card})],
    )
    assert "4242" not in repr(run)
    assert run.input == "card ****"
    assert run.error_message == "card ****"
    assert run.attributes["note"] == "card ****"


def test_attributes_beyond_the_cap_are_counted_and_the_spans_own_stay_first() -> None:
    many = {f"own.{number}": number for number in range(20)}
    run = chat(many, limits=Limits(max_attributes=10), dropped_attributes_count=3)
    kept = dict(run.attributes)
    dropped = int(kept.pop("modeltraces.dropped_attributes"))
    assert len(kept) == 10
    assert all(name.startswith("own.") for name in kept)
    assert dropped == 20 + 2 - 10 + 3


def test_ten_thousand_attributes_and_fifty_megabytes_of_text_take_bounded_time_and_memory() -> None:
    many: dict[str, Any] = {f"llm.input_messages.{number}.message.content": "x" for number in range(5000)}
    many |= {f"other.{number}": "y" * 100 for number in range(5000)}
    started = time.monotonic()
    run = chat(many)
    assert len(run.attributes) == 257
    big = spoken("z" * 50_000_000)
    tracemalloc.start()
    try:
        run = chat({"gen_ai.input.messages": big})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert run.input_size == 50_000_000
    assert len(run.input) < 1_100_000
    assert len(run.request) < 1_100_000
    assert peak < 600_000_000
    assert time.monotonic() - started < 30


def test_an_attribute_nested_deeper_than_the_bound_is_cut_off_with_a_word() -> None:
    value: Any = "bottom"
    for _ in range(40):
        value = [value]
    run = chat({"deep": value})
    assert "[nested too deeply]" in run.attributes["deep"]


def test_list_indices_of_any_size_make_no_list_of_that_size() -> None:
    run = chat(
        {
            "llm.input_messages.999999999999.message.content": "last",
            "llm.input_messages.3.message.content": "first",
            "llm.input_messages.x.message.content": "odd",
        }
    )
    assert "first" in run.request
    run = chat(
        {
            "gen_ai.prompt.999999999999.content": "last",
            "gen_ai.prompt.999999999999.role": "user",
            "gen_ai.prompt.3.content": "first",
            "gen_ai.prompt.3.role": "user",
        }
    )
    assert run.input == "user: first\n\nuser: last"
