"""Payloads as JSON mode shows them: re-indented, nothing changed but the model's name.

The text is walked token by token, never parsed and written anew: numbers, escapes and repeated keys stand there as
they were recorded, and nesting of any depth costs no recursion.
"""

import json
import re
from typing import Final

import orjson

from modeltraces.run import ModelKind

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_INDENT: Final = "  "
_OPEN, _CLOSE = ("{", "["), ("}", "]")


def model_suffix(kind: ModelKind | None, deployment_version: str, connection_name: str) -> str:
    """What JSON mode adds to the model's name: `@v2` for deployed models, `@azure-eu` for external ones, or ''."""
    if kind == "external":
        return f"@{connection_name}" if connection_name else ""
    if kind is None:
        part = deployment_version or connection_name
        return f"@{part}" if part else ""
    return f"@{deployment_version}" if deployment_version else ""


def pretty(payload: str, suffix: str = "") -> str:
    """The payload with two spaces of indent a level. `suffix` is added to the value of `model` of the outermost object,
    or of the objects of an outermost array, unless it ends so already. Text that is not JSON comes back as it is.
    """
    if not _is_json(payload):
        return payload
    out: list[str] = []
    depth = 0
    kinds: list[str] = []
    previous = ""
    key = ""
    for match in _TOKEN.finditer(payload):
        token = match.group()
        if token in _OPEN:
            if previous not in (":", ""):
                out.append("\n" + _INDENT * depth)
            out.append(token)
            kinds.append(token)
            depth += 1
        elif token in _CLOSE:
            depth -= 1
            kinds.pop()
            if previous not in _OPEN:
                out.append("\n" + _INDENT * depth)
            out.append(token)
        elif token == ",":
            out.append(token)
        elif token == ":":
            key = out[-1].strip()
            out.append(": ")
        else:
            if previous == ":":
                if suffix and key == '"model"' and _is_outermost(kinds) and token.startswith('"'):
                    token = _with_suffix(token, suffix)
            elif depth:
                token = "\n" + _INDENT * depth + token
            out.append(token)
            token = "value"
        previous = token
    return "".join(out)


def _is_outermost(kinds: list[str]) -> bool:
    return kinds == ["{"] or kinds == ["[", "{"]


def _with_suffix(literal: str, suffix: str) -> str:
    addition = json.dumps(suffix, ensure_ascii=False)[1:-1]
    return literal if literal[1:-1].endswith(addition) else f'{literal[:-1]}{addition}"'


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        # orjson refuses some that are JSON: integers over 64 bits are read, surrogates and great depth are not.
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
    return True
