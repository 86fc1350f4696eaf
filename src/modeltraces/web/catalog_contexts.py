"""The contexts of the catalog's pages: models, one model, connections, hardware."""

from dataclasses import dataclass
from typing import Literal

from modeltraces.web.contexts import Empty, Moment, Option, Shell, Text, Trouble
from modeltraces.web.routing_contexts import RoutingCard

State = Literal["up", "down", "seen"]
"""Of a deployment: replicas are up, none are, or it is only known from runs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A deployment that is up, or a connection."""

    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ModelLine:
    name: str
    href: str
    traces_href: str
    base_model: str
    provider: str
    merged: str
    """The names of the models that are counted with it."""
    archived: bool
    places: tuple[Place, ...]
    more_places: int
    places_note: str
    """What is said where no place is up."""
    first_run: Moment | None
    requests: str
    failure_rate: str
    failing: bool


@dataclass(frozen=True, slots=True)
class ModelForm:
    """Of a new model, and of what can be said of one."""

    name: str = ""
    kind: str = ""
    base_model: str = ""
    provider: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Pager:
    words: str
    previous_href: str
    next_href: str


@dataclass(frozen=True, slots=True)
class ModelsPage:
    shell: Shell
    tabs: tuple[Option, ...]
    """`hint`: how many there are."""
    kind: str
    kinds: tuple[Option, ...]
    """`value` and label of every kind."""
    models: tuple[ModelLine, ...]
    search: str
    hidden: tuple[tuple[str, str], ...]
    """What the search keeps of the address."""
    archived: Option | None
    """Leads to the page with archived models, or without; None when there are none."""
    pager: Pager | None
    empty: Empty | None
    add_href: str
    close_href: str
    form: ModelForm | None
    may_change: bool
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class IntervalLine:
    start: Moment
    end: Moment | None
    """None while it is open."""
    replicas: str
    hours: str
    hardware: str
    price: str
    credits: Text


@dataclass(frozen=True, slots=True)
class EventLine:
    id: int
    on: Moment
    what: str
    replicas: str
    price: str
    hardware: str
    actor: str
    entered: Moment | None
    """When it was put into the ledger, if not when it happened."""
    struck: Moment | None
    struck_by: str


@dataclass(frozen=True, slots=True)
class DeploymentForm:
    """Of a new deployment (`is_new`), and of what can be said of one."""

    is_new: bool
    version: str = ""
    version_is_fixed: bool = False
    """For a version that runs brought: it keeps its name."""
    hardware: str = ""
    price: str = ""
    replicas: str = "1"
    on: str = ""
    endpoint: str = ""
    protocol: str = ""
    upstream_model: str = ""
    has_credential: bool = False
    error: str = ""
    lost_credential: bool = False
    """One was typed, and must be typed again: it is not sent back."""


@dataclass(frozen=True, slots=True)
class EventForm:
    """Of an event of the ledger."""

    type: Literal["deploy", "scale", "undeploy"]
    title: str
    text: str
    button: str
    replicas: str = ""
    on: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentCard:
    version: str
    merged_from: str
    """The merged model whose deployment it is; '' for the model's own."""
    label: str
    """The two together, for what is only heard."""
    anchor: str
    state: State
    state_words: str
    price_label: str
    price: str
    """What is up is charged; else what it would be."""
    price_source: str
    """Where the price comes from: the hardware, or the deployment itself."""
    hardware: str
    endpoint: str
    protocol: str
    upstream_model: str
    has_credential: bool
    deployed: Moment | None
    credits: Text
    hours: str
    price_notice: str
    """Says so when an open interval is charged at another price than the list's."""
    intervals: tuple[IntervalLine, ...]
    events: tuple[EventLine, ...]
    has_struck: bool
    actions: tuple[Option, ...]
    delete_href: str
    strike_href: str
    """Where an event's id is sent to strike it out; '' for who may not."""
    traces_href: str
    form: EventForm | None
    edit: DeploymentForm | None
    form_href: str
    """Where the open form is sent."""
    test_href: str
    """Where its endpoint is tried out; '' without one, and for who may not."""
    probe: "ProbeResult | None"
    error: str
    """Of a button of the card that had no form."""
    is_open: bool


