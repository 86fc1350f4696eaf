"""The parts of Settings → Matching that are worked out: implied rules, a trial, a preview, how far a job is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from modeltraces.catalog.jobs import Job
from modeltraces.catalog.matching.past import Differences, Group
from modeltraces.catalog.matching.rules import FACTS, OUTCOMES, Matched, Rule, RuleSet
from modeltraces.web.address import CONNECTIONS, model_path, with_query
from modeltraces.web.audit_words import actor_words
from modeltraces.web.catalog_contexts import Pager
from modeltraces.web.catalog_forms import moment
from modeltraces.web.formatting import count
from modeltraces.web.matching_address import Asked
from modeltraces.web.matching_contexts import (
    Belonging,
    GroupLine,
    Implied,
    ImpliedLine,
    JobStatus,
    OutcomeWords,
    Preview,
    ResultLine,
    RuleField,
    Trial,
)
from modeltraces.web.matching_forms import (
    FACT_HINTS,
    FACT_LABELS,
    FACT_WORDS,
    OUTCOME_LABELS,
    implied_conditions,
    outcome_words,
)

PAGE_SIZE: Final = 50
_OPEN_UP_TO: Final = 6
"""So few implied rules are read at a glance; more fold."""
_GROUPS_SHOWN: Final = 20


def implied(asked: Asked, rules: Sequence[Rule], zone: tzinfo, now_us: int) -> Implied:
    rules, words = _joined(rules), asked.search.casefold()
    listed = [rule for rule in rules if words in _searched(rule)] if words else rules
    last = max(1, -(-len(listed) // PAGE_SIZE))
    here = replace(asked, page=min(asked.page, last))
    first = (here.page - 1) * PAGE_SIZE
    shown = listed[first : first + PAGE_SIZE]

    def at(page: int) -> str:
        return f"{here.url(page=page)}#implied"

    pager = None
    if last > 1:
        pager = Pager(
            f"{count(first + 1)}\N{EN DASH}{count(first + len(shown))} of {count(len(listed))}",
            at(here.page - 1) if here.page > 1 else "",
            at(here.page + 1) if here.page < last else "",
        )
    return Implied(
        lines=tuple(_implied_line(rule, zone, now_us) for rule in shown),
        total=count(len(rules)),
        is_open=bool(asked.search) or asked.page > 1 or len(rules) <= _OPEN_UP_TO,
        search=asked.search,
        hidden=asked.tried(),
        show_filter=len(rules) > _OPEN_UP_TO,
        clear_href=f"{asked.url(search='', page=1)}#implied",
        pager=pager,
    )


def _joined(rules: Sequence[Rule]) -> list[Rule]:
    """Those that differ only in how the server is written, with its port or without, as one."""
    joined: list[Rule] = []
    for rule in rules:
        before = joined[-1] if joined else rule
        if joined and replace(before, conditions=()) == replace(rule, conditions=()):
            old, new = dict(before.conditions), dict(rule.conditions)
            servers = (*old.pop("server_address", ()), *new.pop("server_address", ()))
            if old == new:
                joined[-1] = replace(rule, conditions=(("server_address", servers), *new.items()))
                continue
        joined.append(rule)
    return joined


def _searched(rule: Rule) -> str:
    patterns = (pattern for _, some in rule.conditions for pattern in some)
    return "\n".join((rule.name, *patterns, *(value for _, value in rule.outcomes))).casefold()


def _implied_line(rule: Rule, zone: tzinfo, now_us: int) -> ImpliedLine:
    return ImpliedLine(
        name=rule.name,
        source_href=_source(rule),
        conditions=implied_conditions(rule),
        outcomes=outcome_words(rule.outcomes),
        start=None if rule.from_us is None else moment(rule.from_us, zone, now_us),
        end=None if rule.to_us is None else moment(rule.to_us, zone, now_us),
    )


def _source(rule: Rule) -> str:
    """Where that is said which implies the rule: a connection, or the model whose version it gives."""
    (outcome, value), *_ = rule.outcomes
    if outcome == "connection_name":
        return with_query(CONNECTIONS, [("q", value)])
    name = rule.name.removesuffix(f"@{value}")
    by_endpoint = len(name) < len(rule.name)
    name = name.removeprefix("endpoint of ") if by_endpoint else name[len("only ") : -len(f"@{value} was up")]
    return model_path(name)


def trial(asked: Asked, rules: RuleSet, at_us: int, error: str, *, may_change: bool, zone_label: str) -> Trial:
    """The form as the address has it, and what such a run would get, once something is said of one."""
    form = Trial(
        fields=tuple(RuleField(fact, FACT_LABELS[fact], asked.facts.get(fact, ""), FACT_HINTS[fact]) for fact in FACTS),
        on=asked.on,
        zone_label=zone_label,
        hidden=asked.listed(),
        clear_href=f"{asked.url(facts={}, on='')}#try" if asked.tried() else "",
        error=error,
    )
    if error or not asked.tried():
        return form
    if not asked.facts:
        return replace(form, error="Say something of the run besides its time, such as the model that was requested.")
    found = rules.match(asked.facts, at_us)
    values = (found.model, found.deployment_version, found.connection_name)
    lines = [
        ResultLine(OUTCOME_LABELS[name], value, said := asked.facts.get(name, ""), value != said)
        for name, value in zip(OUTCOMES, values, strict=True)
    ]
    return replace(
        form,
        result=tuple(lines),
        by=found.by,
        write_href=f"{asked.url(do='add_from')}#add" if may_change else "",
    )


def preview(found: Differences) -> Preview:
    largest = sorted(found.groups, key=lambda group: -group.runs)
    rest = largest[_GROUPS_SHOWN:]
    runs = sum(group.runs for group in rest)
    return Preview(
        changed=count(found.changed),
        total=count(found.total),
        any=bool(found.groups),
        groups=tuple(_group_line(group) for group in largest[:_GROUPS_SHOWN]),
        more=f"{count(len(rest))} more group{'s' * (len(rest) > 1)}, {count(runs)} run{'s' * (runs > 1)}"
        if rest
        else "",
    )


def _group_line(group: Group) -> GroupLine:
    return GroupLine(
        said=tuple(
            OutcomeWords(FACT_WORDS[fact], value) for fact, value in zip(FACTS, group.said, strict=True) if value
        ),
        now=_belonging(group.now),
        then=_belonging(group.then),
        by=group.then.by,
        runs=count(group.runs),
    )


def _belonging(matched: Matched) -> Belonging:
    return Belonging(matched.model, matched.deployment_version, matched.connection_name)


def job_status(job: Job, zone: tzinfo, now_us: int) -> JobStatus:
    gone = f"{count(job.done)} of {count(job.total)} runs"
    if job.state == "running":
        words = f"Applying the rules: {gone} gone through"
    elif job.state == "failed":
        words = f"{job.error} It had gone through {gone}." if job.total else job.error
    elif job.total:
        words = f"Applied to past runs: {count(job.total)} gone through"
    else:
        words = "Applied to past runs: nothing had to change"
    return JobStatus(
        state=job.state,
        words=words,
        done=job.done,
        total=job.total,
        actor=" ".join(reversed([part for part in actor_words(job.actor) if part])),
        at=moment(job.started_on_us if job.ended_on_us is None else job.ended_on_us, zone, now_us),
    )
