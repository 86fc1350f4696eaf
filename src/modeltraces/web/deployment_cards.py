"""A model's deployments as its page shows them: what is up, what it costs, and the ledger of how that came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from modeltraces.catalog.amounts import amount_text
from modeltraces.catalog.hosting.intervals import Interval, added, hosted
from modeltraces.catalog.hosting.ledger import LedgerEvent
from modeltraces.catalog.hosting.still_up import still_up
from modeltraces.catalog.model_entries import DeploymentEntry
from modeltraces.gateway.probe import Probe
from modeltraces.web.address import with_query
from modeltraces.web.catalog_contexts import DeploymentCard, DeploymentForm, EventForm, EventLine, IntervalLine, State
from modeltraces.web.catalog_forms import PROTOCOL_LABELS, amount, hours, moment
from modeltraces.web.contexts import Option, Text
from modeltraces.web.formatting import UNKNOWN, count, credits_text
from modeltraces.web.probe_result import probe_result

SHOWN: Final = 20
"""Deployments that a page shows at first: those that are up, then the newest."""
_ENTERED_LATER_US: Final = 60_000_000
"""An event that was put in so long after it happened was entered for the past."""
_EVENTS: Final = {"deploy": "Deployed", "scale": "Scaled", "undeploy": "Undeployed"}


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of the model's page with something open on it; '' each for who may not change it."""

    path: str
    may_change: bool

    def doing(self, do: str, deployment: DeploymentEntry | None = None) -> str:
        if not self.may_change:
            return ""
        pairs = [("do", do)]
        if deployment:
            pairs.append(("version", deployment.version))
            if deployment.merged_from:
                pairs.append(("of", deployment.merged_from))
        head, mark, query = self.path.partition("?")
        address = f"{self.path}&{with_query('', pairs)[1:]}" if mark and query else with_query(head, pairs)
        return f"{address}#{anchor(deployment.version, deployment.merged_from)}" if deployment else address


@dataclass(frozen=True, slots=True)
class Open:
    """What is open on the page: the form of one deployment, and what was typed into it if it was refused."""

    do: str = ""
    version: str = ""
    of: str = ""
    """The merged model whose deployment it is; '' for the model's own."""
    typed: Mapping[str, str] | None = None
    error: str = ""
    probe: Probe | None = None
    """What a trial of its endpoint found."""


def anchor(version: str, merged_from: str = "") -> str:
    named = f"deployment-{quote(version, safe='')}"
    return f"{named}-of-{quote(merged_from, safe='')}" if merged_from else named


def is_open(deployment: DeploymentEntry, opened: Open) -> bool:
    return (opened.version, opened.of) == (deployment.version, deployment.merged_from)


def ordered(deployments: Sequence[DeploymentEntry]) -> list[DeploymentEntry]:
    """Those that are up first, the newest version first among equals."""
    newest = deployments[::-1]
    return [one for one in newest if one.replicas] + [one for one in newest if not one.replicas]


def credits_of(deployments: Sequence[DeploymentEntry], now_us: int) -> Text:
    """What all have cost so far."""
    return _credits(added([hosted(one.intervals, None, None, now_us) for one in deployments]).credits)


def _credits(value: Decimal | None) -> Text:
    if value is None:
        return Text(UNKNOWN, "no price", unknown=True)
    return Text(credits_text(value), f"{amount(value)} credits")


def up_in_words(deployments: Sequence[DeploymentEntry]) -> str:
    """What is up and goes on costing; '' when nothing is."""
    return still_up(((one.version, one.intervals) for one in deployments), count, amount)


def price_now(deployment: DeploymentEntry, prices: Mapping[str, Decimal]) -> Decimal | None:
    """What its next event would be charged at."""
    if deployment.credits_per_replica_hour is not None:
        return deployment.credits_per_replica_hour
    return prices.get(deployment.hardware)