@dataclass(frozen=True, slots=True)
class ConnectionOfModel:
    name: str
    href: str
    provider: str
    protocol: str
    base_url: str
    reach: str
    """Why it is listed: its runs came through it, or it reaches it."""
    archived: bool
    seen_only: bool


@dataclass(frozen=True, slots=True)
class MergedModel:
    name: str
    take_back_href: str


@dataclass(frozen=True, slots=True)
class MergeForm:
    into: str
    others: tuple[str, ...]
    error: str


@dataclass(frozen=True, slots=True)
class HardwareOption:
    name: str
    price: str


@dataclass(frozen=True, slots=True)
class ModelPage:
    shell: Shell
    name: str
    kind: str
    kind_label: str
    kinds: tuple[Option, ...]
    base_model: str
    provider: str
    archived: bool
    first_run: Moment | None
    created: Moment
    recorded_names: tuple[str, ...]
    """The names that its runs bear, where they are not just its own."""
    may_change: bool
    traces_href: str
    history_href: str
    path: str
    """Of this page, without what is open on it."""
    zone_label: str
    deployments: tuple[DeploymentCard, ...]
    more_deployments: Option | None
    credits: Text
    deployed: Moment | None
    hardware: tuple[HardwareOption, ...]
    protocols: tuple[Option, ...]
    connections: tuple[ConnectionOfModel, ...]
    routing: RoutingCard
    merged: tuple[MergedModel, ...]
    deploy_href: str
    edit_href: str
    merge_href: str
    archive_href: str
    still_up: str
    """What is up, and what it goes on costing when the model is archived; '' when nothing is."""
    delete_href: str
    """'' when it cannot be deleted: `kept_because` says why."""
    kept_because: str
    deploy: DeploymentForm | None
    edit: ModelForm | None
    merge: MergeForm | None
    error: str
    """Of a button that had no form."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    ok: bool
    says: str
    elapsed: str
    models: tuple[str, ...]
    more_models: int
    missing: tuple[str, ...]
    """What calls ask it for and it does not list."""
    more_missing: int


@dataclass(frozen=True, slots=True)
class ConnectionForm:
    name: str = ""
    provider: str = ""
    protocol: str = ""
    base_url: str = ""
    models: str = "*"
    """One a line."""
    has_credential: bool = False
    error: str = ""
    lost_credential: bool = False
    """One was typed, and must be typed again: it is not sent back."""


@dataclass(frozen=True, slots=True)
class ConnectionCard:
    name: str
    anchor: str
    provider: str
    protocol: str
    base_url: str
    models: tuple[str, ...]
    more_models: int
    every_model: bool
    has_credential: bool
    seen_only: bool
    archived: bool
    used_by: tuple[Option, ...]
    """Models whose runs came through it."""
    more_used_by: int
    test_href: str
    edit_href: str
    archive_href: str
    delete_href: str
    """'' when runs came through it: it can only be archived."""
    form: ConnectionForm | None
    probe: ProbeResult | None
    error: str


@dataclass(frozen=True, slots=True)
class ConnectionsPage:
    shell: Shell
    connections: tuple[ConnectionCard, ...]
    protocols: tuple[Option, ...]
    archived: Option | None
    search: str
    hidden: tuple[tuple[str, str], ...]
    pager: Pager | None
    empty: Empty | None
    add_href: str
    close_href: str
    form: ConnectionForm | None
    error: str
    """Of a connection that is not listed (any more)."""
    may_change: bool


@dataclass(frozen=True, slots=True)
class PriceLine:
    price: str
    since: Moment
    actor: str


@dataclass(frozen=True, slots=True)
class HardwareLine:
    name: str
    anchor: str
    price: str
    since: Moment
    actor: str
    earlier: tuple[PriceLine, ...]
    """Newest first."""
    deployments: tuple[Option, ...]
    more_deployments: int
    kept_notice: str
    """Says how many open intervals are charged at an earlier price."""
    price_href: str
    remove_href: str
    """'' while deployments are on it."""
    form: "HardwareForm | None"
    error: str


@dataclass(frozen=True, slots=True)
class HardwareForm:
    name: str = ""
    price: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class HardwarePage:
    shell: Shell
    hardware: tuple[HardwareLine, ...]
    may_change: bool
    form: HardwareForm | None
    """Of new hardware."""
    error: str
    """Of hardware that is not listed (any more)."""
