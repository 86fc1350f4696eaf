"""JSON payloads: read leniently, written strictly, cut to size, masked.

What is written is always valid JSON and valid UTF-8, without NUL: emitters send lone surrogates, NaN, and integers of
any size, and a page, a spreadsheet or another JSON reader must not choke on them.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from modeltraces.ingest import media
from modeltraces.ingest.recordings import Limits

REPLACEMENT: Final = "�"
MAX_DEPTH: Final = 100
"""Levels of a payload; orjson writes no more than 254."""
TOO_DEEP: Final = "[nested too deeply]"
_HUGE: Final = 4 * 1024 * 1024
"""Characters from which on orjson's speed is not worth the thirteenfold memory that it takes while it reads."""
_SURROGATES: Final = dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT)


def clean(text: str) -> str:
    """The text without NUL and lone surrogates: U+FFFD stands in their place."""
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.translate(_SURROGATES)
    return text


def load(text: str | bytes) -> Any:
    """The value of a JSON text. Lone surrogates, NaN and deep nesting are let through. Raises ValueError."""
    if len(text) < _HUGE:
        try:
            return orjson.loads(text)
        except ValueError:
            pass
    try:
        return json.loads(text, parse_constant=str)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def structure(value: Any) -> Any:
    """The value that a text holds as JSON, if it is an object or a list; else what was given."""
    if type(value) is str and value[:64].lstrip()[:1] in ("{", "["):
        try:
            return load(value)
        except ValueError:
            return value
    return value


def dump(value: Any) -> str:
    """JSON text of any value that was read from a payload; never raises for such."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError, RecursionError):
        # Lone surrogates, integers beyond 64 bits, too deep: rare, so looked for only now.
        return orjson.dumps(_plain(value, 0)).decode()
    if "\\u0000" in text:
        return orjson.dumps(_plain(value, 0)).decode()
    return text


def _plain(value: Any, depth: int) -> Any:
    if type(value) is str:
        return clean(value)
    if isinstance(value, dict):
        if depth >= MAX_DEPTH:
            return TOO_DEEP
        return {clean(str(name)): _plain(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return TOO_DEEP if depth >= MAX_DEPTH else [_plain(part, depth + 1) for part in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return clean(str(value))


def map_texts(value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    """The same value with every text of it (not the names) changed."""
    if type(value) is str:
        return change(value)
    if depth >= MAX_DEPTH:
        return TOO_DEEP if isinstance(value, dict | list) else value
    if type(value) is dict:
        return {name: map_texts(part, change, depth + 1) for name, part in value.items()}
    if type(value) is list:
        return [map_texts(part, change, depth + 1) for part in value]
    return value


def utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def cut_text(text: str, max_bytes: int) -> str:
    """The text, or its beginning with its original size behind it; never ends inside a character."""
    if len(text) * 4 <= max_bytes:
        return text
    size = utf8_size(text)
    if size <= max_bytes:
        return text
    kept = text[:max_bytes].encode(errors="replace")[:max_bytes].decode(errors="ignore")
    return f"{kept}… [cut: {size} bytes in all]"


def fits(text: str, limits: Limits) -> bool:
    """Whether nothing in a payload can be over a cap, as its JSON is this."""
    cap = min(limits.max_part_bytes, limits.max_payload_bytes, limits.max_media_bytes)
    return len(text) * 4 <= cap or utf8_size(text) <= cap


def fit(payload: Any, limits: Limits) -> tuple[Any, bool]:
    """The payload with every over-long text and blob cut, and whether any was.

    When it is too big as a whole, the cap of a part is lowered until it fits: the longest parts lose most.
    """
    cap = limits.max_part_bytes
    cutter = _Cutter(cap, limits.max_media_bytes)
    fitted = cutter.cut(payload, 0)
    for _ in range(16):
        text = dump(fitted)
        size = utf8_size(text)
        if size <= limits.max_payload_bytes:
            return fitted, cutter.has_cut
        cap = min(cap, limits.max_payload_bytes) // 4
        if cap < 16:
            break
        cutter = _Cutter(cap, min(cap, limits.max_media_bytes))
        fitted = cutter.cut(payload, 0)
    # Too many small parts: nothing is left but to keep the beginning, as text.
    text = dump(payload)
    return {"cut": cut_text(text, limits.max_payload_bytes // 2), "size": utf8_size(text)}, True


def written_within(payload: Any, limits: Limits) -> tuple[str, Any]:
    """The payload's JSON, cut where it must be, and then what it is the JSON of; None when nothing was cut."""
    text = dump(payload)
    if fits(text, limits):
        return text, None
    fitted, was_cut = fit(payload, limits)
    return (dump(fitted), fitted) if was_cut else (text, None)


_ALONE: Final[Mapping[str, Any]] = {}


class _Cutter:
    def __init__(self, cap: int, media_cap: int) -> None:
        self.cap = cap
        self.media_cap = media_cap
        self._looked_at = min(cap, media_cap)
        self.has_cut = False

    def cut(self, value: Any, depth: int) -> Any:
        if type(value) is str:
            return self._text(value, "", _ALONE)
        if depth >= MAX_DEPTH:
            return TOO_DEEP if isinstance(value, dict | list) else value
        if type(value) is list:
            return [self.cut(part, depth + 1) for part in value]
        if type(value) is dict:
            return {
                name: self._text(part, name, value) if type(part) is str else self.cut(part, depth + 1)
                for name, part in value.items()
            }
        return value

    def _text(self, text: str, name: str, holder: Mapping[str, Any]) -> Any:
        if len(text) * 4 <= self._looked_at:
            return text
        size = utf8_size(text)
        if size <= self._looked_at:
            return text
        blob = media.replaced(text, name, holder)
        if size <= (self.cap if blob is None else self.media_cap):
            return text
        self.has_cut = True
        return cut_text(text, self.cap) if blob is None else blob
