"""Errors of ours in the shape that the caller's library knows, so that it raises what its user expects."""

from typing import Any, Final

import orjson
from prometheus_client import Counter

from modeltraces.gateway.targets import Family

REFUSED: Final = Counter(
    "modeltraces_gateway_refused",
    "Calls that the gateway refused, so that no upstream saw them, by reason.",
    ["reason"],
)

_OPENAI_TYPES: Final = {403: "permission_error", 429: "rate_limit_error"}
_OPENAI_CODES: Final = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_ANTHROPIC_TYPES: Final = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error", 408: "timeout_error",
    413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error",
}  # fmt: skip


class Refused(Exception):
    """The gateway itself answers, with an error."""

    def __init__(
        self, status: int, message: str, headers: dict[str, str] | None = None, *, is_no_address: bool = False
    ) -> None:
        """`is_no_address`: what was not found is not a model, but what was called."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.is_no_address = is_no_address


def error_body(family: Family, status: int, message: str, *, is_no_address: bool = False) -> bytes:
    """`message` begins so that the caller can tell that it is the gateway that speaks, not the provider."""
    said = f"modeltraces gateway: {message}"
    error: dict[str, Any]
    if family == "anthropic":
        error = {
            "type": "error",
            "error": {"type": _ANTHROPIC_TYPES.get(status, _other(status, "api_error")), "message": said},
        }
    else:
        kind = _OPENAI_TYPES.get(status, _other(status, "server_error"))
        code = None if is_no_address else _OPENAI_CODES.get(status)
        error = {"error": {"message": said, "type": kind, "param": None, "code": code}}
    return orjson.dumps(error)


def _other(status: int, ours: str) -> str:
    return "invalid_request_error" if status < 500 else ours
