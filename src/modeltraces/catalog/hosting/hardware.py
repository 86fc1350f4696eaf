"""The price list of hardware. A price holds from an instant on; the ones before stay, for events entered for the past."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from modeltraces.catalog.amounts import amount_text, parse_amount
from modeltraces.catalog.changes import Change, changing
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Conflict, about
from modeltraces.catalog.tables import DeploymentRow, HardwarePriceRow, HardwareRow
from modeltraces.catalog.text import clean_name


@dataclass(frozen=True, slots=True)
class Price:
    from_us: int
    credits_per_replica_hour: Decimal
    actor: str


@dataclass(frozen=True, slots=True)
class Hardware:
    name: str
    prices: tuple[Price, ...]
    """Oldest first; there is always one."""
    created_on_us: int
    archived: bool

    @property
    def credits_per_replica_hour(self) -> Decimal:
        """The price of now."""
        return self.prices[-1].credits_per_replica_hour


def list_hardware(catalog: Catalog, account_id: str) -> list[Hardware]:
    """By name; archived ones too."""
    with catalog.session() as session:
        rows = session.scalars(
            select(HardwareRow).where(HardwareRow.account_id == account_id).order_by(HardwareRow.name)
        ).all()
        return [_hardware(session, row) for row in rows]


def set_price(catalog: Catalog, account_id: str, name: str, credits_per_replica_hour: Any, *, actor: str) -> Hardware:
    """Put hardware on the price list, or give it a new price from now on. The same price again changes nothing.

    Hosted intervals that are open keep the price they were opened with. Raises Invalid.
    """
    return offer(catalog, account_id, name, credits_per_replica_hour, actor=actor)[0]


def offer(
    catalog: Catalog, account_id: str, name: str, credits_per_replica_hour: Any, *, actor: str
) -> tuple[Hardware, bool]:
    """As `set_price`; and whether the hardware is new on the list."""
    with about("name"):
        name = clean_name(name, "The hardware's name")
    price = _price(credits_per_replica_hour)
    with changing(catalog, account_id, actor) as change:
        is_new = _row(change, name) is None
        return _hardware(change.session, put(change, name, price)), is_new


def change_price(
    catalog: Catalog, account_id: str, name: str, credits_per_replica_hour: Any, *, actor: str
) -> Hardware:
    """As `set_price`, of hardware that is on the list. Raises NotFound when it is not, or no longer."""
    price = _price(credits_per_replica_hour)
    with changing(catalog, account_id, actor) as change:
        return _hardware(change.session, put(change, change.hardware(name).name, price))


def _price(given: Any) -> Decimal:
    with about("credits_per_replica_hour"):
        return parse_amount(given, "credits_per_replica_hour")


def _row(change: Change, name: str) -> HardwareRow | None:
    return change.session.scalar(
        select(HardwareRow).where(HardwareRow.account_id == change.account_id, HardwareRow.name == name)
    )


def put(change: Change, name: str, price: Decimal) -> HardwareRow:
    """As `set_price`, in a change that is under way and with values that were checked."""
    change.seen.clear()
    row = _row(change, name)
    before, from_us = None, change.now_us
    if row is None:
        row = HardwareRow(
            id=str(uuid.uuid4()), account_id=change.account_id, name=name, created_on_us=change.now_us,
            archived_on_us=None,
        )  # fmt: skip
        change.session.add(row)
        change.session.flush()
    else:
        latest = _prices(change.session, row.id)[-1]
        before = {"credits_per_replica_hour": amount_text(latest.credits_per_replica_hour)}
        if latest.credits_per_replica_hour == price and row.archived_on_us is None:
            return row
        row.archived_on_us = None
        # A clock that went back must not put the new price behind the one that it replaces.
        from_us = max(from_us, latest.from_us)
    change.session.merge(
        HardwarePriceRow(
            hardware_id=row.id, from_us=from_us, credits_per_replica_hour=amount_text(price), actor=change.actor
        )
    )
    after = {"credits_per_replica_hour": amount_text(price)}
    change.record("hardware.price" if before else "hardware.add", f"hardware:{name}", before, after)
    change.session.flush()
    return row


def remove(catalog: Catalog, account_id: str, name: str, *, actor: str) -> None:
    """Take hardware off the price list. What was hosted on it keeps its price. Raises NotFound, or Conflict while used."""
    with changing(catalog, account_id, actor) as change:
        drop(change, change.hardware(name))


def drop(change: Change, row: HardwareRow) -> None:
    """As `remove`, in a change that is under way."""
    change.seen.clear()
    used = change.session.scalar(select(DeploymentRow.version).where(DeploymentRow.hardware_id == row.id).limit(1))
    if used is not None:
        raise Conflict(
            f"Deployments are on {row.name!r}. Give them other hardware first; their history keeps its price."
        )
    prices = _prices(change.session, row.id)
    change.session.delete(row)
    change.record(
        "hardware.remove",
        f"hardware:{row.name}",
        {"credits_per_replica_hour": amount_text(prices[-1].credits_per_replica_hour)},
    )
    change.session.flush()


def price_at(change: Change, hardware_id: str, at_us: int | None) -> Decimal:
    """The price that held then (None: the one of now); before the first one, the first."""
    prices: list[Price] | None = change.seen.get(("prices", hardware_id))
    if prices is None:
        prices = change.seen["prices", hardware_id] = _prices(change.session, hardware_id)
    if at_us is None:
        return prices[-1].credits_per_replica_hour
    held = [price for price in prices if price.from_us <= at_us]
    return (held[-1] if held else prices[0]).credits_per_replica_hour


def _prices(session: Session, hardware_id: str) -> list[Price]:
    rows = session.scalars(
        select(HardwarePriceRow).where(HardwarePriceRow.hardware_id == hardware_id).order_by(HardwarePriceRow.from_us)
    )
    return [Price(row.from_us, Decimal(row.credits_per_replica_hour), row.actor) for row in rows]


def _hardware(session: Session, row: HardwareRow) -> Hardware:
    return Hardware(row.name, tuple(_prices(session, row.id)), row.created_on_us, row.archived_on_us is not None)