def deployment_card(
    deployment: DeploymentEntry,
    prices: Mapping[str, Decimal],
    links: Links,
    opened: Open,
    *,
    model: str,
    traces_href: str,
    zone: tzinfo,
    now_us: int,
) -> DeploymentCard:
    """`prices`: the price list of now, by hardware. `model`: what it is called by where it has no name of its own."""
    here = is_open(deployment, opened)
    state: State = "up" if deployment.replicas else "down" if deployment.events else "seen"
    sum_ = hosted(deployment.intervals, None, None, now_us)
    price = price_now(deployment, prices)
    charged = deployment.intervals[-1].credits_per_replica_hour if state == "up" else price
    form = _event_form(deployment, opened) if here and links.may_change else None
    edit = _edit_form(deployment, opened) if here and links.may_change and opened.do in ("edit", "complete") else None
    return DeploymentCard(
        version=deployment.version,
        merged_from=deployment.merged_from,
        label=label_of(deployment),
        anchor=anchor(deployment.version, deployment.merged_from),
        state=state,
        state_words=_state_words(state, deployment.replicas),
        price_label="Charged now" if state == "up" else "If deployed again",
        price=amount(charged),
        price_source="its own price" if charged is not None and charged == deployment.credits_per_replica_hour else "",
        hardware=deployment.hardware,
        endpoint=deployment.endpoint,
        protocol=PROTOCOL_LABELS.get(deployment.protocol, deployment.protocol),
        upstream_model=deployment.upstream_model,
        has_credential=deployment.has_credential,
        deployed=None if deployment.deployed_on_us is None else moment(deployment.deployed_on_us, zone, now_us),
        credits=_credits(sum_.credits),
        hours=hours(sum_.replica_us),
        price_notice=_price_notice(deployment, price),
        intervals=tuple(_interval(interval, zone, now_us) for interval in reversed(deployment.intervals)),
        events=tuple(_event(event, zone, now_us) for event in reversed(deployment.events)),
        has_struck=any(event.struck_on_us is not None for event in deployment.events),
        actions=_actions(deployment, state, links),
        delete_href=links.doing("delete-deployment", deployment) if not deployment.intervals else "",
        strike_href=links.doing("strike", deployment),
        traces_href=traces_href,
        form=form,
        edit=edit,
        form_href=links.doing(opened.do, deployment) if form or edit else "",
        test_href=links.doing("test", deployment) if deployment.endpoint else "",
        probe=probe_result(opened.probe, deployment.protocol, (deployment.upstream_model or model,))
        if here and opened.probe
        else None,
        error=opened.error if here and form is None and edit is None else "",
        is_open=here or state == "up",
    )


def label_of(deployment: DeploymentEntry) -> str:
    """`v1`, or `v1 of NAME` for one that a merge brought along."""
    return deployment.version + (f" of {deployment.merged_from}" if deployment.merged_from else "")


def _state_words(state: State, replicas: int) -> str:
    if state == "up":
        return f"Up, {count(replicas)} replica{'s' if replicas != 1 else ''}"
    return "Down" if state == "down" else "Only seen on runs"


def _actions(deployment: DeploymentEntry, state: State, links: Links) -> tuple[Option, ...]:
    if not links.may_change:
        return ()
    offered = {
        "up": (("Scale", "scale"), ("Undeploy", "undeploy"), ("Edit", "edit")),
        "down": (("Deploy again", "deploy-again"), ("Edit", "edit")),
        "seen": (("Say where it is hosted", "complete"),),
    }[state]
    return tuple(Option(label, links.doing(do, deployment), value=do) for label, do in offered)


def _price_notice(deployment: DeploymentEntry, price: Decimal | None) -> str:
    if not deployment.replicas:
        return ""
    charged = deployment.intervals[-1].credits_per_replica_hour
    if charged == price:
        return ""
    is_own = deployment.credits_per_replica_hour is not None or not deployment.hardware
    says = "This deployment's price" if is_own else f"The price list for {deployment.hardware}"
    now = "is not known" if price is None else f"is {amount(price)} now"
    kept = "without a price" if charged is None else f"at {amount(charged)}"
    return f"{says} {now}; what is up is charged {kept} until it is scaled or redeployed."


