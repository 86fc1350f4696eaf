"""What the templates are given: every page's context, typed. Texts are ready to be shown, addresses ready to be used."""

from dataclasses import dataclass
from typing import Literal

from modeltraces.web.sparkline import Sparkline

Tone = Literal["good", "bad", "neutral"]


@dataclass(frozen=True, slots=True)
class NavItem:
    label: str
    href: str
    icon: str
    current: bool


@dataclass(frozen=True, slots=True)
class NavGroup:
    label: str
    items: tuple[NavItem, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is wrong with the server as a whole, for those who can mend it."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Shell:
    """What surrounds every page of a signed-in reader."""

    title: str
    crumbs: tuple[tuple[str, str], ...]
    """(label, address or ''), the page itself last."""
    nav: tuple[NavGroup, ...]
    account_name: str
    email: str
    role: str
    csrf_token: str
    zone: str
    """IANA name that times are shown in."""
    theme: str
    """`light`, `dark` or '' (as the system)."""
    alarm: Alarm | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant: as shown, and in UTC for `title` and `datetime`."""

    text: str
    iso: str


@dataclass(frozen=True, slots=True)
class Option:
    label: str
    href: str
    current: bool = False
    hint: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class ModelGroup:
    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """What of the address could not be used. `links`: what was probably meant."""

    text: str
    links: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Toolbar:
    model_label: str
    all_models: Option
    groups: tuple[ModelGroup, ...]
    unlisted_models: int
    """How many of them come when the menu is opened; 0: they are all there."""
    periods: tuple[Option, ...]
    custom: bool
    custom_label: str
    quick: tuple[Option, ...]
    """Periods that begin at a round time: today, since noon."""
    since: Option
    """The one of them that lies nearest: a complaint begins with it."""
    from_local: str
    to_local: str
    """For `datetime-local` inputs, in the page's zone."""
    zone_label: str
    exports: tuple[Option, ...]
    may_export: bool
    stream_url: str
    hidden: tuple[tuple[str, str], ...]
    """Parameters that the period form carries along."""


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: str
    unit: str = ""
    minor: bool = False
    none: bool = False
    """There is no figure: `value` is a word that says so."""
    title: str = ""
    href: str = ""
    """The runs that made it."""


@dataclass(frozen=True, slots=True)
class Change:
    """The change against the period before. `words` is the whole of it, for who cannot see arrow and colour."""

    text: str
    direction: Literal["up", "down", "same"]
    tone: Tone
    words: str


@dataclass(frozen=True, slots=True)
class MetricCard:
    key: str
    title: str
    help: str
    figures: tuple[Figure, ...]
    change: Change | None = None
    note: str = ""
    spark: Sparkline | None = None
    action: Option | None = None
    """The way to the runs behind the figures."""


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One bucket, in words: the chart's text alternative."""

    at: Moment
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the chart can be asked to compare, and in what measure; empty: there is nothing to compare."""

    choices: tuple[Option, ...] = ()
    measures: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    data: str
    """JSON: step, buckets' starts (s since the epoch), successes, failures, zone; p90 and p99 (ms or null), or else
    `measure` and `lines`, the values of each group."""
    summary: str
    headings: tuple[str, ...]
    rows: tuple[SeriesRow, ...]
    comparison: Comparison = Comparison()
    title: str = "Requests and response time"
    lines: tuple[str, ...] = ()
    """The groups' names, in the order of their colours; empty: all runs are drawn together."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    cards: tuple[MetricCard, ...]
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class FilterError:
    message: str
    before: str
    marked: str
    after: str
    expected: str
    position: int = 0
    instead: tuple[Option, ...] = ()
    """The whole filter as it was probably meant, where that can be told, best first."""


@dataclass(frozen=True, slots=True)
class FilterField:
    """A field as the builder offers it. `operators`: of `: != > >= < <= has`, those that it takes."""

    name: str
    label: str
    kind: str
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterBar:
    text: str
    sentence: str
    clear_href: str
    hidden: tuple[tuple[str, str], ...]
    fields: str
    """JSON of the fields, for the builder."""
    rows: str
    """JSON of the filter as the builder's rows, or `null` when rows cannot say it."""
    error: FilterError | None = None


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    label: str
    numeric: bool = False
    sort_href: str = ""
    sorted: Literal["", "ascending", "descending"] = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Text as a cell shows it. `title`: what a hover says, '' for nothing more."""

    text: str
    title: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class RunRow:
    request_id: str
    href: str
    failed: bool
    current: bool
    executed_on: Moment
    cells: dict[str, Text]
    """By column, except status, Request ID and Executed on."""


@dataclass(frozen=True, slots=True)
class Empty:
    title: str
    text: str
    actions: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """The answer could not be had. `retry_href` asks again."""

    title: str
    text: str
    retry_href: str
    retry_label: str = "Try again"
    status: int = 503
    """What the answer's status is, when the whole page is asked for."""


@dataclass(frozen=True, slots=True)
class RunsTable:
    columns: tuple[Column, ...]
    rows: tuple[RunRow, ...]
    count_text: str
    wide: bool = False
    """More columns than fit a screen."""
    chosen: bool = False
    """The columns were chosen: all of them are shown, on a phone, too."""
    previous_href: str = ""
    next_href: str = ""
    range_text: str = ""
    chooser: tuple[Option, ...] = ()
    chooser_reset: str = ""
    empty: Empty | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class ErrorBox:
    type: str
    message: str
    code: str


@dataclass(frozen=True, slots=True)
class Payload:
    """Input or Output. `text` is the first part when `cut`; the addresses give the whole."""

    key: Literal["input", "output"]
    title: str
    text: str
    cut: bool
    size: str
    note: str
    text_url: str
    json_url: str
    has_json: bool
    removed: str = ""
    """When and why it is not there any more; '' when it is, or never was."""


@dataclass(frozen=True, slots=True)
class MetadataRow:
    label: str
    value: Text
    mono: bool = False
    href: str = ""
    """All runs that share this value."""


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One of the places that a call was sent to."""

    place: str
    outcome: str
    """`HTTP 429`, or what went wrong."""
    time: str
    failed: bool


@dataclass(frozen=True, slots=True)
class RunDetail:
    request_id: str
    failed: bool
    facts: tuple[str, ...]
    error: ErrorBox | None
    payloads: tuple[Payload, ...]
    metadata: tuple[MetadataRow, ...]
    more: tuple[MetadataRow, ...]
    attributes: tuple[MetadataRow, ...]
    attempts: tuple[AttemptLine, ...]
    """Empty unless there were several."""
    close_href: str
    previous_href: str = ""
    next_href: str = ""


@dataclass(frozen=True, slots=True)
class Snippet:
    key: str
    label: str
    code: str
    """With `{key}` where the API key goes."""


@dataclass(frozen=True, slots=True)
class FirstRun:
    address: str
    snippets: tuple[Snippet, ...]
    may_create_key: bool
    waiting_url: str


@dataclass(frozen=True, slots=True)
class TracesPage:
    shell: Shell
    toolbar: Toolbar
    overview: Overview | None
    filter: FilterBar
    runs: RunsTable
    detail: RunDetail | None = None
    first_run: FirstRun | None = None
    trouble: Trouble | None = None
    notices: tuple[Notice, ...] = ()
    deferred: bool = False
    """Metrics and chart are asked for apart: the table need not wait for them."""
    hosted: bool = True
    """Whether Hosting Credits apply."""
