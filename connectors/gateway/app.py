"""The gateway's HTTP: the stream of a grid worker's alerts, and what tells a supervisor how the process is.

    GET /grid-workers/{id}/alerts     server-sent events (HTML living standard, section 9.2); also desks
    GET /metrics /healthz /readyz

401 says who are you (no token, or one that is over), 403 not yours. A stream ends with its token, in good order: the
client comes back with the next one (access.py). One that connects before the index is built is held until it is: an
EventSource gives up for good on any answer but 200.
"""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from connectors.base import Source
from connectors.gateway.access import Access
from connectors.gateway.connection import Behind, Connection
from connectors.gateway.ends import Ends
from connectors.gateway.hub import Hub
from connectors.gateway.place import reaches
from streams.errors import SystemFailure

SLOW_S = 20
"""A client that does not take a write for so long is disconnected; it resumes from its last id."""

_READY_S = 60
_CATCH_UP_S = 5.0
_LOOK_S = 0.05
_DEAD_PEER_MS = 30_000
_SEND_BUFFER = 64 * 1024

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
"""On every answer: nothing of it is for caches (the pages' files say otherwise), sniffers, frames or other sites."""

EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
"""On an answer that is a stream."""


class Gate:
    """Serves one hub. `source` answers how far the log goes; `limit` is how many streams this process can hold, those
    of the screens too."""

    def __init__(self, hub: Hub, source: Source, access: Access, limit: int) -> None:
        self.hub = hub
        self.access = access
        self._source = source
        self._ends = Ends(source)
        self._limit = limit
        self._streams = 0

    def app(self) -> web.Application:
        """The routes of the gateway, without pages."""
        app = web.Application()
        app.on_response_prepare.append(_headers)
        self.access.add(app)
        app.router.add_get("/grid-workers/{id}/alerts", self.alerts)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        return app

    def subject(self, request: web.Request) -> str | None:
        """Who is asking, by bearer token or cookie; None when nobody we know."""
        claim = self.access.find(request)
        return None if claim is None else claim.subject

    def may_answer(self, subject: str, alert_id: str) -> bool | None:
        """Whether `subject` was ever told of the alert, as far as we have read; None when we do not know the alert."""
        if not self.hub.ready.is_set():
            return None
        told = self.hub.index.told(alert_id)
        return None if told is None else subject in told

    async def caught_up(self) -> bool:
        """Returns when the index has all that the log held when this was called; False when that cannot be told, or
        takes too long."""
        if not self.hub.ready.is_set():
            return False
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                ends = await self._ends.now()
                if ends is None:
                    return False
                while not reaches(self.hub.index.positions, ends):  # noqa: ASYNC110  # once in a long while
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            return False
        return True

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Entered when a stream may begin, left when it is over. Raises HTTPServiceUnavailable when there is no room,
        or nothing to show."""
        if self._streams >= self._limit:
            raise web.HTTPServiceUnavailable(text="this gateway is full", headers={"Retry-After": "5"})
        # Who waits has his place already: after a restart all wait together, and all are let in at the same moment.
        self._streams += 1
        try:
            await self._shown()
            yield
        finally:
            self._streams -= 1

    async def alerts(self, request: web.Request) -> web.StreamResponse:
        """The stream. `Last-Event-ID`, or else `?last_event_id=`, says where to go on. It ends with its token."""
        subject, expires, _ = self.access.claim(request)
        if subject != request.match_info["id"]:
            raise web.HTTPForbidden(text="these are not your alerts")
        async with self.admitted():
            return await self._stream(request, subject, expires)

    async def _shown(self) -> None:
        try:
            await asyncio.wait_for(self.hub.ready.wait(), _READY_S)
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text="the index is being built", headers={"Retry-After": "5"}) from None

    async def _stream(self, request: web.Request, subject: str, expires: int) -> web.StreamResponse:
        # A client that reconnects by itself sends the header; the query is then where its first connection began.
        place = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
        positions = self.hub.places.parse(place)
        if positions is not None and not reaches(self.hub.index.positions, positions):
            # Ahead of us: it was told by another gateway process. Beyond the log's end: told by nobody.
            try:
                ends = await asyncio.to_thread(self._source.ends)
            except SystemFailure:
                raise web.HTTPServiceUnavailable(text="the log does not answer", headers={"Retry-After": "5"}) from None
            positions = positions if reaches(ends, positions) else None
        response = web.StreamResponse(headers=EVENT_STREAM)
        tune(request)
        await response.prepare(request)
        connection = self.hub.join(subject, positions)
        # An orderly end: an EventSource comes back by itself, with the cookie that it has by then.
        over = asyncio.get_running_loop().call_later(expires - self.access.clock(), connection.close)
        try:
            await self._serve(connection, response)
        except (Behind, TimeoutError, ConnectionError):
            # Each means the same: this stream is over, the client resumes from its last id.
            if request.transport is not None:
                request.transport.abort()
        finally:
            over.cancel()
            self.hub.leave(connection)
        return response

    async def _serve(self, connection: Connection, response: web.StreamResponse) -> None:
        # After a restart all come back: not at the same moment.
        await response.write(b"retry: %d\n\n" % random.randint(500, 2500))
        while not connection.closed:
            chunk = connection.pending()
            if chunk:
                async with asyncio.timeout(SLOW_S):
                    await response.write(chunk)
            else:
                await connection.news()

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        if self.hub.closing:
            return web.Response(status=503, text="stopping\n")
        if not self.hub.ready.is_set():
            return web.Response(status=503, text="the index is being built\n")
        return web.Response(text="ready\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        body = await asyncio.to_thread(generate_latest, self.hub.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def tune(request: web.Request) -> None:
    """Notices a peer that vanished without a word, and bounds what the kernel holds for one that reads slowly."""
    sock = request.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
