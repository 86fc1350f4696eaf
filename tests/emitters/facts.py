"""Compares the runs that the server tells with the facts that are expected."""

import json
import re
from collections.abc import Sequence
from typing import Any

Run = dict[str, Any]
Fact = dict[str, Any]


def differences(run: Run, fact: Fact) -> list[str]:
    """Where a whole run (of `GET /api/v1/runs/{id}`) does not agree with a fact, in words."""
    found = []
    for name, wanted in fact.items():
        if name == "error":
            found += _error_differences(run, wanted)
        elif name.endswith("_contains"):
            found += _text_differences(run, name.removesuffix("_contains"), wanted)
        else:
            actual = run.get(name)
            if actual not in (wanted if isinstance(wanted, list) else [wanted]):
                found.append(f"{name} is {actual!r}, not {wanted!r}")
    return found


def _error_differences(run: Run, wanted: dict[str, str] | None) -> list[str]:
    error = run["error"]
    if wanted is None or error is None:
        return [] if error == wanted else [f"error is {error!r}, not {wanted!r}"]
    found = []
    if not re.fullmatch(wanted["type_matches"], error["type"] or ""):
        found.append(f"the error's type is {error['type']!r}, not like {wanted['type_matches']!r}")
    if not re.fullmatch(wanted["message_matches"], error["message"] or "", re.DOTALL):
        found.append(f"the error's message is {error['message']!r}, not like {wanted['message_matches']!r}")
    return found


def _text_differences(run: Run, name: str, wanted: str) -> list[str]:
    actual = run[name] or ""
    if not wanted:
        return [f"{name} is {actual[:200]!r}, not empty"] if actual else []
    return [] if wanted in actual else [f"{name} is {actual[:200]!r} without {wanted!r}"]


def check(runs: Sequence[Run], facts: Sequence[Fact]) -> None:
    """Each fact is one run and each run is one fact, in whatever order; else an AssertionError that shows them."""
    left = list(runs)
    problems = []
    for fact in facts:
        agreeing = next((run for run in left if not differences(run, fact)), None)
        if agreeing is not None:
            left.remove(agreeing)
        else:
            problems.append(fact)
    if not left and not problems:
        return
    lines = [f"{len(runs)} runs for {len(facts)} expected ones."]
    for fact in problems:
        lines.append(f"Nothing is like {json.dumps(fact, ensure_ascii=False)}")
        lines += [f"  {run['request_id']}: {'; '.join(differences(run, fact))}" for run in left]
    if not problems:
        lines += [f"Nobody expected {json.dumps(brief(run), ensure_ascii=False)}" for run in left]
    raise AssertionError("\n".join(lines))


def brief(run: Run) -> Run:
    return {name: str(value)[:120] for name, value in run.items() if name not in ("request", "response", "attributes")}
