"""One call on its way: sent to one upstream, and to the next when that one fails before the caller has seen anything."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from modeltraces.gateway import headers as passing
from modeltraces.gateway.asked import Asked
from modeltraces.gateway.calls import address_of_call
from modeltraces.gateway.connection import UpstreamConnection
from modeltraces.gateway.errors import Refused
from modeltraces.gateway.exchange import Attempt, Exchange
from modeltraces.gateway.recorder import LARGE_BYTES
from modeltraces.gateway.relay import Relay
from modeltraces.gateway.routing import Router, is_worth_another, retry_after_seconds
from modeltraces.gateway.targets import Target
from modeltraces.gateway.timeouts import Timeouts
from modeltraces.gateway.upstream_errors import OverTime, UpstreamError
from modeltraces.gateway.upstreams import Limit, Upstreams
from modeltraces.gateway.usage import UsageAsking, beginning_of, is_about_usage, is_refusal

FALLBACKS: Final = Counter(
    "modeltraces_gateway_fallbacks",
    "Attempts of calls that failed and were followed by another, by reason.",
    ["reason"],
)

_LEAST_SECONDS: Final = 0.05
"""Less time than this for an attempt is none: the client's own clock may say a moment early that the call's time is over."""


@dataclass(slots=True)
class Forwarding:
    upstreams: Upstreams
    timeouts: Timeouts
    router: Router
    usage: UsageAsking
    account_id: str
    asked: Asked
    credential_of: Callable[[Target], str]
    """Raises Refused."""
    exchange: Exchange | None
    relay: Relay
    is_routed: bool
    """Whether somebody said how the model's calls are spread: then each attempt is recorded."""
    _ends: float = 0.0

    async def run(self, targets: Sequence[Target]) -> None:
        """Until the answer's last byte is passed. Raises Refused when there is none, whatever broke it when it had begun."""
        self._ends = time.monotonic() + self.timeouts.total
        limit = self.timeouts.whole
        try:
            for target in targets[:-1]:
                if await self._attempt(target, limit, may_fail=True):
                    return
                limit = self.timeouts.of_attempt(self._ends - time.monotonic())
            await self._attempt(targets[-1], limit, may_fail=False)
        except asyncio.CancelledError:
            if self.relay.has_caller_left:
                self.relay.record(client_left=True)
            else:
                self.relay.break_off("The server was stopped in the middle of the call.")
            raise
        except Exception:
            # Whatever it is, the caller saw the call fail: there is one run that says so.
            self.relay.break_off("The gateway failed in the middle of the call.")
            raise

    async def _attempt(self, target: Target, limit: Limit, *, may_fail: bool) -> bool:
        """Whether the call has ended with it. With `may_fail`, a failure that the caller saw nothing of is no end."""
        exchange = self.exchange
        if exchange is not None:
            exchange.target = target
            if self.is_routed:
                exchange.attempts.append(Attempt(target.place, exchange.elapsed_ms))
        try:
            ended = await self._sent(target, limit, may_fail=may_fail)
            if ended is None:
                left = self.timeouts.of_attempt(self._ends - time.monotonic())
                ended = await self._sent(target, left, may_fail=may_fail)
            return ended is not False
        except (UpstreamError, TimeoutError, OSError, Refused) as error:
            return self._broke(target, error, may_fail=may_fail)

    async def _sent(self, target: Target, limit: Limit, *, may_fail: bool) -> bool | None:
        """Whether the call has ended with it. None: the upstream refused to be asked for usage, and is not asked again."""
        asked = self.asked
        asks_usage = self.usage.may(self.account_id, target)
        if len(asked.body) > LARGE_BYTES:
            body, strips_usage = await asyncio.to_thread(asked.prepared, target, asks_usage=asks_usage)
        else:
            body, strips_usage = asked.prepared(target, asks_usage=asks_usage)
        address = address_of_call(target, asked.path, asked.query)
        sent = passing.to_upstream(asked.headers, target.protocol, self.credential_of(target))
        answer = await self.upstreams.send(asked.method, address, sent, body, limit, self.relay.begin)
        try:
            if answer.status < 200:
                raise Refused(502, f"The upstream answered HTTP {answer.status}, which is no answer.")
            if self.is_routed and not self._is_good(target, answer, may_fail):
                return False
            beginning = b""
            if strips_usage and is_refusal(answer):
                beginning = await beginning_of(answer)
                if is_about_usage(beginning):
                    self.usage.refused(self.account_id, target)
                    return None
            await self.relay.pass_on(answer, strips_usage, beginning)
        finally:
            self.upstreams.give_back(address, answer)
        return True

    def _is_good(self, target: Target, answer: UpstreamConnection, may_fail: bool) -> bool:
        """Whether the answer is for the caller; False when another target may be tried."""
        status = answer.status
        if not is_worth_another(status):
            self.router.answered(self.account_id, target)
            return True
        self.router.failed(
            self.account_id, target, retry_after_seconds(passing.value_of(answer.headers, "retry-after") or None)
        )
        return not (may_fail and self._goes_on(str(status), status=status))

    def _broke(self, target: Target, error: Exception, *, may_fail: bool) -> bool:
        """False when another target may be tried. Raises Refused, or the error of an answer that had begun."""
        status, message = (
            (error.status, error.message)
            if isinstance(error, Refused)
            else self.timeouts.explained(error, has_begun=self.relay.has_body)
        )
        if self.is_routed and not self.relay.has_begun:
            self.router.failed(self.account_id, target, None)
            if may_fail and self._goes_on("timeout" if status == 504 else "error", error=message):
                return False
        if self.relay.break_off(message):
            return True
        if self.relay.has_begun:
            raise error
        # It was recorded: whoever got the error finds its run.
        recorded = {"x-request-id": self.exchange.request_id} if self.exchange is not None else None
        # Time that is over was spent on all of them.
        is_its_own = target.place and not isinstance(error, OverTime | TimeoutError)
        raise Refused(
            status, f"{message} That was {target.model}@{target.place}." if is_its_own else message, recorded
        ) from error

    def _goes_on(self, reason: str, *, status: int | None = None, error: str = "") -> bool:
        """Whether there is time for another target; the attempt at this one has ended then."""
        if time.monotonic() >= self._ends - _LEAST_SECONDS:
            return False
        FALLBACKS.labels(reason).inc()
        if self.exchange is not None:
            self.exchange.attempts[-1].end(self.exchange.elapsed_ms, status, error)
        return True
