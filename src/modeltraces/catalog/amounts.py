"""Credits: decimals all the way, never floats."""

import re
from decimal import Context, Decimal
from typing import Any, Final

from modeltraces.catalog.errors import Invalid

_MOST: Final = 1_000_000_000
_MOST_PLACES: Final = 9
_LAST_PLACE: Final = Decimal(1).scaleb(-_MOST_PLACES)
_EXACT: Final = Context(prec=60)
# Python's Decimal takes more: 1_000, other scripts' digits, NaN.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")


def parse_amount(value: Any, what: str) -> Decimal:
    """A number of credits from a decimal string or a JSON number. Raises Invalid, saying which (`what`) and what is taken.

    A float is read by its shortest spelling, which is what was typed: 0.1 is a tenth.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Invalid(f'{what} must be a number or a decimal string such as "0.5".')
    if isinstance(value, int) and value > _MOST:
        raise Invalid(_too_long(what))  # before it is spelled out, which Python refuses for thousands of digits
    text = str(value).strip() if not isinstance(value, int) or value >= 0 else "-1"
    if not _NUMBER.fullmatch(text):
        raise Invalid(f'{what} must be a number or a decimal string such as "0.5"; it is {text[:40]!r}.')
    amount = Decimal(text)
    if amount < 0:
        raise Invalid(f"{what} must be a number from 0 up.")
    # Only now is its size known to be small: written out, 1e-999999999 would fill the memory.
    if amount > _MOST or (kept := amount.quantize(_LAST_PLACE, context=_EXACT)) != amount:
        raise Invalid(_too_long(what))
    return Decimal(amount_text(abs(kept)))


def amount_text(amount: Decimal) -> str:
    """The amount as it is kept and shown: `0.5`, `30`, never `3E+1` or `0.50`."""
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _too_long(what: str) -> str:
    return f"{what} must be at most {_MOST:,} with at most {_MOST_PLACES} decimals."
