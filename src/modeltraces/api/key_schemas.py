"""API keys' shapes as JSON Schema: what is read, and what is sent to make and change them."""

from typing import Any, Final

from modeltraces.api.shapes import COUNT, INSTANT, MAYBE_INSTANT, MAYBE_TEXT, TEXT, Schema, listed, nullable, shaped
from modeltraces.catalog.key_limits import RECORDINGS
from modeltraces.catalog.keys import SCOPES

_SCOPES: Final[Schema] = listed({"type": "string", "enum": list(SCOPES)})
_LIMIT: Final = nullable("integer", minimum=1)
_MODELS: Final[Schema] = {
    **listed(TEXT),
    "description": "`name`, `name@version`, `name@connection`, or a beginning with `*` after it; none: every model.",
}
_RECORDING: Final[Schema] = {"type": "string", "enum": list(RECORDINGS)}
_KEY: Final[dict[str, Schema]] = {
    "id": TEXT,
    "name": TEXT,
    "prefix": {"type": "string", "description": "Its first characters, to tell keys apart."},
    "scopes": _SCOPES,
    "default_source_type": MAYBE_TEXT,
    "default_source": MAYBE_TEXT,
    "requests_per_minute": _LIMIT,
    "tokens_per_day": _LIMIT,
    "allowed_models": _MODELS,
    "recording": _RECORDING,
    "used": {
        "anyOf": [shaped({"requests_this_minute": COUNT, "tokens_today": COUNT}), {"type": "null"}],
        "description": "Through the gateway, in UTC; null for a key without limits, which is not counted.",
    },
    "created_on": INSTANT,
    "created_by": TEXT,
    "expires_on": MAYBE_INSTANT,
    "last_used_on": MAYBE_INSTANT,
}
_WARNINGS: Final[dict[str, Schema]] = {
    "warnings": {**listed(TEXT), "description": "Of `allowed_models`, those that the account does not have."}
}
_CHANGE: Final[dict[str, Schema]] = {
    "name": TEXT,
    "default_source_type": MAYBE_TEXT,
    "default_source": MAYBE_TEXT,
    "requests_per_minute": _LIMIT,
    "tokens_per_day": _LIMIT,
    "allowed_models": {"anyOf": [_MODELS, {"type": "null"}]},
    "recording": {"enum": [*RECORDINGS, None]},
}
_NEW: Final[dict[str, Schema]] = {**_CHANGE, "scopes": _SCOPES, "expires_on": MAYBE_INSTANT}

KEY_SCHEMAS: Final[dict[str, Any]] = {
    "ApiKey": shaped(_KEY),
    "ApiKeys": shaped({"keys": listed(shaped(_KEY))}),
    "MadeApiKey": shaped(
        {**_KEY, **_WARNINGS, "key": {"type": "string", "description": "The key itself, said this once."}}
    ),
    "ChangedApiKey": shaped({**_KEY, **_WARNINGS}),
    "NewApiKey": shaped(_NEW, optional=tuple(name for name in _NEW if name != "name")),
    "ApiKeyChange": shaped(_CHANGE, optional=tuple(_CHANGE)),
}
