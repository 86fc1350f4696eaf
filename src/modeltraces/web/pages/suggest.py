"""Suggestions for the filter line and the builder, and the check of what the builder wrote.

Never more than a convenience: what fails here fails quietly.
"""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modeltraces.query.selection import SelectionError, parse_selection
from modeltraces.query.suggest import Suggestion, suggest
from modeltraces.run import now_us
from modeltraces.store.engine import StoreError
from modeltraces.web.address import MODEL_TRACES, Address
from modeltraces.web.filter_error import filter_error
from modeltraces.web.guard import PageReader, PageRoute
from modeltraces.web.shell import zone
from modeltraces.web.suggestions import Place, fields_for, place_of, values_for, wants_data
from modeltraces.web.view import View, view_of

log = structlog.get_logger(__name__)
router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(MODEL_TRACES + "/suggest")
async def suggestions(request: Request, identity: PageReader, text: str = "", caret: int = -1) -> Response:
    """`{start, end, items: [{insert, label, hint}]}`: what could stand in place of `text[start:end]`."""
    place = place_of(text, caret if caret >= 0 else len(text))
    if place.field is None:
        items = fields_for(place)
    else:
        found = await _found(await view_of(request, identity), place) if wants_data(place) else ()
        items = values_for(place, found)
    return JSONResponse(
        {
            "start": place.start,
            "end": place.end,
            "items": [{"insert": item.insert, "label": item.label, "hint": item.hint} for item in items],
        }
    )


@router.get(MODEL_TRACES + "/check")
async def check(request: Request, identity: PageReader) -> Response:
    """`{error: null}`, or `{error: {message, position, instead}}` for a `filter` that cannot be read."""
    address = Address(filter=request.query_params.get("filter", "").strip())
    asked = now_us()
    try:
        parse_selection([("filter", address.filter)], account_id=identity.account_id, now_us=asked)
    except SelectionError as wrong:
        found = filter_error(address, wrong, zone(request), asked)
        instead = found.instead[0].label if found.instead else ""
        error = {"message": wrong.message, "position": found.position, "instead": instead}
        return JSONResponse({"error": error})
    return JSONResponse({"error": None})


async def _found(view: View, place: Place) -> Sequence[Suggestion]:
    """Values of the models and the period that are shown, whatever the filter: it is just being written."""
    if view.selection is None:
        return ()
    everything = replace(view.selection, filter=None, filter_text="")
    prefix = place.typed.strip('"')
    try:
        return await view.parts.workers.query(suggest, view.parts.store, everything, view.context, place.name, prefix)
    except (StoreError, SelectionError) as error:
        log.warning("no suggestions", field=place.name, error=str(error))
        return ()
