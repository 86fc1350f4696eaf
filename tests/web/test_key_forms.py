"""What people type for a key's limits is read, and its limits and use are written for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.key_limits import KeyLimits
from modeltraces.catalog.key_usage import DAY, MINUTE, Used, window_of
from modeltraces.catalog.keys import ApiKey
from modeltraces.web.account_contexts import KeyLimit
from modeltraces.web.formatting import count
from modeltraces.web.key_forms import form_of, form_of_key, limits_given, limits_shown

NOW = 1_767_225_600_000_000


def key(**limits: object) -> ApiKey:
    return ApiKey(
        "k", "a", "ci", "mt_abcd…", ("gateway",), "Agent", "bot", 0, "test", None, None, None,
        KeyLimits(**limits),  # type: ignore[arg-type]
    )  # fmt: skip


def test_nothing_typed_is_no_limit() -> None:
    assert limits_given({}) == {
        "requests_per_minute": None, "tokens_per_day": None, "allowed_models": [], "recording": None
    }  # fmt: skip


@given(st.integers(min_value=1, max_value=10**15))
def test_a_number_is_read_with_its_thousands_apart_or_not(number: int) -> None:
    for text in (str(number), f"{number:,}", count(number), f" {number:,} ".replace(",", " ")):
        assert limits_given({"tokens_per_day": text})["tokens_per_day"] == number


@pytest.mark.parametrize("text", ["many", "1.5", "1,5", "-3", "1e3", "12,34", "٣x", "9" * 41])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="Requests a minute must be a whole number such as 60"):
        limits_given({"requests_per_minute": text})


def test_models_are_one_a_line() -> None:
    assert limits_given({"models": " gpt-4o \r\n\r\nllama@v1\n"})["allowed_models"] == ["gpt-4o", "llama@v1"]


def test_a_keys_form_says_what_it_is_and_nothing_changes_when_it_is_sent_back() -> None:
    limited = key(requests_per_minute=60, tokens_per_day=50_000, allowed_models=("a", "b@v1"), recording="off")
    form = form_of_key(limited)
    assert (form.name, form.source_type, form.source, form.has_limits) == ("ci", "Agent", "bot", True)
    sent = {
        "requests_per_minute": form.requests_per_minute, "tokens_per_day": form.tokens_per_day, "models": form.models,
        "recording": form.recording,
    }  # fmt: skip
    assert limits_given(sent) == {
        "requests_per_minute": 60, "tokens_per_day": 50_000, "allowed_models": ["a", "b@v1"], "recording": "off",
    }  # fmt: skip
    assert form_of(sent).models == form.models
    assert not form_of_key(key()).has_limits


def test_limits_are_shown_with_what_is_used_of_them() -> None:
    limited = key(
        requests_per_minute=2,
        tokens_per_day=50_000,
        allowed_models=tuple(f"m{n}" for n in range(8)),
        recording="metadata",
    )
    used = {
        window_of("k", DAY, NOW): Used(9, 12_400),
        window_of("k", MINUTE, NOW): Used(2, 1),
        window_of("k", MINUTE, NOW - 60_000_000): Used(7, 7),
    }
    tokens, requests, models, recording = limits_shown(limited, used, NOW)
    assert tokens == KeyLimit(f"{count(12_400)} of {count(50_000)} tokens today")
    assert requests == KeyLimit("2 of 2 requests this minute", is_reached=True)
    assert (models.text, models.title.splitlines()[-1]) == ("only m0, m1, m2, m3, m4, m5 and 2 more", "m7")
    assert recording.text == "records metadata only"
    assert limits_shown(key(), used, NOW) == ()
