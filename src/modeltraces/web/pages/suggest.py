"""Suggestions for the filter line and the builder. Never more than a convenience: what fails here fails quietly."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from modeltraces.web.address import MODEL_TRACES
from modeltraces.web.guard import PageReader, PageRoute
from modeltraces.web.suggestions import fields_for, place_of, values_for

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(MODEL_TRACES + "/suggest")
async def suggest(request: Request, identity: PageReader, text: str = "", caret: int = -1) -> Response:
    """`{start, end, items: [{insert, label, hint}]}`: what could stand in place of `text[start:end]`."""
    place = place_of(text, caret if caret >= 0 else len(text))
    items = fields_for(place) if place.field is None else values_for(place, ())
    return JSONResponse(
        {
            "start": place.start,
            "end": place.end,
            "items": [{"insert": item.insert, "label": item.label, "hint": item.hint} for item in items],
        }
    )
