"""Catalogs as a file may hold them, for Hypothesis: what parsing the file would give."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.matching.rules import FACTS
from modeltraces.catalog.models import LONGEST_NAME
from modeltraces.catalog.text import clean_name, is_storable
from modeltraces.catalog.times import instant_text

FIRST_EVENT_US: Final = 1_750_000_000_000_000
"""Before the clock of the tests."""

_recorded = st.one_of(
    st.sampled_from(
        [
            "gpt-4o",
            "org/model:8b",
            "v1",
            "v10",
            'quo"te',
            "a.b",
            "[x]",
            "ü",
            "e\u0301",
            " edge ",
            "a\nb",
            "\x1f\x7f",
            "x" * 500,
        ]
    ),
    st.text(min_size=1, max_size=12).filter(lambda name: is_storable(name, LONGEST_NAME) and bool(name.strip())),
)
_named = st.sampled_from(["H100", "A100 80GB", "L4's", 'M"1"', "µ"])
_amount = st.decimals(min_value=0, max_value=1_000_000_000, places=9, allow_nan=False, allow_infinity=False)
_address = st.sampled_from(["http://10.0.0.1:8000/v1", "https://models.example.com", "https://x.example.com:1/a/b/"])


@st.composite
def _events(draw: st.DrawFn) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    at, is_up = FIRST_EVENT_US, False
    for _ in range(draw(st.integers(0, 5))):
        at += draw(st.integers(1, 3_600_000_000))
        kind = draw(st.sampled_from(["scale", "undeploy"] if is_up else ["deploy"]))
        event: dict[str, Any] = {"type": kind, "on": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)}
        if kind != "undeploy":
            event["replicas"] = draw(st.integers(1, 100_000))
            if draw(st.booleans()):
                event["credits_per_replica_hour"] = draw(st.one_of(_amount, st.just("")))
            if draw(st.booleans()):
                event["hardware"] = draw(_named)
        is_up = kind != "undeploy"
        events.append(event)
    return draw(st.permutations(events))


@st.composite
def _deployment(draw: st.DrawFn, hardware: list[str], can_be_up: bool) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if draw(st.booleans()) and hardware:
        part["hardware"] = draw(st.sampled_from(hardware))
    if draw(st.booleans()):
        part["credits_per_replica_hour"] = draw(_amount)
    if draw(st.booleans()):
        part["endpoint"] = draw(_address)
    if draw(st.booleans()):
        part["protocol"] = draw(st.sampled_from(["openai", "anthropic", "ollama"]))
    if draw(st.booleans()):
        part["upstream_model"] = draw(st.sampled_from(["meta/llama", "ü"]))
    if can_be_up and (events := draw(_events())):
        part["events"] = events
    return part


@st.composite
def _connection(draw: st.DrawFn) -> dict[str, Any]:
    part: dict[str, Any] = {"provider": draw(st.one_of(st.just(""), _recorded))}
    if draw(st.booleans()):
        part["protocol"] = draw(st.sampled_from(["openai", "anthropic", "azure_openai"]))
        part["base_url"] = draw(_address)
        if draw(st.booleans()):
            part["models"] = draw(st.lists(st.sampled_from(["gpt-4o", "o1", "x y"]), min_size=1, unique=True))
    if draw(st.booleans()):
        part["archived"] = draw(st.booleans())
    return part


_patterns = st.lists(
    st.sampled_from(["", "*", "gpt-4o*", "a,b", 'quo"te', "ü", "x" * 512, "10.0.0.1:8000"]), min_size=1, unique=True
)
_rule = st.fixed_dictionaries(
    {
        "conditions": st.dictionaries(st.sampled_from(FACTS), _patterns, min_size=1, max_size=3),
    },
    optional={"enabled": st.booleans()},
)


@st.composite
def _rules(draw: st.DrawFn, models: list[dict[str, Any]], connections: list[str]) -> list[dict[str, Any]]:
    """They give what the catalog has."""
    made = []
    for name in draw(st.lists(st.sampled_from(["first", "to v1", "§", 'quo"te', "a.b"]), max_size=3, unique=True)):
        outcomes: dict[str, str] = {}
        if draw(st.booleans()) and models:
            model = draw(st.sampled_from(models))
            outcomes["model"] = draw(st.sampled_from([model["name"], *model.get("merged", ())]))
            if versions := [one["version"] for one in model.get("deployments", ())]:
                outcomes["deployment_version"] = draw(st.sampled_from(versions))
        if draw(st.booleans()) and connections:
            outcomes["connection_name"] = draw(st.sampled_from(connections))
        if outcomes and all(map(_is_clean, outcomes.values())):
            made.append({"name": name, **draw(_rule), "outcomes": outcomes})
    return made


def _is_clean(name: str) -> bool:
    """Whether a rule keeps it as it is; runs may bear others."""
    try:
        return clean_name(name, "It", LONGEST_NAME) == name
    except Invalid:
        return False


@st.composite
def catalogs(draw: st.DrawFn) -> dict[str, Any]:
    """One that can be applied to an empty account."""
    prices = draw(st.dictionaries(_named, _amount, max_size=3))
    connections = draw(st.dictionaries(_recorded, _connection(), max_size=3))
    names = draw(st.lists(_recorded, max_size=6, unique=True))
    models = []
    while names:
        kind = draw(st.sampled_from(["open_source", "fine_tuned", "external"]))
        model: dict[str, Any] = {"name": names.pop(), "kind": kind}
        for field in ("base_model", "provider"):
            if draw(st.booleans()):
                model[field] = draw(_recorded)
        for field in ("archived", "kind_is_inferred"):
            if draw(st.booleans()):
                model[field] = draw(st.booleans())
        if draw(st.booleans()) and names:
            model["merged"] = [names.pop()]
        parts = draw(st.dictionaries(_recorded, _deployment(list(prices), kind != "external"), max_size=3))
        listed = [{"version": version, **part} for version, part in parts.items()]
        for merged in model.get("merged", ()):
            versions = {*draw(st.sets(_recorded, max_size=2)), *parts} if draw(st.booleans()) else set()
            for version in sorted(versions):
                part = draw(_deployment(list(prices), kind != "external"))
                listed.append({"version": version, "merged_from": merged, **part})
        if listed:
            model["deployments"] = draw(st.permutations(listed))
        models.append(model)
    return {
        "hardware": [{"name": name, "credits_per_replica_hour": price} for name, price in prices.items()],
        "connections": [{"name": name, **part} for name, part in connections.items()],
        "models": models,
        "rules": draw(_rules(models, list(connections))),
    }


def toml(value: Any) -> str:
    """The value as TOML, all on one line: not by the writer that is tested."""
    match value:
        case dict():
            return f"{{{', '.join(f'{name} = {toml(part)}' for name, part in value.items())}}}"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case datetime():
            return instant_text((value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
        case str():
            return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return str(value)


def document(catalog: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {toml(parts)}" for name, parts in catalog.items() if parts)
