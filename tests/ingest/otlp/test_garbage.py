"""Whatever the attributes hold, a span gives a run that can be stored and shown, and never harms another."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modeltraces.ingest.otlp.attributes import unflatten
from modeltraces.ingest.otlp.payloads import clean, dump, fit, load
from modeltraces.ingest.recordings import Limits
from modeltraces.run import Run
from tests.ingest.otlp.building import CHAT, decode, event, span
from tests.ingest.otlp.strategies import span_attributes, unhurried, values

LIMITS = (
    Limits(),
    Limits(max_part_bytes=40, max_payload_bytes=400, max_attributes=3),
    Limits(record_content=False),
    Limits(redact=lambda text: text.replace("a", "*")),
)


@unhurried
@given(span_attributes, st.sampled_from(LIMITS), st.sampled_from(["chat", "raw_gen_ai_request", "", "a\0"]))
def test_attributes_of_any_shape_neither_raise_nor_touch_the_neighbours(
    attributes: dict[str, Any], limits: Limits, name: str
) -> None:
    odd = span(attributes, name=name, events=[event("gen_ai.choice", attributes), event("exception", attributes)])
    decoded = decode(span(CHAT, span_id=b"before!!"), odd, span(CHAT, span_id=b"after!!!"), limits=limits)
    assert not any("could not be read" in rejection.reason for rejection in decoded.rejected)
    ids = [bytes.fromhex(run.span_id) for run in decoded.runs]
    assert ids[0] == b"before!!"
    assert ids[-1] == b"after!!!"
    for run in decoded.runs:
        check_is_storable(run)


@unhurried
@given(span_attributes)
def test_a_call_with_any_other_attributes_is_a_run(attributes: dict[str, Any]) -> None:
    marker = {"langfuse.observation.type": "generation"}
    decoded = decode(span({**attributes, **marker}))
    assert len(decoded.runs) == 1
    check_is_storable(decoded.runs[0])


def check_is_storable(run: Run) -> None:
    for text in (
        run.model,
        run.base_model,
        run.provider,
        run.deployment_version,
        run.connection_name,
        run.source_type,
        run.source,
        run.session_id,
        run.user_id,
        run.response_id,
        run.input,
        run.output,
        run.request,
        run.response,
        run.error_type,
        run.error_message,
        run.error_code,
        *run.finish_reasons,
        *run.attributes,
        *run.attributes.values(),
    ):
        assert isinstance(text, str)
        assert "\0" not in text
        text.encode()
    for payload in (run.request, run.response):
        assert payload == "" or isinstance(json.loads(payload), dict)
    for number in (run.input_tokens, run.output_tokens, run.cached_input_tokens, run.reasoning_tokens):
        assert number is None or 0 <= number < 2**54
    assert run.model


@unhurried
@given(values)
def test_what_is_written_is_json_that_reads_back(value: Any) -> None:
    assert load(dump(value)) is not ...
    json.loads(dump(value))


@unhurried
@given(values, st.integers(20, 400), st.integers(100, 2000))
def test_a_fitted_payload_is_within_its_cap_and_valid(value: Any, part: int, whole: int) -> None:
    fitted, _ = fit({"input": value}, Limits(max_part_bytes=part, max_payload_bytes=whole))
    text = dump(fitted)
    json.loads(text)
    assert len(text.encode()) <= whole + 200


@unhurried
@given(st.text(alphabet=st.characters()))
def test_cleaning_changes_nothing_but_nul_and_surrogates(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert len(cleaned) == len(text)
    assert all(new == old or old == "\0" or 0xD800 <= ord(old) < 0xE000 for new, old in zip(cleaned, text, strict=True))


@unhurried
@given(st.lists(st.tuples(st.text(alphabet="01a.", max_size=10), st.integers()), max_size=12))
def test_any_names_can_be_unflattened(pairs: list[tuple[str, int]]) -> None:
    json.dumps(unflatten(pairs))
