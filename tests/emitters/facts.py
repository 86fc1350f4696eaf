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
        if name == "error_matches":
            found += _error_differences(run, wanted)
        elif name.endswith("_contains"):
            found += _text_differences(run, name.removesuffix("_contains"), wanted)
        else:
            actual = run.get(name)
            if actual not in (wanted if isinstance(wanted, list) else [wanted]):
                found.append(f"{name} is {actual!r}, not {wanted!r}")
    return found


def _error_differences(run: Run, pattern: str | None) -> list[str]:
    error = run["error"]
    if pattern is None:
        return [] if error is None else [f"error is {error!r}, not None"]
    if error is None or not re.search(pattern, error["type"] or ""):
        return [f"error is {error!r}; its type should match {pattern!r}"]
    return [] if error["message"] or "http.response.status_code" in run["attributes"] else ["the error has no message"]


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
