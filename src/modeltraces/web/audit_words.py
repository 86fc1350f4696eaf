"""Entries of the audit log in words: who, what, to what, and which fields changed from what to what."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, tzinfo
from typing import Any, Final

from modeltraces.query.times import FIRST_US, LAST_US, parse_instant
from modeltraces.web.audit_contexts import AuditChange, AuditValue
from modeltraces.web.formatting import instant

SHORT_CHARACTERS: Final = 120
WHOLE_CHARACTERS: Final = 20_000
"""What a page shows of one value at most; the export has all of it."""
CHANGES_SHOWN: Final = 8

_INSTANT: Final = "_us"
"""Ends the names of fields that hold microseconds since the epoch."""
_ACTORS: Final = {"cli": "Command line", "ingest": "Incoming runs", "server": "Server"}
_NOUNS: Final = {"key": "API key", "match_rule": "Matching rule"}
_ACTIONS: Final = {
    "deployment.strike": "Deployment event struck out",
    "hardware.price": "Hardware price changed",
    "match_rule.order": "Matching rules reordered",
    "member.role": "Role changed",
    "model.unmerge": "Model merge undone",
    "rematch.start": "Rules applied to past runs",
    "retention.sweep": "Old runs and payloads removed",
    "user.disable": "Login closed",
    "user.enable": "Login opened",
    "user.password": "Password changed",
}
_VERBS: Final = {
    "add": "added",
    "apply": "applied",
    "archive": "archived",
    "change": "changed",
    "create": "created",
    "delete": "deleted",
    "deploy": "deployed",
    "disable": "disabled",
    "edit": "changed",
    "enable": "enabled",
    "kind": "kind changed",
    "merge": "merged",
    "move": "moved",
    "remove": "removed",
    "rename": "renamed",
    "reorder": "reordered",
    "restore": "restored",
    "revoke": "revoked",
    "scale": "scaled",
    "set": "set",
    "test": "tested",
    "unarchive": "brought back",
    "undeploy": "undeployed",
    "undo": "undone",
    "update": "changed",
}


def actor_words(actor: str) -> tuple[str, str]:
    """(who, what kind of actor; '' for a person)."""
    if actor.startswith("key:"):
        return shown(actor.removeprefix("key:")), "API key"
    return shown(_ACTORS.get(actor, actor)), ""


def action_words(action: str) -> str:
    """`Model renamed` for `model.rename`; an action that is not known reads as it is written."""
    if action in _ACTIONS:
        return _ACTIONS[action]
    noun, _, verb = action.rpartition(".")
    return shown(f"{noun_words(noun)} {_VERBS.get(verb, _spaced(verb))}" if noun else _capital(_spaced(verb)))


def noun_words(noun: str) -> str:
    """`API key` for `key`, `Model` for `model`."""
    return shown(_NOUNS.get(noun, _capital(_spaced(noun))))


def object_words(object: str) -> tuple[str, str]:
    """(name, kind; '' where the object bears none): `model:llama` is llama, a Model."""
    kind, colon, name = object.partition(":")
    return (shown(name), noun_words(kind)) if colon and name else (shown(object), "")


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, zone: tzinfo = UTC) -> list[AuditChange]:
    """The fields that are not the same on both sides, in the order they were recorded in; instants in the zone."""
    old, new = dict(_flat(before or {})), dict(_flat(after or {}))
    return [
        AuditChange(_field_words(name), *(_value(_readable(name, side.get(name), zone)) for side in (old, new)))
        for name in dict.fromkeys((*old, *new))
        if not _same(old.get(name), new.get(name))
    ]


def shown(text: str) -> str:
    """Text that UTF-8 can hold: JSON may bear lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def _flat(values: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", value


def _same(old: Any, new: Any) -> bool:
    # Not ==, for which 1 is True. That nothing became nothing is no change.
    return (_nothing(old) and _nothing(new)) or json.dumps(old) == json.dumps(new)


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _value(value: Any) -> AuditValue | None:
    if _nothing(value):
        return None
    text = shown(_text(value))
    if len(text) <= SHORT_CHARACTERS:
        return AuditValue(text)
    whole = text[:WHOLE_CHARACTERS]
    return AuditValue(text[:SHORT_CHARACTERS].rstrip() + "…", whole, len(whole) < len(text))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str | int | float) for part in value):
        return ", ".join(_text(part) for part in value)
    return json.dumps(value, ensure_ascii=False)


def _readable(name: str, value: Any, zone: tzinfo) -> Any:
    """Instants as they are shown, all else as it is."""
    if name.endswith(_INSTANT) and isinstance(value, int) and not isinstance(value, bool):
        return instant(value, zone) if FIRST_US <= value < LAST_US else value
    if isinstance(value, str) and (name == "on" or name.endswith(("_on", ".on"))):
        with suppress(ValueError):
            return instant(parse_instant(value), zone)
    return value


def _field_words(name: str) -> str:
    return shown(_spaced(name.removesuffix(_INSTANT)))


def _spaced(text: str) -> str:
    return text.replace("_", " ")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
