"""Rules, and what they make of a run. Pure: the same rules are asked of new runs, of past ones (as SQL), and on the page."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
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
_MOST_KNOWN: Final = 20_000
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


def match(rules: Iterable[Rule], facts: Mapping[Fact, str], executed_on_us: int) -> Matched:
    """The first rule that is met decides; after it, those that only fill fill what is still missing."""
    asked = _Asked(facts, executed_on_us)
    asked.of(rules)
    return asked.matched


@dataclass(slots=True)
class _Asked:
    """What some rules made of a run so far."""

    facts: Mapping[Fact, str]
    executed_on_us: int
    found: dict[Outcome, str] = field(init=False)
    by: list[str] = field(default_factory=list)
    decided: bool = False

    def __post_init__(self) -> None:
        self.found = {name: self.facts.get(name, "") for name in OUTCOMES}

    def of(self, rules: Iterable[Rule]) -> None:
        for rule in rules:
            if self.decided and not rule.only_fills:
                continue
            facts = _with(self.facts, self.found) if rule.only_fills else self.facts
            if not _is_met(rule, facts, self.executed_on_us):
                continue
            self.decided = self.decided or not rule.only_fills
            given = [(name, value) for name, value in rule.outcomes if not (rule.only_fills and self.found[name])]
            changed = [(name, value) for name, value in given if self.found[name] != value]
            self.found.update(changed)
            if changed:
                self.by.append(rule.name)

    @property
    def matched(self) -> Matched:
        found = self.found
        return Matched(found["model"], found["deployment_version"], found["connection_name"], " + ".join(self.by))


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
    _index: "_Index | None" = None

    def __post_init__(self) -> None:
        self.bounds = sorted({at for rule in self.rules for at in (rule.from_us, rule.to_us) if at is not None})
        self._index = _Index.of(self.rules)

    @property
    def written(self) -> tuple[Rule, ...]:
        """Those that people wrote."""
        return tuple(rule for rule in self.rules if not rule.only_fills)

    def match(self, facts: Mapping[Fact, str], executed_on_us: int) -> Matched:
        key = (*(facts.get(name, "") for name in FACTS), bisect_right(self.bounds, executed_on_us))
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[key] = self._asked(facts, executed_on_us)
        return found

    def _asked(self, facts: Mapping[Fact, str], executed_on_us: int) -> Matched:
        if self._index is None:
            return match(self.rules, facts, executed_on_us)
        asked = _Asked(facts, executed_on_us)
        asked.of(self._index.written)
        asked.of(self._index.fills(asked.found["model"]))
        return asked.matched


@dataclass(frozen=True, slots=True)
class _Index:
    """The rules that can be met, by the model: a large catalog implies some for each of its models, and asking all of
    them of each run that says something new would hold the commits up for minutes."""

    written: tuple[Rule, ...]
    _of_any: tuple[tuple[int, Rule], ...]
    """Rules that fill, with their places, whatever the model is called."""
    _of_model: Mapping[str, Sequence[tuple[int, Rule]]]
    """Those that name it, by its name in lower case."""

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> "_Index | None":
        """None where the rules stand in an order that it knows nothing of."""
        fills = [(place, rule) for place, rule in enumerate(rules) if rule.only_fills]
        written = tuple(rules[: len(rules) - len(fills)])
        if any(rule.only_fills for rule in written) or any("model" in dict(rule.outcomes) for _, rule in fills):
            return None
        of_any: list[tuple[int, Rule]] = []
        of_model: dict[str, list[tuple[int, Rule]]] = {}
        for place, rule in fills:
            names = [name.lower() for fact, patterns in rule.conditions if fact == "model" for name in patterns]
            if not names or any("*" in name for name in names):
                of_any.append((place, rule))
                continue
            for name in dict.fromkeys(names):
                of_model.setdefault(name, []).append((place, rule))
        return cls(written, tuple(of_any), of_model)

    def fills(self, model: str) -> Iterable[Rule]:
        """In their order."""
        named = self._of_model.get(model.lower(), ())
        return (rule for _, rule in merge(self._of_any, named, key=lambda one: one[0]))


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
        # One colon is no IPv6 address: who gives no port of its own puts it there.
        name, _, own_port = host.rpartition(":")
        if own_port.isdecimal() and ":" not in name:
            host, port = name, port or own_port
        return _joined(host, port)
    for text in (host, *(attributes.get(name, "") for name in _ADDRESSES)):
        if text and (found := address_of(text)):
            return found
    return ""


def address_of(url: str) -> str:
    """`host:port` of an http(s) address, its scheme's port where none is given; '' for what is none."""
    return _joined(*host_and_port(url))


def host_and_port(url: str) -> tuple[str, str]:
    """As `address_of`, apart: an IPv6 address without brackets."""
    try:
        parts = urlsplit(url.strip())
        if parts.scheme not in _PORTS or not parts.hostname:
            return "", ""
        return parts.hostname, str(parts.port or _PORTS[parts.scheme])
    except ValueError:
        return "", ""


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
        any(_fits(pattern.lower(), facts.get(fact, "").lower()) for pattern in patterns)
        for fact, patterns in rule.conditions
    )


def _fits(pattern: str, text: str) -> bool:
    """Without a regular expression: with many stars, those try so many ways that a run would wait for years."""
    first, *others = pattern.split("*")
    if not others:
        return pattern == text
    *inner, last = others
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in inner:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
