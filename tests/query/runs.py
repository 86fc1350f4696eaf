"""Runs for tests: one by hand, and random ones from small pools, so that filters meet them."""

from typing import Any

from hypothesis import strategies as st

from modeltraces.run import Run

NOON_US = 1_793_534_400_000_000
"""2026-11-01T12:00:00Z."""
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US

WORDS = (
    "refund", "Refund", "Größe", "Возврат", "возврат", "退款", "طلب", "🙂", "100%", "a_b", "back\\slash", 'quo"te',
    "a*b", "line\nbreak", "cannot help", "=1+1", "AND", "x",
)  # fmt: skip


def run(account_id: str, number: int = 0, **fields: Any) -> Run:
    """A run, `number` seconds after noon; input_size and output_size are those of the texts."""
    made = Run(account_id, f"run-{number:05d}", NOON_US + number * SECOND_US, fields.pop("model", "gpt-4o"))
    for name, value in fields.items():
        setattr(made, name, value)
    made.input_size = made.input_size or len(made.input.encode())
    made.output_size = made.output_size or len(made.output.encode())
    made.received_on_us = made.received_on_us or made.executed_on_us
    return made


words = st.sampled_from(("", *WORDS))
texts = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
counts = st.none() | st.sampled_from((0, 1, 5, 1000))
durations = st.none() | st.sampled_from((0.0, 0.1, 250.0, 1999.9, 2000.0, 2000.1, 5_400_000.0))


@st.composite
def random_runs(draw: st.DrawFn) -> list[Run]:
    """Up to eight runs, of an account to be set."""
    return [
        run(
            "",
            number,
            executed_on_us=NOON_US + draw(st.integers(-2 * DAY_US, 2 * DAY_US)),
            model=draw(st.sampled_from(("gpt-4o", "llama-3", "Größe/模型"))),
            status=draw(st.sampled_from(("success", "failed"))),
            response_time_ms=draw(durations),
            time_to_first_token_ms=draw(durations),
            streaming=draw(st.booleans()),
            source=draw(words),
            source_type=draw(words),
            session_id=draw(words),
            input=draw(texts),
            output=draw(texts),
            input_tokens=draw(counts),
            output_tokens=draw(counts),
            finish_reasons=draw(st.lists(st.sampled_from(WORDS), max_size=2)),
            error_type=draw(words),
            error_message=draw(texts),
            attributes=draw(st.dictionaries(st.sampled_from(("env", "my key", "ключ")), words, max_size=2)),
        )
        for number in range(draw(st.integers(1, 8)))
    ]
