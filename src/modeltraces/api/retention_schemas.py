"""The shapes of retention as JSON Schema."""

from typing import Any, Final

from modeltraces.api.shapes import COUNT, INSTANT, MAYBE_INSTANT, MAYBE_TEXT, TEXT, Schema, listed, reference, shaped
from modeltraces.catalog.retention.policy import MOST_DAYS, SETTABLE

_DAYS: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": MOST_DAYS, "description": "0: for ever."}
_SAID: Final[Schema] = {**_DAYS, "type": ["integer", "null"], "description": "0: for ever; null: as it is above."}
_REMOVED: Final = shaped(dict.fromkeys(("runs", "payloads", "text_bytes"), COUNT))
_RETENTION: Final[dict[str, Any]] = {
    **dict.fromkeys(SETTABLE, _DAYS),
    "account": reference("RetentionSaid"),
    "server": shaped(dict.fromkeys(SETTABLE, _DAYS)),
    "models": listed(shaped({"model": TEXT, **dict.fromkeys(SETTABLE, _DAYS), "own": reference("RetentionSaid")})),
    "oldest_run_on": MAYBE_INSTANT,
    "oldest_payload_on": MAYBE_INSTANT,
    "last_sweep": {
        "anyOf": [
            shaped({"started_on": INSTANT, "ended_on": MAYBE_INSTANT, "error": MAYBE_TEXT, "removed": _REMOVED}),
            {"type": "null"},
        ]
    },
    "next_sweep_on": INSTANT,
}

RETENTION_SCHEMAS: Final[dict[str, Any]] = {
    "RetentionSaid": shaped(dict.fromkeys(SETTABLE, _SAID)),
    "Retention": shaped(_RETENTION),
    "RetentionChange": shaped(dict.fromkeys(SETTABLE, _SAID), optional=SETTABLE),
    "ChangedRetention": shaped({**_RETENTION, "would_remove": {"anyOf": [_REMOVED, {"type": "null"}]}}),
}
