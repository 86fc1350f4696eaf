"""What people type into the catalog's forms, read; and the catalog's values, written for them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Final

from starlette.requests import Request

from modeltraces.api.errors import problem_of
from modeltraces.catalog.amounts import amount_text, parse_amount
from modeltraces.catalog.errors import Invalid
from modeltraces.query.times import us_of
from modeltraces.run import ModelKind
from modeltraces.web.contexts import Moment, Option
from modeltraces.web.formatting import UNKNOWN, hundredths, instant, iso

_THIN: Final = "\N{NARROW NO-BREAK SPACE}"
# Python's int takes more: 1_000, and other scripts' digits.
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_US_PER_HOUR: Final = 3_600_000_000
KIND_LABELS: Final[Mapping[ModelKind, str]] = {
    "open_source": "Open-source",
    "fine_tuned": "Fine-tuned",
    "external": "External",
}
PROTOCOL_LABELS: Final[Mapping[str, str]] = {
    "openai": "OpenAI-compatible",
    "anthropic": "Anthropic",
    "azure_openai": "Azure OpenAI",
    "ollama": "Ollama",
}


_LABELS: Final[Mapping[str, str]] = {
    "name": "The name",
    "kind": "The kind",
    "protocol": "The protocol",
    "base_url": "The address",
    "replicas": "Replicas",
    "credential": "The credential",
}
"""What the catalog's fields are called on a form."""


def refusal(error: Exception) -> tuple[str, int]:
    """What a form says of an error of the catalog or the store, and the answer's status."""
    problem = problem_of(error)
    field, space, rest = problem.detail.partition(" ")
    return f"{_LABELS.get(field, field)}{space}{rest}", problem.status


async def typed(request: Request) -> dict[str, str]:
    """The form's fields. Reads what the check of the session's token has read already."""
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


def price_of(text: str) -> Decimal | str:
    """Credits per replica-hour; '' for nothing typed. Raises Invalid."""
    return parse_amount(text, "The price") if text.strip() else ""


def replicas_of(text: str) -> int | None:
    """None for nothing typed. Raises Invalid for what is not a whole number; its bounds are the ledger's matter."""
    if not text.strip():
        return None
    if not _WHOLE.fullmatch(text.strip()):
        raise Invalid(f"Replicas must be a whole number; {text.strip()[:40]!r} is none.")
    return int(text)


def instant_of(text: str, zone: tzinfo) -> int | None:
    """Microseconds of what a `datetime-local` input holds, in the zone; None for nothing typed.

    Of an hour that the clocks go through twice, the first. Raises Invalid for a time that does not exist.
    """
    if not text.strip():
        return None
    try:
        local = datetime.fromisoformat(text.strip())
        aware = local if local.tzinfo is not None else local.replace(tzinfo=zone)
        at = aware.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("The time must be like 2026-11-24T14:30:00.") from None
    if at.astimezone(aware.tzinfo).replace(tzinfo=None) != aware.replace(tzinfo=None):
        raise Invalid(f"{text.strip()} does not exist in {zone}: the clocks were set forward over it.")
    return us_of(at)


def amount(value: Decimal | None) -> str:
    """`1 234.5`, with every decimal it has; unknown is an em dash."""
    if value is None:
        return UNKNOWN
    whole, point, rest = amount_text(value).partition(".")
    return f"{int(whole):,}".replace(",", _THIN) + point + rest


def hours(microseconds: int) -> str:
    """Replica time: `3.50 h`; to a hundredth of an hour."""
    value = (Decimal(microseconds) / _US_PER_HOUR).quantize(Decimal("0.01"))
    return f"{'<0.01' if microseconds and not value else hundredths(value)} h"


def kind_options() -> tuple[Option, ...]:
    """For a form to choose from."""
    return tuple(Option(label, "", value=name) for name, label in KIND_LABELS.items())


def moment(at_us: int, zone: tzinfo, now_us: int) -> Moment:
    return Moment(instant(at_us, zone, now_us=now_us), iso(at_us))
