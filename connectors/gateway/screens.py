"""The screens: what the board shows of one division, pushed to the desks that watch it.

    GET /divisions/{code}/alerts      server-sent events `board`, whole snapshots: at once, then at most once a second
                                      when something has changed

A desk sees its own division and those that lie in it; 403 for others and for grid workers, 404 for a division that does
not exist. No names, phones or addresses. A snapshot is drawn once, however many watch: each gets it behind his own path
from his division down. Who reads slowly misses snapshots, never the newest. There is nothing to resume: no ids.
"""

import asyncio
import random
from contextlib import suppress
from typing import Any, TypedDict

import msgspec
from aiohttp import web

from connectors.gateway.app import EVENT_STREAM, SLOW_S, Gate, tune
from connectors.gateway.board import Board
from connectors.gateway.hub import HEARTBEAT_S
from connectors.gateway.tally import Counts
from streams.contract.division import Divisions

EVERY_S = 1.0
"""A division's snapshots are so far apart at least."""

MAX_ALERTS = 200
"""Of a community, the soonest due first."""

_DESK = "desk-"


class Named(TypedDict):
    """A division."""

    code: str
    name: str


class Screen:
    """One division as long as anybody watches it. `body` is the snapshot's JSON without its path, `number` counts them;
    `changed` is set, and replaced, when there is a newer one or when it is `over`."""

    def __init__(self, board: Board, divisions: Divisions, code: str) -> None:
        self._board = board
        self._divisions = divisions
        self._code = code
        self._tally = board.tally(code)
        self._stamp = -1
        self._drawn = b""
        self.body = b""
        self.number = 0
        self.watchers = 0
        self.changed = asyncio.Event()
        self.look()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    @property
    def over(self) -> bool:
        """Whether nothing more is drawn: closed, or failed."""
        return self._keeper.done()

    def close(self) -> None:
        """Draws no more."""
        self._keeper.cancel()

    def look(self) -> None:
        """Draws the division anew if it looks different now."""
        self._board.advance()
        if self._tally.stamp == self._stamp:
            return
        self._stamp = self._tally.stamp
        drawn = msgspec.json.encode(self._draw())
        if drawn != self._drawn:
            self._drawn = drawn
            self.body = b'"at":%d,%b' % (self._board.now, drawn[1:])
            self.number += 1
            self._wake()

    def _wake(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def _keep(self) -> None:
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                self.look()
        finally:
            self._wake()

    def _draw(self) -> dict[str, Any]:
        children = [self._named(code) | self._counts(code) for code in self._divisions.below[self._code]]
        alerts = [
            {
                "alert_id": id,
                "colour": stands.colour,
                "state": stands.state,
                "addressee": stands.addressee,
                "addressee_level": stands.level,
                "opened_at": stands.opened_at,
                "due_at": stands.due_at,
                "seen": stands.seen,
                "overdue": overdue,
            }
            for id, stands, overdue in self._board.first_due(self._code, MAX_ALERTS)
        ]
        return {
            "division": self._named(self._code),
            "counts": self._counts(self._code),
            "children": children,
            "alerts": alerts,
        }

    def _named(self, code: str) -> dict[str, Any]:
        return {"code": code, "name": self._divisions.name(code), "level": self._divisions.level(code)}

    def _counts(self, code: str) -> Counts:
        return self._board.tally(code).counts()


class Screens:
    """Shows the board of `gate`'s hub to the desks that it knows."""

    def __init__(self, gate: Gate, divisions: Divisions) -> None:
        self._gate = gate
        self._divisions = divisions
        self._screens: dict[str, Screen] = {}

    def add(self, app: web.Application) -> None:
        """The route of the module, and its end with the app."""
        app.router.add_get("/divisions/{code}/alerts", self._stream)
        app.on_shutdown.append(self._close)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        claim = self._gate.access.claim(request)
        code = request.match_info["code"]
        if not claim.subject.startswith(_DESK):
            raise web.HTTPForbidden(text="divisions are watched by desks")
        if not self._divisions.exists(code):
            raise web.HTTPNotFound(text="there is no such division")
        top = claim.subject.removeprefix(_DESK)
        if not code.startswith(top):
            raise web.HTTPForbidden(text="this division does not lie in yours")
        async with self._gate.admitted():
            return await self._show(request, code, top, claim.expires)

    async def _show(self, request: web.Request, code: str, top: str, expires: int) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENT_STREAM)
        tune(request)
        await response.prepare(request)
        path: list[Named] = [
            {"code": above, "name": self._divisions.name(above)}
            for above in self._divisions.above(code)
            if len(above) >= len(top)
        ]
        head = b'event: board\ndata: {"path":%b,' % msgspec.json.encode(path)
        screen = self._watch(code)
        try:
            await self._serve(screen, head, response, expires)
        except (TimeoutError, ConnectionError):
            # Too slow, or gone: the client comes back and gets what there is then.
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._leave(code, screen)
        return response

    async def _serve(self, screen: Screen, head: bytes, response: web.StreamResponse, expires: int) -> None:
        # After a restart all come back: not at the same moment.
        chunk = b"retry: %d\n\n" % random.randint(500, 2500)
        shown = 0
        while True:
            changed = screen.changed
            if screen.number != shown:
                shown = screen.number
                chunk = b"%b%b%b\n\n" % (chunk, head, screen.body)
            async with asyncio.timeout(SLOW_S):
                await response.write(chunk)
            left = expires - self._gate.access.clock()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(HEARTBEAT_S, left)):
                    await changed.wait()
            if screen.over or self._gate.access.clock() >= expires:
                return
            chunk = b"" if screen.number != shown else b":\n\n"

    def _watch(self, code: str) -> Screen:
        screen = self._screens.get(code)
        if screen is None or screen.over:
            screen = self._screens[code] = Screen(self._gate.hub.board, self._divisions, code)
        screen.watchers += 1
        return screen

    def _leave(self, code: str, screen: Screen) -> None:
        screen.watchers -= 1
        if not screen.watchers:
            screen.close()
            if self._screens.get(code) is screen:
                del self._screens[code]

    async def _close(self, app: web.Application) -> None:
        for screen in self._screens.values():
            screen.close()
