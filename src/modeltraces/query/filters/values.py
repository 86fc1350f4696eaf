"""Values of a filter: read from text by the kind of their field, and written back."""

import re
from decimal import Decimal
from typing import Final

from modeltraces.query.fields import Field
from modeltraces.query.filters.nodes import Pattern, Span, Value
from modeltraces.query.times import US_PER_DAY, parse_day, parse_instant, rfc3339

_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "": 1}
_DURATION: Final = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|)", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,18}", re.ASCII)
_ESCAPED: Final = re.compile(r'\\([\\"*()\[\]\s])|(\*)', re.DOTALL)
_SPECIAL: Final = re.compile(r'([\\"*])')
_PLAIN: Final = re.compile(r"[\w.*/@+-]+")
_KEYWORDS: Final = frozenset({"and", "or", "not", "to"})

EXPECTED: Final = {
    "status": "success or failed",
    "model_kind": "open_source, fine_tuned or external",
    "bool": "true or false",
    "duration": "a duration such as 250ms, 2s, 1m or 1.5h",
    "count": "a whole number",
    "time": "a date such as 2026-11-01, or an RFC 3339 time with an offset",
}


def pattern_of(text: str) -> Pattern:
    """The pattern of a text with `*` and backslash escapes; a run of stars is one star."""
    parts = [""]
    end = 0
    for match in _ESCAPED.finditer(text):
        parts[-1] += text[end : match.start()]
        end = match.end()
        if match[2]:
            parts.append("")
        else:
            parts[-1] += match[1]
    parts[-1] += text[end:]
    return Pattern((parts[0], *(part for part in parts[1:-1] if part), *parts[1:][-1:]))


def read_value(spec: Field, pattern: Pattern) -> Value:
    """The value of a field's kind. Raises ValueError with what is wrong, to follow the field's name."""
    if spec.kind in ("text", "keyword", "id", "map"):
        return pattern
    if not pattern.is_literal:
        raise ValueError(f"takes no *; expected {EXPECTED[spec.kind]}")
    text = pattern.parts[0]
    try:
        return _READERS[spec.kind](text)
    except ValueError as error:
        raise ValueError(f"is {EXPECTED[spec.kind]}, not {text!r}" + (f": it {error}" if str(error) else "")) from error


def _status(text: str) -> Value:
    if text.lower() not in ("success", "failed"):
        raise ValueError
    return Pattern((text.lower(),))


def _model_kind(text: str) -> Value:
    if text.lower() not in ("open_source", "fine_tuned", "external"):
        raise ValueError
    return Pattern((text.lower(),))


def _bool(text: str) -> Value:
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.lower() == "true"


def _duration(text: str) -> Value:
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError
    return float(Decimal(match[1]) * _UNITS_MS[match[2]])


def _count(text: str) -> Value:
    if not _COUNT.fullmatch(text):
        raise ValueError
    return int(text)


def _time(text: str) -> Value:
    day = parse_day(text)
    if day is not None:
        return Span(day, day + US_PER_DAY)
    instant = parse_instant(text)
    return Span(instant, instant + 1)


_READERS: Final = {
    "status": _status,
    "model_kind": _model_kind,
    "bool": _bool,
    "duration": _duration,
    "count": _count,
    "time": _time,
}


def value_text(value: Value) -> str:
    """The value as filter text without quotes: what the page's builder shows, and `read_value` reads."""
    match value:
        case Pattern(parts):
            return "*".join(_SPECIAL.sub(r"\\\1", part) for part in parts)
        case bool():
            return "true" if value else "false"
        case Span(start, end):
            return rfc3339(start)[:10] if end - start == US_PER_DAY else rfc3339(start)
        case float():
            exact = Decimal(repr(value))
            unit = "s" if value and exact % 1000 == 0 else "ms"
            number = f"{exact / _UNITS_MS[unit]:f}"
            return (number.rstrip("0").rstrip(".") if "." in number else number) + unit
        case int():
            return str(value)


def quoted_if_needed(text: str) -> str:
    """Filter text of a value: bare when nothing in it could be read as something else."""
    if _PLAIN.fullmatch(text) and not text.startswith("-") and text.lower() not in _KEYWORDS:
        return text
    # The escapes of quotes and stars are there already.
    return f'"{text}"'