def _interval(interval: Interval, zone: tzinfo, now_us: int) -> IntervalLine:
    sum_ = hosted([interval], None, None, now_us)
    return IntervalLine(
        start=moment(interval.from_us, zone, now_us),
        end=None if interval.to_us is None else moment(interval.to_us, zone, now_us),
        replicas=count(interval.replicas),
        hours=hours(sum_.replica_us),
        hardware=interval.hardware,
        price=amount(interval.credits_per_replica_hour),
        credits=_credits(sum_.credits),
    )


def _event(entry: LedgerEvent, zone: tzinfo, now_us: int) -> EventLine:
    event = entry.event
    late = entry.recorded_on_us - event.on_us >= _ENTERED_LATER_US
    return EventLine(
        id=entry.id,
        on=moment(event.on_us, zone, now_us),
        what=_EVENTS[event.type],
        replicas="" if event.replicas is None else count(event.replicas),
        price="" if event.type == "undeploy" else amount(event.credits_per_replica_hour),
        hardware=event.hardware,
        actor=entry.actor,
        entered=moment(entry.recorded_on_us, zone, now_us) if late else None,
        struck=None if entry.struck_on_us is None else moment(entry.struck_on_us, zone, now_us),
        struck_by=entry.struck_by or "",
    )


def _event_form(deployment: DeploymentEntry, opened: Open) -> EventForm | None:
    typed = opened.typed or {}
    replicas = str(deployment.replicas or (deployment.intervals[-1].replicas if deployment.intervals else 1))
    replicas, on = typed.get("replicas", replicas), typed.get("on", "")
    name = label_of(deployment)
    match opened.do:
        case "scale":
            text = "The hosted interval ends, and a new one begins at the price of that time."
            return EventForm("scale", f"Scale {name}", text, "Scale", replicas, on, opened.error)
        case "undeploy":
            text = "It costs nothing from then on. It can be deployed again."
            return EventForm("undeploy", f"Undeploy {name}", text, "Undeploy", "", on, opened.error)
        case "deploy-again":
            text = "A new hosted interval begins at the price of that time; the gap costs nothing."
            return EventForm("deploy", f"Deploy {name} again", text, "Deploy again", replicas, on, opened.error)
    return None


def _edit_form(deployment: DeploymentEntry, opened: Open) -> DeploymentForm:
    typed = opened.typed
    if typed is not None:
        return form_of(typed, opened.do == "complete", opened.error, deployment)
    price = deployment.credits_per_replica_hour
    return DeploymentForm(
        is_new=opened.do == "complete",
        version=deployment.version,
        version_is_fixed=True,
        hardware=deployment.hardware,
        price="" if price is None else amount_text(price),
        endpoint=deployment.endpoint,
        protocol=deployment.protocol,
        upstream_model=deployment.upstream_model,
        has_credential=deployment.has_credential,
    )


def form_of(
    typed: Mapping[str, str],
    is_new: bool,
    error: str,
    deployment: DeploymentEntry | None = None,
    next_version: str = "",
) -> DeploymentForm:
    """What was typed; never the credential."""
    return DeploymentForm(
        is_new=is_new,
        version=deployment.version if deployment else typed.get("version", ""),
        version_is_fixed=deployment is not None,
        hardware=typed.get("hardware", ""),
        price=typed.get("price", ""),
        replicas=typed.get("replicas", "1"),
        on=typed.get("on", ""),
        endpoint=typed.get("endpoint", ""),
        protocol=typed.get("protocol", ""),
        upstream_model=typed.get("upstream_model", ""),
        has_credential=deployment is not None and deployment.has_credential,
        error=error,
        lost_credential=bool(typed.get("credential", "").strip()),
    )
