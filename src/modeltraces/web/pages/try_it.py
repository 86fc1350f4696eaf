"""Try it: a call to a model from the page Gateway, on behalf of one of the account's keys."""

from collections.abc import AsyncIterator
from typing import Final

import anyio
import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from modeltraces.api.identity import Forbidden
from modeltraces.api.state import gateway_of, parts_of
from modeltraces.catalog.errors import Invalid, NotFound
from modeltraces.catalog.key_authenticator import identity_of
from modeltraces.gateway.targets import SPOKEN, Family
from modeltraces.parts import Parts
from modeltraces.query.runs import get_run
from modeltraces.store.engine import StoreError
from modeltraces.web.address import GATEWAY, run_path
from modeltraces.web.called_for import TASKS, Task
from modeltraces.web.catalog_forms import typed
from modeltraces.web.guard import PageReader, PageRoute
from modeltraces.web.try_it import MOST_CHARACTERS, Trial, live_keys, may_try

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_STORED_SECONDS: Final = 5.0
"""That a run which was just recorded may take to the store, before its link is shown all the same."""
_LOOK_SECONDS: Final = 0.1
_NDJSON: Final = "application/x-ndjson"


@router.post(f"{GATEWAY}/try")
async def try_it(request: Request, identity: PageReader) -> Response:
    """The answer's events, one JSON object a line, as they come."""
    if not may_try(identity):
        raise Forbidden(
            "Your role (viewer) does not allow this: a call costs money. Ask an owner or admin of the account."
        )
    parts = parts_of(request)
    given = await typed(request)
    try:
        family, task = _family(given.get("family", "")), _task(given.get("task", "chat"))
        prompt = given.get("prompt", "")
        if not prompt.strip():
            raise Invalid("Type something to send.")
        if len(prompt) > MOST_CHARACTERS:
            raise Invalid(f"The prompt may have {MOST_CHARACTERS:,} characters here; send a longer one from a program.")
        live = await parts.workers.look_up(live_keys, parts, identity.account_id)
        key = next((one for one in live if one.id == given.get("key")), None)
        if key is None:
            raise NotFound("There is no such key that may call models in this account. Choose another.")
    except (Invalid, NotFound) as error:
        line = orjson.dumps({"error": str(error), "status": 0, "body": ""}) + b"\n"
        return Response(line, 404 if isinstance(error, NotFound) else 422, media_type=_NDJSON)
    trial = Trial(
        gateway_of(request), identity_of(key), family, task, given.get("model", ""), prompt, given.get("stream") == "1",
        identity.actor,
    )  # fmt: skip
    return StreamingResponse(
        _lines(parts, identity.account_id, trial), media_type=_NDJSON, headers={"X-Accel-Buffering": "no"}
    )


async def _lines(parts: Parts, account_id: str, trial: Trial) -> AsyncIterator[bytes]:
    async for event in trial.events():
        yield orjson.dumps(event) + b"\n"
    if trial.request_id and trial.key.limits.recording != "off":
        # A link that leads to nothing for a moment would read as a run that was lost.
        stored = await _is_stored(parts, account_id, trial.request_id)
        yield orjson.dumps({"run": run_path(trial.request_id), "is_stored": stored}) + b"\n"


async def _is_stored(parts: Parts, account_id: str, request_id: str) -> bool:
    with anyio.move_on_after(_STORED_SECONDS):
        while True:
            try:
                if await parts.workers.query(get_run, parts.store, account_id, request_id) is not None:
                    return True
            except StoreError:
                return False
            await anyio.sleep(_LOOK_SECONDS)
    return False


def _task(name: str) -> Task:
    for task in TASKS:
        if task == name:
            return task
    raise Invalid("The task must be chat or embeddings.")


def _family(name: str) -> Family:
    for family in SPOKEN:
        if family == name:
            return family
    raise Invalid("The API must be openai or anthropic.")
