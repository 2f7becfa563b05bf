"""Receipts: what became of an alert at whoever was told, brought into the bus as the event grid.alert.receipted.

    POST /alerts/{alert_id}/receipts
    {"event_id": "0e2b6c1e-...", "kind": "SEEN", "ago_ms": 1200}
    {"event_id": "5a1f9d34-...", "kind": "ACTED", "outcome": "VISITED"}

event_id    a UUID that the client makes when it happens and sends again with every retry: readers tell repeats by it
kind        RECEIVED (a device has it), SEEN (a person has seen it) or ACTED
outcome     VISITED, PHONED, ISOLATED or OTHER; only with ACTED
ago_ms      how long ago it happened by the client's own clock, a day at most: clocks are wrong, differences are right

202 means that it is in the log for certain and will not be refused there, because it is checked against its contract
first. 400, 403, 413, 415 and 422 say what to mend; the same request will not do. After 429, 503, or no answer, the same
event is sent again with the same event_id, not before Retry-After.

Who was not told of an alert never answers it: nobody is refused, or taken for early, before this process has read what
the log holds; as long as it cannot, it answers 503. An alert that nobody has heard of may be answered: the alert's duty
waits for it. But since that costs memory there, a subject may do so EARLY times in EARLY_S seconds, then it is 429.
"""

import asyncio
import re
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import structlog
from aiohttp import web

from connectors.base import Publisher
from connectors.gateway.allowance import Allowance
from connectors.gateway.app import Gate
from streams.contract.version import Version
from streams.declaration import suggestion
from streams.errors import HaiheError, Rejection, SystemFailure
from streams.observe.metrics import METRICS, Metrics

_log = structlog.get_logger(__name__)

EVENT = "grid.alert.receipted"
PUBLISHER = "jinzhitong"
TOPIC = f"in.{PUBLISHER}.{EVENT}"
"""The grid workers' app publishes, as everybody does, where intake reads."""

KINDS = ("RECEIVED", "SEEN", "ACTED")
OUTCOMES = ("VISITED", "PHONED", "ISOLATED", "OTHER")

MAX_BODY = 4096
MAX_AGO_MS = 24 * 3600 * 1000

EARLY = 20
EARLY_S = 600
"""How many receipts a subject may send for alerts that nobody knows, in how long; the flow keeps them as long."""

_BODY_S = 10.0
_AGAIN = "send it again with the same event_id, and ago_ms counted anew"
_RETRY_S = 5
_UNSURE = "the bus has not acknowledged it"
_KEYS = ("event_id", "kind", "outcome", "ago_ms")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Receipt(NamedTuple):
    """What a client said."""

    event_id: str
    kind: str
    outcome: str | None
    ago_ms: int


