"""The context of the page Retention."""

from dataclasses import dataclass

from modeltraces.web.contexts import Moment, Shell


@dataclass(frozen=True, slots=True)
class DaysForm:
    """Of the account, or of a model (`model`; '' while it is still to be named, where `is_new`)."""

    action: str
    runs: str = ""
    payloads: str = ""
    above_runs: str = ""
    """What holds where nothing is typed."""
    above_payloads: str = ""
    error: str = ""
    model: str = ""
    is_new: bool = False
    known: tuple[str, ...] = ()
    """Models that have no days of their own."""


@dataclass(frozen=True, slots=True)
class ModelDays:
    name: str
    href: str
    anchor: str
    runs: str
    payloads: str
    runs_inherited: bool
    payloads_inherited: bool
    change_href: str
    remove_href: str
    form: DaysForm | None
    review: "Review | None"


@dataclass(frozen=True, slots=True)
class Review:
    """What a shorter time would remove, to be said yes to."""

    what: str
    removes: str
    when: str
    action: str
    hidden: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SweepFacts:
    state: str
    """`none`, `running`, `done` or `failed`."""
    at: Moment | None
    removed: str
    error: str
    next: Moment | None
    """None: it comes within seconds."""
    href: str
    """Where one is asked for; '' for who may not."""


@dataclass(frozen=True, slots=True)
class RetentionPage:
    shell: Shell
    runs: str
    payloads: str
    source: str
    """Whose word that is."""
    oldest_run: Moment | None
    oldest_payload: Moment | None
    sweep: SweepFacts
    zone_label: str
    may_change: bool
    form: DaysForm | None
    review: Review | None
    models: tuple[ModelDays, ...]
    add_href: str
    add: DaysForm | None
    add_review: Review | None
    error: str
    """Of a model that is not listed (any more), or of a button that had no form."""
