"""Credits: decimals all the way, never floats."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from modeltraces.catalog.errors import Invalid

_MOST: Final = Decimal(1_000_000_000)
_MOST_PLACES: Final = 9


def parse_amount(value: Any, what: str) -> Decimal:
    """A number of credits from a decimal string or a JSON number. Raises Invalid, saying which (`what`) and what is taken.

    A float is read by its shortest spelling, which is what was typed: 0.1 is a tenth.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Invalid(f'{what} must be a number or a decimal string such as "0.5".')
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise Invalid(
            f'{what} must be a number or a decimal string such as "0.5"; it is {str(value)[:40]!r}.'
        ) from None
    if not amount.is_finite() or amount < 0:
        raise Invalid(f"{what} must be a number from 0 up.")
    exponent = amount.normalize().as_tuple().exponent
    if amount > _MOST or (isinstance(exponent, int) and -exponent > _MOST_PLACES):
        raise Invalid(f"{what} must be at most {_MOST:,} with at most {_MOST_PLACES} decimals.")
    return amount


def amount_text(amount: Decimal) -> str:
    """The amount as it is kept and shown: `0.5`, `30`, never `3E+1` or `0.50`."""
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
