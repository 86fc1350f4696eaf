"""From a deployment's events to hosted intervals, and from those to credits. Pure, and exact: integers and decimals.

Times are microseconds since the epoch, UTC; daylight saving does not exist here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Final, Literal

EventType = Literal["deploy", "scale", "undeploy"]

_US_PER_HOUR: Final = Decimal(3_600_000_000)
_EXACT: Final = Context(prec=60)
_MILLIONTH: Final = Decimal("0.000001")
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Event:
    type: EventType
    on_us: int
    replicas: int | None = None
    """None for `undeploy`."""
    credits_per_replica_hour: Decimal | None = None
    """The price that applied; None where none was known."""
    hardware: str = ""


class OutOfOrder(ValueError):
    """The events make no sense one after the other: this one, for the reason that the text tells."""

    def __init__(self, message: str, event: Event) -> None:
        super().__init__(message)
        self.event = event


@dataclass(frozen=True, slots=True)
class Interval:
    """So many replicas, at one price, from an instant to an instant; `to_us` is None while it is open."""

    from_us: int
    to_us: int | None
    replicas: int
    credits_per_replica_hour: Decimal | None
    hardware: str = ""


@dataclass(frozen=True, slots=True)
class Hosted:
    """What hosting amounts to in a period."""

    credits: Decimal | None
    """Exact to 1e-6; None where no price is known of anything that was up."""
    replica_us: int
    """Hosted replica time, in µs: two replicas for a second are two seconds."""
    unpriced_us: int = 0
    """That part of it of which no price is known; `credits` are of the rest."""
    credit_us: Decimal | None = field(default=None, repr=False, compare=False)
    """Credits per hour times µs, not rounded, so that many small parts add up to what they are."""


def intervals_of(events: Iterable[Event]) -> tuple[Interval, ...]:
    """The hosted intervals, oldest first. Raises OutOfOrder for events that do not follow from one another."""
    made: list[Interval] = []
    is_open = False
    previous: Event | None = None
    for event in sorted(events, key=lambda event: event.on_us):
        if previous is not None and previous.on_us == event.on_us:
            raise OutOfOrder(
                "there is another event at the same instant: choose another, or strike that one out", event
            )
        if event.type == "deploy" and is_open:
            raise OutOfOrder("it is up already at that time: scale it, or undeploy it first", event)
        if event.type == "scale" and not is_open:
            raise OutOfOrder("it is not up at that time: deploy it first", event)
        if event.type == "undeploy" and not is_open:
            raise OutOfOrder("it is not up at that time: choose a time at which it was", event)
        if is_open:
            last = made[-1]
            made[-1] = Interval(last.from_us, event.on_us, last.replicas, last.credits_per_replica_hour, last.hardware)
        is_open = event.type != "undeploy"
        if is_open:
            made.append(
                Interval(event.on_us, None, event.replicas or 1, event.credits_per_replica_hour, event.hardware)
            )
        previous = event
    return tuple(made)


def hosted(intervals: Iterable[Interval], from_us: int | None, to_us: int | None, now_us: int) -> Hosted:
    """The sum of overlap, times replicas, times price, over a period (from inclusive, to exclusive; None: without bound, up to now).

    No interval lasts beyond now: what is to come has not been hosted.
    """
    end = now_us if to_us is None else min(to_us, now_us)
    credit_us: Decimal | None = None
    replica_us = unpriced_us = 0
    is_priced = False
    for interval in intervals:
        price = interval.credits_per_replica_hour
        is_priced |= price is not None
        first = interval.from_us if from_us is None else max(interval.from_us, from_us)
        last = end if interval.to_us is None else min(interval.to_us, end)
        time_us = max(0, last - first) * interval.replicas
        replica_us += time_us
        if price is None:
            unpriced_us += time_us
        elif time_us:
            credit_us = _EXACT.add(credit_us or _NOTHING, _EXACT.multiply(Decimal(time_us), price))
    # Nothing up is nothing spent, where prices are known at all.
    return _hosted(_NOTHING if is_priced and not replica_us else credit_us, replica_us, unpriced_us)


def added(parts: Iterable[Hosted]) -> Hosted:
    """Several together, rounded once."""
    credit_us: Decimal | None = None
    replica_us = unpriced_us = 0
    for part in parts:
        replica_us += part.replica_us
        unpriced_us += part.unpriced_us
        share = part.credit_us
        if share is None and part.credits is not None:
            share = _EXACT.multiply(part.credits, _US_PER_HOUR)
        if share is not None:
            credit_us = _EXACT.add(credit_us or _NOTHING, share)
    return _hosted(credit_us, replica_us, unpriced_us)


def _hosted(credit_us: Decimal | None, replica_us: int, unpriced_us: int) -> Hosted:
    if credit_us is None:
        return Hosted(None, replica_us, unpriced_us)
    credits = _EXACT.quantize(_EXACT.divide(credit_us, _US_PER_HOUR), _MILLIONTH)
    return Hosted(credits, replica_us, unpriced_us, credit_us)
