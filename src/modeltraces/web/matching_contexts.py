"""The contexts of Settings → Matching: rules, what one run would get, and past runs."""

from dataclasses import dataclass
from typing import Literal

from modeltraces.web.catalog_contexts import Pager
from modeltraces.web.contexts import Moment, Shell


@dataclass(frozen=True, slots=True)
class ConditionWords:
    """`model` is one of `patterns`."""

    fact: str
    patterns: tuple[str, ...]
    """`""` never stands here: `or_not_said` says it."""
    more_patterns: tuple[str, ...] = ()
    """Those that fold."""
    or_not_said: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeWords:
    outcome: str
    value: str


@dataclass(frozen=True, slots=True)
class RuleField:
    """One condition or outcome of the form."""

    name: str
    label: str
    value: str
    hint: str = ""
    lines: int = 1
    suggestions: tuple[str, ...] = ()
    """For outcomes: what the catalog has."""


@dataclass(frozen=True, slots=True)
class RuleForm:
    name: str
    conditions: tuple[RuleField, ...]
    outcomes: tuple[RuleField, ...]
    enabled: bool
    action: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class RuleLine:
    position: int
    name: str
    anchor: str
    conditions: tuple[ConditionWords, ...]
    outcomes: tuple[OutcomeWords, ...]
    enabled: bool
    up_href: str
    """'' for the first, and for who may not."""
    down_href: str
    switch_href: str
    edit_href: str
    delete_href: str
    form: RuleForm | None
    error: str


@dataclass(frozen=True, slots=True)
class ImpliedLine:
    name: str
    source_href: str
    """The page of the model or connection that implies it."""
    conditions: tuple[ConditionWords, ...]
    outcomes: tuple[OutcomeWords, ...]
    start: Moment | None
    end: Moment | None


@dataclass(frozen=True, slots=True)
class Implied:
    lines: tuple[ImpliedLine, ...]
    total: str
    is_open: bool
    search: str
    hidden: tuple[tuple[str, str], ...]
    """What its filter keeps of the address."""
    show_filter: bool
    clear_href: str
    pager: Pager | None


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One outcome of a trial: what it would be, and what the recording said, where that is something else."""

    label: str
    value: str
    said: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """`Which would this get?`: the form, and its answer."""

    fields: tuple[RuleField, ...]
    on: str
    zone_label: str
    hidden: tuple[tuple[str, str], ...]
    clear_href: str
    result: tuple[ResultLine, ...] = ()
    by: str = ""
    """'' when no rule gave anything."""
    write_href: str = ""
    """Opens the form of a new rule with what was typed as its conditions."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Belonging:
    """The model, deployment and connection of a run."""

    model: str
    version: str
    connection: str


@dataclass(frozen=True, slots=True)
class GroupLine:
    """Runs that say the same and would change."""

    said: tuple[OutcomeWords, ...]
    now: Belonging
    then: Belonging
    by: str
    runs: str


@dataclass(frozen=True, slots=True)
class Preview:
    changed: str
    total: str
    any: bool
    groups: tuple[GroupLine, ...]
    more: str
    """Of groups that are not listed: `12 more groups, 340 runs`."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    state: Literal["running", "done", "failed"]
    words: str
    done: int
    total: int
    actor: str
    at: Moment
    """When it ended; of one that runs, when it was started."""


@dataclass(frozen=True, slots=True)
class PastRuns:
    job: JobStatus | None
    may_apply: bool
    preview_href: str
    apply_href: str
    close_href: str
    """Without the preview."""
    preview: Preview | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class MatchingPage:
    shell: Shell
    may_change: bool
    rules: tuple[RuleLine, ...]
    add_href: str
    """'' for who may not."""
    close_href: str
    form: RuleForm | None
    """Of a new rule."""
    implied: Implied
    trial: Trial
    past: PastRuns
    error: str = ""
    """Of a rule that is not there (any more)."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """The part of the page that is fetched anew while a job runs."""

    shell: Shell
    past: PastRuns
