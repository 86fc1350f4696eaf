"""The price list of hardware: what a replica costs an hour, since when, and before. Owners change it, all see it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modeltraces.api.errors import Problem
from modeltraces.api.identity import Forbidden, Identity
from modeltraces.api.state import parts_of
from modeltraces.catalog.amounts import amount_text, parse_amount
from modeltraces.catalog.errors import CatalogError, CatalogUnavailable
from modeltraces.catalog.hosting import hardware
from modeltraces.catalog.hosting.hardware import Hardware, Price
from modeltraces.catalog.model_entries import DeploymentEntry
from modeltraces.catalog.models import ModelEntry
from modeltraces.run import now_us
from modeltraces.web.address import HARDWARE, model_path, with_query
from modeltraces.web.catalog_contexts import HardwareForm, HardwareLine, HardwarePage, PriceLine
from modeltraces.web.catalog_forms import amount, moment, refusal, typed
from modeltraces.web.contexts import Option
from modeltraces.web.deployment_cards import anchor, label_of
from modeltraces.web.formatting import count
from modeltraces.web.guard import PageAdmin, PageReader, PageRoute
from modeltraces.web.shell import shell, zone
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_DEPLOYMENTS_SHOWN: Final = 4


@router.get(HARDWARE)
async def show_prices(request: Request, identity: PageReader) -> Response:
    return await _page(request, identity)


@router.post(HARDWARE)
async def change_prices(request: Request, identity: PageAdmin) -> Response:
    """Does what the address' `do` says. Raises Forbidden for all but owners."""
    if identity.role != "owner":
        raise Forbidden(f"Your role ({identity.role}) does not allow this. Only an owner changes prices.")
    parts, query = parts_of(request), request.query_params
    do, named = query.get("do", ""), query.get("name", "")
    given = await typed(request)
    name = given.get("name", "") if do == "add" else named
    of, look_up = (parts.catalog, identity.account_id), parts.workers.look_up
    try:
        if do in ("add", "price"):
            price = parse_amount(given.get("price", ""), "The price")
            # Of hardware that somebody removed in the meantime, a new price would put it back on the list.
            say = hardware.set_price if do == "add" else hardware.change_price
            name = (await look_up(say, *of, name, price, actor=identity.actor)).name
        elif do == "remove":
            await look_up(hardware.remove, *of, name, actor=identity.actor)
        else:
            raise Problem(404, "There is nothing of that name to be done to hardware.")
    except CatalogUnavailable:
        raise
    except CatalogError as error:
        says, status = refusal(error)
        return await _page(request, identity, HardwareForm(name, given.get("price", ""), says), status=status)
    return RedirectResponse(HARDWARE if do == "remove" else f"{HARDWARE}#{_anchor(name)}", 303)


async def _page(
    request: Request, identity: Identity, refused: HardwareForm | None = None, *, status: int = 200
) -> Response:
    parts, query = parts_of(request), request.query_params
    found = await parts.workers.look_up(hardware.list_hardware, parts.catalog, identity.account_id)
    entries = await parts.workers.look_up(parts.registry.list_models, identity.account_id, archived=True)
    used = _by_hardware(entries)
    may_change = identity.role == "owner"
    do, name = query.get("do", ""), query.get("name", "")

    def line(one: Hardware) -> HardwareLine:
        here, now = zone(request), now_us()
        on_it = used.get(one.name, [])
        editing = may_change and do == "price" and one.name == name
        latest = one.prices[-1]
        return HardwareLine(
            name=one.name,
            anchor=_anchor(one.name),
            price=amount(latest.credits_per_replica_hour),
            since=moment(latest.from_us, here, now),
            actor=latest.actor,
            earlier=tuple(
                PriceLine(amount(price.credits_per_replica_hour), moment(price.from_us, here, now), price.actor)
                for price in reversed(one.prices[:-1])
            ),
            deployments=tuple(
                Option(
                    f"{entry.name}@{label_of(deployment)}",
                    f"{model_path(entry.name)}#{anchor(deployment.version, deployment.merged_from)}",
                )
                for entry, deployment in on_it[:_DEPLOYMENTS_SHOWN]
            ),
            more_deployments=max(0, len(on_it) - _DEPLOYMENTS_SHOWN),
            kept_notice=_kept_notice([deployment for _, deployment in on_it], latest),
            price_href=_doing("price", one.name) if may_change else "",
            remove_href=_doing("remove", one.name) if may_change and not on_it else "",
            form=(refused or HardwareForm(one.name, amount_text(latest.credits_per_replica_hour))) if editing else None,
            error=refused.error if refused and not editing and one.name == name else "",
        )

    lines = tuple(line(one) for one in found)
    page = HardwarePage(
        shell=shell(request, identity, "Hardware", HARDWARE),
        hardware=lines,
        may_change=may_change,
        form=(refused or HardwareForm()) if may_change and do == "add" else None,
        # Of hardware that somebody removed in the meantime there is no line to say it beside.
        error=refused.error if refused and do != "add" and name not in {one.name for one in found} else "",
    )
    return html(request, "hardware.html", page, status=status)


def _doing(do: str, name: str) -> str:
    return f"{with_query(HARDWARE, [('do', do), ('name', name)])}#{_anchor(name)}"


def _by_hardware(entries: Sequence[ModelEntry]) -> dict[str, list[tuple[ModelEntry, DeploymentEntry]]]:
    used: dict[str, list[tuple[ModelEntry, DeploymentEntry]]] = {}
    for entry in entries:
        for deployment in entry.deployments:
            if deployment.hardware:
                used.setdefault(deployment.hardware, []).append((entry, deployment))
    return used


def _kept_notice(deployments: Sequence[DeploymentEntry], latest: Price) -> str:
    """Of those that are up at the list's price, how many are charged at an earlier one."""
    kept: list[Decimal | None] = [
        one.intervals[-1].credits_per_replica_hour
        for one in deployments
        if one.replicas and one.credits_per_replica_hour is None
    ]
    others = [price for price in kept if price != latest.credits_per_replica_hour]
    if not others:
        return ""
    what = f"{count(len(others))} open interval{'s' if len(others) > 1 else ''}"
    at = ", ".join(sorted({"no price" if price is None else amount(price) for price in others}))
    return f"{what} still at {at}, until scaled or redeployed"


def _anchor(name: str) -> str:
    return f"hardware-{quote(name, safe='')}"
