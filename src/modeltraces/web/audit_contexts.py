"""What the template of the audit log's page is given."""

from dataclasses import dataclass

from modeltraces.web.contexts import Empty, Moment, Option, Shell


@dataclass(frozen=True, slots=True)
class AuditValue:
    """One side of a change. `text` is its beginning when `whole` is not ''."""

    text: str
    whole: str = ""
    cut: bool = False
    """Not even `whole` is all of it: the export has the rest."""


@dataclass(frozen=True, slots=True)
class AuditChange:
    """One field; None where there was no value, or is none."""

    field: str
    old: AuditValue | None
    new: AuditValue | None


@dataclass(frozen=True, slots=True)
class AuditLine:
    id: int
    at: Moment
    actor: str
    actor_kind: str
    """`API key` and the like; '' for a person."""
    action: str
    """As recorded."""
    action_words: str
    object: str
    object_kind: str
    object_href: str
    """All that was done to it."""
    changes: tuple[AuditChange, ...]
    more_changes: tuple[AuditChange, ...]
    """Those beyond the first few."""
    unseen: bool
    """Values were recorded, and they are the same: what changed is not among them, say a credential."""


@dataclass(frozen=True, slots=True)
class AuditChoiceGroup:
    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class AuditForm:
    """The filter row, as it stands."""

    actors: tuple[Option, ...]
    actions: tuple[AuditChoiceGroup, ...]
    any_action: Option
    object: str
    periods: tuple[Option, ...]
    from_local: str
    to_local: str
    """For `datetime-local` inputs, in the page's zone."""
    zone_label: str
    clear_href: str
    """'' when nothing narrows the log."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class AuditPage:
    shell: Shell
    form: AuditForm
    lines: tuple[AuditLine, ...]
    exports: tuple[Option, ...]
    """None when there is nothing to export."""
    older_href: str = ""
    newer_href: str = ""
    empty: Empty | None = None
