"""Rules, and what they make of a run. Pure: the same rules are asked of new runs, of past ones (as SQL), and on the page."""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from modeltraces.run import Run

Fact = Literal[
    "model", "base_model", "provider", "server_address", "deployment_version", "connection_name", "key"
]  # fmt: skip
"""What a recording says: requested model, served model, provider, host or host:port of the server that was called,
deployment and connection attributes, and the key that it came in with."""
FACTS: Final[tuple[Fact, ...]] = get_args(Fact)
Outcome = Literal["model", "deployment_version", "connection_name"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

_ADDRESSES: Final = ("gen_ai.openai.api_base", "openai.api_base", "llm.openai.api_base", "url.full", "http.url")
"""Attributes that hold a whole address, best first; `server.address` and its port come before them."""
_MOST_KNOWN: Final = 100_000
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Rule:
    """A run that meets every condition gets the outcomes."""

    name: str
    """What stands in `matched_by`, and on the page."""
    conditions: tuple[tuple[Fact, tuple[str, ...]], ...]
    """Fact → patterns, one of which must match: equal in any case, `*` for any characters. '' matches what is not said."""
    outcomes: tuple[tuple[Outcome, str], ...]
    only_fills: bool = False
    """Leaves alone what the recording says, or an earlier rule said; asks for what earlier rules made of it."""
    from_us: int | None = None
    """Runs that were executed from then on, up to, not including, `to_us`."""
    to_us: int | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    model: str
    deployment_version: str
    connection_name: str
    by: str
    """The names of the rules that gave something, joined by ` + `; '' for none."""


def facts_of(run: Run) -> dict[Fact, str]:
    """What the recording itself says, whatever was made of it since."""
    borne = bool(run.matched_by)
    return {
        "model": run.recorded_model if borne else run.model,
        "base_model": run.base_model,
        "provider": run.provider,
        "server_address": run.server_address,
        "deployment_version": run.recorded_deployment_version if borne else run.deployment_version,
        "connection_name": run.recorded_connection_name if borne else run.connection_name,
        "key": run.key_name,
    }


def match(rules: Sequence[Rule], facts: Mapping[Fact, str], executed_on_us: int) -> Matched:
    """The first rule that is met decides; after it, those that only fill fill what is still missing."""
    found: dict[Outcome, str] = {name: facts.get(name, "") for name in OUTCOMES}
    by: list[str] = []
    decided = False
    for rule in rules:
        if decided and not rule.only_fills:
            continue
        if not _is_met(rule, _with(facts, found) if rule.only_fills else facts, executed_on_us):
            continue
        decided = decided or not rule.only_fills
        given = [(name, value) for name, value in rule.outcomes if not (rule.only_fills and found[name])]
        changed = [(name, value) for name, value in given if found[name] != value]
        found.update(changed)
        if changed:
            by.append(rule.name)
    return Matched(found["model"], found["deployment_version"], found["connection_name"], " + ".join(by))


def _with(facts: Mapping[Fact, str], found: Mapping[Outcome, str]) -> Mapping[Fact, str]:
    merged = dict(facts)
    for name, value in found.items():
        merged[name] = value
    return merged


@dataclass(slots=True)
class RuleSet:
    """The rules of one account, explicit ones first. What they make of the same facts is remembered: runs say few
    different things, and rules may be thousands."""

    rules: tuple[Rule, ...] = ()
    bounds: list[int] = field(default_factory=list)
    """The instants (µs) at which some rule begins or ends."""
    _known: dict[tuple[object, ...], Matched] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bounds = sorted({at for rule in self.rules for at in (rule.from_us, rule.to_us) if at is not None})

    def match(self, facts: Mapping[Fact, str], executed_on_us: int) -> Matched:
        key = (*(facts.get(name, "") for name in FACTS), bisect_right(self.bounds, executed_on_us))
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[key] = match(self.rules, facts, executed_on_us)
        return found


def apply(rules: RuleSet, run: Run) -> None:
    """Give the run what the rules say, keeping what it said itself. Applied again, it comes to the same."""
    facts = facts_of(run)
    matched = rules.match(facts, run.executed_on_us)
    run.model, run.deployment_version = matched.model, matched.deployment_version
    run.connection_name, run.matched_by = matched.connection_name, matched.by
    own = facts if matched.by else {}
    run.recorded_model = own.get("model", "")
    run.recorded_deployment_version = own.get("deployment_version", "")
    run.recorded_connection_name = own.get("connection_name", "")


def unmatch(run: Run) -> None:
    """Take out again what rules gave."""
    if run.matched_by:
        apply(_NONE, run)


_NONE: Final = RuleSet()


def server_address(attributes: Mapping[str, str]) -> str:
    """Host, or host:port, of the server that was called, in lower case; '' where no attribute says it."""
    host = attributes.get("server.address") or attributes.get("net.peer.name") or ""
    if host and "://" not in host:
        port = attributes.get("server.port") or attributes.get("net.peer.port") or ""
        return _joined(host, port)
    for text in (host, *(attributes.get(name, "") for name in _ADDRESSES)):
        if text and (found := address_of(text)):
            return found
    return ""


def address_of(url: str) -> str:
    """`host:port` of an http(s) address, its scheme's port where none is given; '' for what is none."""
    try:
        parts = urlsplit(url.strip())
        if parts.scheme not in _PORTS or not parts.hostname:
            return ""
        return _joined(parts.hostname, str(parts.port or _PORTS[parts.scheme]))
    except ValueError:
        return ""


def _joined(host: str, port: str) -> str:
    host = host.strip().lower().rstrip(".")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{host}:{port}" if port.isdecimal() and port != "0" else host


def _is_met(rule: Rule, facts: Mapping[Fact, str], executed_on_us: int) -> bool:
    if rule.from_us is not None and executed_on_us < rule.from_us:
        return False
    if rule.to_us is not None and executed_on_us >= rule.to_us:
        return False
    return all(
        any(_compiled(pattern).fullmatch(facts.get(fact, "").lower()) for pattern in patterns)
        for fact, patterns in rule.conditions
    )


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.lower().split("*"))), re.DOTALL)
