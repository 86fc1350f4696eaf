"""What was refused lately, and why."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from modeltraces.api.state import parts_of
from modeltraces.run import now_us
from modeltraces.store.engine import Store
from modeltraces.web.account_contexts import RejectedPage, Rejection
from modeltraces.web.address import REJECTED
from modeltraces.web.contexts import Moment
from modeltraces.web.formatting import instant, iso
from modeltraces.web.guard import PageReader, PageRoute
from modeltraces.web.shell import shell, zone
from modeltraces.web.templating import html

router = APIRouter(route_class=PageRoute, include_in_schema=False)

MOST_SHOWN = 200


@router.get(REJECTED)
async def rejected(request: Request, identity: PageReader) -> Response:
    parts = parts_of(request)
    rows = await parts.workers.query(_last, parts.store, identity.account_id)
    here, now = zone(request), now_us()
    page = RejectedPage(
        shell=shell(request, identity, "Rejected", REJECTED),
        rejections=tuple(
            Rejection(Moment(instant(at_us, here, now_us=now), iso(at_us)), signal, reason, subject, key_name)
            for at_us, signal, reason, subject, key_name in rows
        ),
        most=MOST_SHOWN,
    )
    return html(request, "rejected.html", page)


def _last(store: Store, account_id: str) -> list[tuple[int, str, str, str, str]]:
    rows = store.query(
        "SELECT toUnixTimestamp64Micro(rejected_on), signal, reason, subject, key_name FROM rejections "
        "WHERE account_id = {account:String} ORDER BY rejected_on DESC LIMIT {most:UInt32}",
        {"account": account_id, "most": MOST_SHOWN},
        surface="page.rejected",
    )
    return [(int(at_us), str(a), str(b), str(c), str(d)) for at_us, a, b, c, d in rows]
