"""One client's stream: a place in its addressee's inbox, nothing else. There is no queue per client: what a slow one
has not read yet stays in the inbox, which all its readers share, so slow clients cost nothing and delay nobody.

The id before each event is the client's own position in every partition after that event, so wherever the stream
breaks, resuming from the last id gives exactly the rest. Only the last event at hand carries the position of the whole
index: everything below that has been sent or was for somebody else.
"""

import asyncio
import time

from connectors.base import Positions
from connectors.gateway.alert import Alert
from connectors.gateway.index import Inbox, Index
from connectors.gateway.place import Places, advanced, merged
from streams.observe.metrics import Metrics

CHUNK = 64
"""Events that are written at once: bounds what a resuming client makes us hold (about 60 kB)."""


class Behind(Exception):
    """The index has forgotten events that this client has not been sent: it must connect again and gets a reset."""


class Connection:
    """Made and used on the event loop. `positions` is where the client stopped, or None: it starts afresh."""

    __slots__ = (
        "_afresh", "_beat", "_begun", "_index", "_live_from", "_metrics", "_next", "_place", "_places", "_positions",
        "_waiter", "closed", "inbox",
    )  # fmt: skip

    def __init__(
        self, index: Index, inbox: Inbox, places: Places, positions: Positions | None, metrics: Metrics
    ) -> None:
        self._index = index
        self.inbox = inbox
        self._places = places
        self._metrics = metrics
        self._afresh: list[Alert] | None = None
        if positions is None:
            self._afresh = list(inbox.open.values())
            self._next = inbox.end
            positions = index.positions
        else:
            self._next = inbox.first
        self._positions = positions
        self._place: Positions | None = None
        self._begun = False
        self._live_from = inbox.end
        self._waiter: asyncio.Future[None] | None = None
        self._beat = True
        self.closed = False

    def wake(self) -> None:
        """There is news in the inbox."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def beat(self) -> None:
        """Makes the next pending() say something even without news, so that dead connections and idle places show."""
        self._beat = True
        self.wake()

    def close(self) -> None:
        """Ends news(); whoever serves the connection sees `closed`."""
        self.closed = True
        self.wake()

    async def news(self) -> None:
        """Returns when pending() may have something, or at once when it does."""
        if self.closed or self._beat or self._afresh is not None or self._next < self.inbox.end:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def pending(self) -> bytes:
        """The next bytes for the client, at most CHUNK events; empty when there is nothing to say.

        Raises Behind.
        """
        if self._afresh is not None:
            return self._reset(self._afresh)
        out: list[bytes] = []
        while not out and self._next < self.inbox.end:
            out = self._events()
        if self._beat and not out:
            self._positions = merged(self._positions, self._index.positions)
            out = [b":\n", self._id(), b"\n"] if self._positions is not self._place else [b":\n\n"]
        self._beat = False
        return b"".join(out)

    def _events(self) -> list[bytes]:
        inbox = self.inbox
        if self._next < inbox.first:
            raise Behind
        start = self._next - inbox.first
        some = inbox.events[start : start + CHUNK]
        first, self._next = self._next, self._next + len(some)
        send = [
            (number, alert)
            for number, alert in enumerate(some, first)
            if alert.offset >= self._positions[alert.partition]
        ]
        now = time.time()
        out: list[bytes] = []
        for number, alert in send:
            self._positions = advanced(self._positions, alert.partition, alert.offset)
            if alert is send[-1][1] and self._next == inbox.end:
                self._positions = merged(self._positions, self._index.positions)
            out += (self._id(), alert.frame)
            if number >= self._live_from:
                # What a client catches up on says how long it was away, not how fast we are.
                self._metrics.sse_latency.observe(max(0.0, now - alert.timestamp / 1000))
        self._metrics.sse_events.inc(len(send))
        return out

    def _reset(self, left: list[Alert]) -> bytes:
        """`reset`, then what is open. Only the last of it has an id: before that there is nothing to resume from, a
        client that drops out in the middle must start afresh again."""
        out: list[bytes] = []
        if not self._begun:
            self._begun = True
            out.append(b'event: reset\ndata: {"open":%d}\n\n' % len(left))
        some, self._afresh = left[:CHUNK], left[CHUNK:] or None
        out += [alert.frame for alert in some]
        self._metrics.sse_events.inc(len(some))
        if self._afresh is None:
            out.insert(len(out) - 1, self._id())
        self._beat = False
        return b"".join(out)

    def _id(self) -> bytes:
        self._place = self._positions
        return self._places.line(self._positions)
