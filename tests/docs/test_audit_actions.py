"""The audit log's actions: those that the code writes, the list of them, and what docs/api.md tells are the same."""

import ast
import re
from pathlib import Path
from typing import Final

from modeltraces.catalog.audit_actions import ACTIONS
from modeltraces.catalog.hosting.ledger import EVENT_TYPES
from modeltraces.catalog.matching.job import KIND

ROOT: Final = Path(__file__).parents[2]
MADE: Final = {f"deployment.{type}" for type in EVENT_TYPES} | {f"{KIND}.start"}
"""Put together where they are written."""
_ACTION: Final = re.compile(r"[a-z_]+\.[a-z_]+")


def _written() -> set[str]:
    """Texts like an action in a call that writes an entry."""
    found: set[str] = set()
    for path in (ROOT / "src/modeltraces").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "record":
                continue
            given = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "action")]
            texts = (one.value for part in given for one in ast.walk(part) if isinstance(one, ast.Constant))
            found |= {text for text in texts if isinstance(text, str) and _ACTION.fullmatch(text)}
    return found


def test_the_list_of_actions_is_what_the_code_writes() -> None:
    assert sorted(_written() | MADE) == list(ACTIONS)


def test_the_docs_tell_every_action() -> None:
    told = (ROOT / "docs/api.md").read_text().partition("the\nactions are ")[2].partition("\n\n")[0]
    assert re.findall(r"`([a-z_.]+)`", told) == list(ACTIONS)