def parse(body: bytes) -> Receipt:
    """The receipt in a request's body. Raises ValueError, whose text tells the client what to mend."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError('the body is not JSON; send {"event_id": "...", "kind": "SEEN"}') from None
    if not isinstance(said, dict):
        raise ValueError('the body must be a JSON object: {"event_id": "...", "kind": "SEEN"}')
    for name in said:
        if name not in _KEYS:
            raise ValueError(f"unknown key `{name[:40]}`{suggestion(name, _KEYS)}")
    event_id, kind = said.get("event_id"), said.get("kind")
    outcome, ago_ms = said.get("outcome"), said.get("ago_ms", 0)
    if not isinstance(event_id, str) or not _UUID.fullmatch(event_id):
        raise ValueError(
            "event_id must be a UUID of 36 characters: make one when it happens, send the same with every retry"
        )
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    if outcome is not None and outcome not in OUTCOMES:
        raise ValueError(f"outcome must be null or one of {', '.join(OUTCOMES)}")
    if outcome is not None and kind != "ACTED":
        raise ValueError(f"outcome is for ACTED only: leave it out with {kind}")
    if not isinstance(ago_ms, int) or isinstance(ago_ms, bool) or not 0 <= ago_ms <= MAX_AGO_MS:
        raise ValueError(
            f"ago_ms must be a whole number from 0 to {MAX_AGO_MS}: how many milliseconds ago it happened; "
            "send the nearest of the two when your clock was changed meanwhile or it is longer ago"
        )
    # A UUID means the same in capitals (RFC 9562), a key of Kafka does not.
    return Receipt(event_id.lower(), kind, outcome, ago_ms)


class Receipts:
    """Takes receipts for `gate`. `latest` gives the contract's newest released version; it may raise ConfigError.
    `clock` is in seconds and only goes forward."""

    def __init__(
        self,
        gate: Gate,
        publisher: Publisher,
        latest: Callable[[], Version],
        metrics: Metrics = METRICS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gate = gate
        self._publisher = publisher
        self._latest = latest
        self._metrics = metrics
        self._early = Allowance(EARLY, EARLY_S, clock)

    def add(self, app: web.Application) -> None:
        """The route of the module."""
        app.router.add_post("/alerts/{alert_id}/receipts", self._post)

    async def _post(self, request: web.Request) -> web.Response:
        kind, status = "unknown", "gone"  # when the client leaves before it is answered
        try:
            subject = self._gate.access.acting(request).subject
            alert_id, receipt = await _read(request)
            kind = receipt.kind
            await self._admit(subject, alert_id)
            await self._write(subject, alert_id, receipt)
            status = "202"
            return web.json_response({"event_id": receipt.event_id}, status=202)
        except web.HTTPException as refused:
            status = str(refused.status)
            raise
        finally:
            self._metrics.receipts.labels(kind, status).inc()

    async def _admit(self, subject: str, alert_id: str) -> None:
        """Returns when the alert's answer is the subject's to give. Raises the HTTPException that says why not."""
        gate = self._gate
        if gate.may_answer(subject, alert_id):
            return
        # Another process may have told him of a step that we have not read: a refusal would be for good.
        if not await gate.caught_up():
            raise _unavailable("this gateway cannot say yet whether you were told of this alert")
        may = gate.may_answer(subject, alert_id)
        if may is False:
            raise web.HTTPForbidden(text="you were not told of this alert, so its answer is not yours to give")
        if may is None and (wait_s := self._early.take(subject)):
            raise web.HTTPTooManyRequests(
                text=f"nobody knows this alert, nor those that you answered lately: {_AGAIN}",
                headers={"Retry-After": str(wait_s)},
            )

    async def _write(self, subject: str, alert_id: str, receipt: Receipt) -> None:
        now_ms = int(self._gate.access.clock() * 1000)
        event = {
            "event_id": receipt.event_id,
            "occurred_at": now_ms - receipt.ago_ms,
            "publisher": PUBLISHER,
            "alert_id": alert_id,
            "kind": receipt.kind,
            "addressee": subject,
            "outcome": receipt.outcome,
        }
        try:
            version = self._latest()
            value = version.encode(event)
            key = version.check(value, PUBLISHER, now_ms)
        except (HaiheError, ValueError) as error:  # the fault is ours, and neither text quotes a value
            _log.error("a receipt could not be made into an event", reason=str(error))
            raise _unavailable(_UNSURE) from None
        if isinstance(key, Rejection):
            raise web.HTTPUnprocessableEntity(
                text=msgspec.json.encode(key._asdict()).decode(), content_type="application/json"
            )
        try:
            await self._publisher.publish(key.decode(), value)
        except SystemFailure:
            raise _unavailable(_UNSURE) from None


async def _read(request: web.Request) -> tuple[str, Receipt]:
    """The alert's id and the receipt. Raises the HTTPException that says what is wrong with them."""
    alert_id = request.match_info["alert_id"]
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send JSON, as Content-Type: application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for some in request.content.iter_any():
                body += some
                if len(body) > MAX_BODY:
                    raise web.HTTPRequestEntityTooLarge(
                        MAX_BODY, len(body), text=f"a receipt has at most {MAX_BODY} bytes"
                    )
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body did not come in time: send it again") from None
    if not _UUID.fullmatch(alert_id):
        raise web.HTTPBadRequest(text="alert_id in the address must be a UUID of 36 characters, as the alert has it")
    try:
        return alert_id.lower(), parse(bytes(body))
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def _unavailable(why: str) -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(text=f"{why}: {_AGAIN}", headers={"Retry-After": str(_RETRY_S)})
