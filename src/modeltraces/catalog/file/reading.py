"""From the text of a catalog file to what it says, or to what is wrong with it, line by line."""

import difflib
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from modeltraces.catalog.file.lines import line_of
from modeltraces.catalog.file.problems import BadFile, Misplaced, Problem, Where
from modeltraces.catalog.file.shape import (
    CatalogPart,
    ConditionsPart,
    ConnectionPart,
    DeploymentPart,
    EventPart,
    HardwarePart,
    ModelPart,
    OutcomesPart,
    Part,
    RulePart,
)

LONGEST_FILE: Final = 32 << 20
"""Bytes."""
_MOST_PROBLEMS: Final = 20
_AT: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TABLES: Final[dict[tuple[str, ...], type[Part]]] = {
    (): CatalogPart,
    ("hardware",): HardwarePart,
    ("connections",): ConnectionPart,
    ("models",): ModelPart,
    ("models", "deployments"): DeploymentPart,
    ("models", "deployments", "events"): EventPart,
    ("rules",): RulePart,
    ("rules", "conditions"): ConditionsPart,
    ("rules", "outcomes"): OutcomesPart,
}
_SINGLE: Final = (("rules", "conditions"), ("rules", "outcomes"))
"""Tables that are no array."""
_WORDS: Final = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
}


def decode(content: bytes) -> str:
    """The file's text. Raises BadFile."""
    if len(content) > LONGEST_FILE:
        raise BadFile([Problem(None, f"the file must have at most {LONGEST_FILE:,} bytes.")])
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadFile([Problem(content.count(b"\n", 0, error.start) + 1, "the file must be UTF-8.")]) from None


def read(text: str, *, allow_link_local: bool = False) -> CatalogPart:
    """What the file says. Raises BadFile with a problem for each thing that is wrong."""
    try:
        # Decimals, not floats: 0.1 is a tenth.
        values = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        place = _AT.search(str(error))
        line = int(place[1]) if place and place[1] else text.rstrip("\n").count("\n") + 1
        raise BadFile([Problem(line, f"this is no TOML: {_AT.sub('', str(error))}.")]) from None
    except (ValueError, ArithmeticError, RecursionError):
        raise BadFile([Problem(None, "the file holds a number or a nesting that cannot be read.")]) from None
    try:
        part = CatalogPart.model_validate(values, context={"allow_link_local": allow_link_local})
    except ValidationError as error:
        raise bad_file(text, [_misplaced(details) for details in error.errors(include_url=False)]) from None
    if twice := list(_twice(part)):
        raise bad_file(text, twice)
    return part


def bad_file(text: str, misplaced: Sequence[Misplaced]) -> BadFile:
    """The problems with their lines."""
    problems = [Problem(line_of(text, one.where), one.text) for one in misplaced[:_MOST_PROBLEMS]]
    if further := len(misplaced) - len(problems):
        problems.append(Problem(None, f"and {further} more."))
    return BadFile(problems)


def _misplaced(details: ErrorDetails) -> Misplaced:
    where = details["loc"]
    names = tuple(str(key) for key in where if not isinstance(key, int))
    table, key = names[:-1], names[-1] if names else ""
    spelled = f"[[{'.'.join(table)}]]" if table else "the file"
    spelled = spelled[1:-1] if table in _SINGLE else spelled
    match details["type"]:
        case "extra_forbidden":
            return Misplaced(where, _unknown(table, key, spelled))
        case "missing":
            return Misplaced(where[:-1], f"{spelled} lacks {key!r}.")
        case "value_error":
            told = str(details["ctx"]["error"])
            return Misplaced(where, f"{told[:1].lower()}{told[1:]}" if told.startswith(("The ", "An ")) else told)
        case "model_type" | "model_attributes_type" | "dict_type":
            each = "" if names in _SINGLE else "each of "
            return Misplaced(where, f"{each}{'.'.join(names)} must be a table.")
        case other:
            return Misplaced(where, f"{key} {_WORDS.get(other, 'cannot be read')}.")


def _unknown(table: tuple[str, ...], key: str, spelled: str) -> str:
    known = tuple(_TABLES[table].model_fields) if table in _TABLES else ()
    if key == "credential":
        return (
            "a credential does not stand in the file. Say where it comes from: "
            'credential_env = "A_VARIABLE" or credential_file = "/a/path".'
        )
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    return f"unknown {'key' if table else 'table'} {key[:80]!r} in {spelled}. {hint}"


def _twice(part: CatalogPart) -> Iterator[Misplaced]:
    """Names that are given twice."""
    yield from _repeated("hardware", [(("hardware", at, "name"), one.name) for at, one in enumerate(part.hardware)])
    yield from _repeated(
        "connection", [(("connections", at, "name"), one.name) for at, one in enumerate(part.connections)]
    )
    yield from _repeated("rule", [(("rules", at, "name"), one.name) for at, one in enumerate(part.rules)])
    names: list[tuple[Where, str]] = [(("models", at, "name"), one.name) for at, one in enumerate(part.models)]
    names += [
        (("models", at, "merged", position), name)
        for at, one in enumerate(part.models)
        for position, name in enumerate(one.merged)
    ]
    yield from _repeated("model", names)
    for at, model in enumerate(part.models):
        versions: dict[str, list[tuple[Where, str]]] = defaultdict(list)
        for position, one in enumerate(model.deployments):
            versions[one.merged_from].append((("models", at, "deployments", position, "version"), one.version))
        for merged_from, found in versions.items():
            yield from _repeated(f"version of {merged_from or model.name}", found)


def _repeated(what: str, names: Sequence[tuple[Where, Any]]) -> Iterator[Misplaced]:
    seen = set()
    for where, name in names:
        if name in seen:
            yield Misplaced(where, f"the {what} {name!r} is in the file twice.")
        seen.add(name)
