"""Runs for tests: one by hand, and many from small pools, so that filters meet them."""

import random
from typing import Any

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


def various_runs(account_id: str, size: int, seed: int = 3) -> list[Run]:
    """Runs whose values come from small pools, so that most filters match some of them and leave some."""
    chance = random.Random(seed)

    def word() -> str:
        return chance.choice(("", *WORDS, f"{chance.choice(WORDS)}{chance.choice(('', ' '))}{chance.choice(WORDS)}"))

    def text() -> str:
        return " ".join(chance.choices(WORDS, k=chance.randrange(4)))

    def count() -> int | None:
        return chance.choice((None, 0, 1, 5, 6, 1000))

    def duration() -> float | None:
        return chance.choice((None, 0.0, 0.1, 250.0, 1999.9, 2000.0, 2000.1, 5_400_000.0))

    return [
        run(
            account_id,
            number,
            executed_on_us=NOON_US
            + chance.choice((0, -1, 1, DAY_US // 2 - 1, DAY_US // 2, chance.randrange(-2 * DAY_US, 2 * DAY_US))),
            model=chance.choice(("gpt-4o", "llama-3", "Größe/模型")),
            base_model=word(),
            provider=word(),
            deployment_version=word(),
            connection_name=word(),
            operation=word(),
            status=chance.choice(("success", "failed")),
            response_time_ms=duration(),
            time_to_first_token_ms=duration(),
            streaming=chance.random() < 0.5,
            source=word(),
            source_type=word(),
            trace_id=word(),
            span_id=word(),
            parent_span_id=word(),
            session_id=word(),
            user_id=word(),
            input=text(),
            output=text(),
            input_tokens=count(),
            output_tokens=count(),
            cached_input_tokens=count(),
            reasoning_tokens=count(),
            finish_reasons=chance.choices(WORDS, k=chance.randrange(3)),
            error_type=word(),
            error_message=text(),
            error_code=word(),
            attributes={key: word() for key in ("env", "my key", "ключ") if chance.random() < 0.5},
            payload_removed_on_us=NOON_US + number * 1000 if number % 4 == 0 else 0,
        )
        for number in range(size)
    ]
