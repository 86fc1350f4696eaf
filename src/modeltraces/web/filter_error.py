"""A filter that cannot be read: what of it is marked, and, where it can be guessed what was meant, how to write that."""

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

from modeltraces.query.fields import FIELDS, Field, field_named, nearest_names
from modeltraces.query.filters import FilterError as Unreadable
from modeltraces.query.filters import parse
from modeltraces.query.selection import SelectionError
from modeltraces.web.address import Address
from modeltraces.web.contexts import FilterError, Option
from modeltraces.web.filter_rows import rows_of
from modeltraces.web.formatting import at

SYNONYMS: Final = {
    "latency": "response_time",
    "duration": "response_time",
    "elapsed": "response_time",
    "ttft": "time_to_first_token",
    "prompt": "input",
    "completion": "output",
    "answer": "output",
    "user": "user_id",
    "session": "session_id",
    "conversation": "session_id",
    "trace": "trace_id",
    "version": "deployment_version",
    "connection": "connection_name",
    "time": "executed_on",
    "timestamp": "executed_on",
}
"""What other tools call our fields. They are hints: the language knows one name for a thing."""

_LONGEST_MARK: Final = 80
_NAME: Final = re.compile(r"[^\W\d][\w.]*")
_FIELD_BEFORE: Final = re.compile(r"([^\W\d][\w.]*)(?::|>=|<=|>|<)\(?\[?$")
_MOMENT: Final = re.compile(r"(?:(\d{4})-(\d\d)-(\d\d)[Tt ])?(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_STAND_INS: Final = {"duration": "987654321ms", "count": "987654321987", "time": "2199-12-31"}
"""A value of the kind that nobody has written: with it in the wrong one's place, the rest can be read."""


def filter_error(address: Address, error: SelectionError, zone: tzinfo, now_us: int) -> FilterError:
    text = address.filter
    start = min(error.position or 0, len(text))
    end = _end_of(text, start)
    meant = _meant(text, start, end, zone, now_us)
    # What the parser says of near names: said once, and as links where they lead somewhere.
    hint = f" Did you mean {' or '.join(error.expected)}?"
    hinted = error.message.endswith(hint)
    return FilterError(
        message=error.message.removesuffix(hint) if meant else error.message,
        before=text[:start],
        marked=text[start:end],
        after=text[end:],
        expected="" if hinted else ", ".join(error.expected[:8]),
        position=start,
        instead=tuple(Option(whole, address.changed(filter=whole).url) for whole in meant),
    )


def rows_with_wrong(text: str, error: SelectionError) -> dict[str, object] | None:
    """The builder's rows of a filter with one value that is not of its field's kind: `wrong` is that row's index."""
    start = min(error.position or 0, len(text))
    end = _end_of(text, start)
    field = _field_at(text, start)
    stand_in = _STAND_INS.get(field.kind) if field else None
    if stand_in is None:
        return None
    try:
        made = rows_of(parse(f"{text[:start]}{stand_in}{text[end:]}"))
    except Unreadable:
        return None
    if made is None:
        return None
    rows = made["rows"]
    assert isinstance(rows, list)
    for index, row in enumerate(rows):
        if row["value"].startswith(stand_in.removesuffix("ms")[:9]):
            row["value"] = text[start:end].strip('"')
            return {**made, "wrong": index}
    return None


def _end_of(text: str, start: int) -> int:
    """Behind the phrase or the word that begins there, or the start where nothing does."""
    quoted = re.match(r'"(?:\\.|[^"\\])*"?', text[start:], re.DOTALL)
    if quoted:
        return start + min(quoted.end(), _LONGEST_MARK)
    word = re.match(r'(?:[^\s"]|"[^"]*"?)*', text[start : start + _LONGEST_MARK])
    end = start + (word.end() if word else 0)
    while end > start and text[end - 1] in ")]" and text[start:end].count("(") < text[start:end].count(")"):
        end -= 1
    return end


def _field_at(text: str, start: int) -> Field | None:
    """The field whose value begins there."""
    before = _FIELD_BEFORE.search(text[:start])
    return field_named(before[1]) if before else None


def _meant(text: str, start: int, end: int, zone: tzinfo, now_us: int) -> list[str]:
    """The whole filter as it was probably meant, as far as that can be read."""
    part = text[start:end]
    field = _field_at(text, start)
    if field is not None and field.kind == "time":
        better = [_instant(part.strip('"'), zone, now_us)]
    elif name := _NAME.match(part):
        end = start + name.end()
        better = _fields_meant(name[0]) if text[end:].lstrip().startswith((":", ">", "<")) else []
    else:
        better = []
    wholes = [text[:start] + one + text[end:] for one in better if one]
    return [whole for whole in wholes if _can_be_read(whole)]


def _can_be_read(text: str) -> bool:
    try:
        parse(text)
    except Unreadable:
        return False
    return True


def _fields_meant(name: str) -> list[str]:
    if field_named(name):
        return []
    other = SYNONYMS.get(name.lower())
    return [other] if other else nearest_names(name)


def _instant(text: str, zone: tzinfo, now_us: int) -> str:
    """A clock time, of the last such time there was, or a date with one, with the offset that the page's times have."""
    match = _MOMENT.fullmatch(text)
    if not match:
        return ""
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups())
    now = at(now_us, zone)
    try:
        moment = datetime(
            year or now.year, month or now.month, day or now.day, hour or 0, minute or 0, second or 0, tzinfo=zone
        )
    except ValueError:
        return ""
    if year is None and moment > now:
        moment -= timedelta(days=1)
    return moment.isoformat().removesuffix("+00:00") + ("Z" if not moment.utcoffset() else "")


def synonym_of(typed: str) -> list[Field]:
    """The fields that other tools call by a name that begins so."""
    names = {ours for theirs, ours in SYNONYMS.items() if typed and theirs.startswith(typed)}
    return [field for field in FIELDS if field.name in names]
