"""The hub: takes alerts from the feed, keeps index and board, wakes those who listen. All on the event loop once it is
ready; before that the feed's thread fills both alone.
"""

import asyncio
import time
from collections.abc import Sequence

from connectors.base import Positions
from connectors.gateway.alert import Alert
from connectors.gateway.board import Board
from connectors.gateway.connection import Connection
from connectors.gateway.index import Index
from connectors.gateway.place import Places
from streams.observe.metrics import METRICS, Metrics

HEARTBEAT_S = 15
"""Every connection says something at least this often: proxies keep it open, and idle clients' places stay young."""

WINDOW_S = 23 * 3600
"""How far back a client can resume at most, to bound the index's memory."""

MARGIN_S = 3600
"""How much sooner than the log may drop records (24 h for views) we no longer count on them: loading takes time."""

_FORGET_EVERY_S = 60


def window_ms(keeps_ms: int | None) -> int:
    """How far back clients can resume after a restart, in ms, from a log that keeps everything for `keeps_ms`."""
    return WINDOW_S * 1000 if keeps_ms is None else max(0, min(WINDOW_S * 1000, keeps_ms - MARGIN_S * 1000))


class Hub:
    """A Sink of alerts. `ready` is set when index and board hold the whole topic."""

    def __init__(self, index: Index, board: Board, places: Places, metrics: Metrics = METRICS) -> None:
        self.index = index
        self.board = board
        self.places = places
        self.metrics = metrics
        self.ready = asyncio.Event()
        self.closing = False
        self._connections: dict[Connection, set[Connection]] = {}
        # One set for each second of the heartbeat's round; a connection stays in the one it joined.
        self._rounds: list[set[Connection]] = [set() for _ in range(HEARTBEAT_S)]

    def take(self, items: Sequence[Alert], positions: Positions) -> None:
        """See Sink.take. Before `ready` by the feed's thread, then only on the event loop."""
        for inbox in self.index.apply(items, positions):
            for listener in inbox.listeners:
                listener.wake()
        self.board.apply(items)
        self.metrics.open_alerts.set(self.index.open_alerts)

    def join(self, addressee: str, positions: Positions | None) -> Connection:
        """A new connection that goes on from `positions`; afresh when they are None or no longer resumable."""
        if positions is not None and not self.index.can_resume(positions):
            positions = None
        inbox = self.index.inbox(addressee)
        connection = Connection(self.index, inbox, self.places, positions, self.metrics)
        inbox.listeners.add(connection)
        turn = min(self._rounds, key=len)
        turn.add(connection)
        self._connections[connection] = turn
        self.metrics.connected_grid_workers.set(len(self._connections))
        if self.closing:
            connection.close()
        return connection

    def leave(self, connection: Connection) -> None:
        """The client is gone."""
        self._connections.pop(connection).discard(connection)
        connection.inbox.listeners.discard(connection)
        self.metrics.connected_grid_workers.set(len(self._connections))

    def __len__(self) -> int:
        return len(self._connections)

    def close(self) -> None:
        """Ends all connections: their clients resume elsewhere or later."""
        self.closing = True
        for connection in self._connections:
            connection.close()

    async def keep(self) -> None:
        """Runs for ever: heartbeats, spread evenly over HEARTBEAT_S, and the index's forgetting."""
        second, forget_at = 0, time.monotonic() + _FORGET_EVERY_S
        while True:
            await asyncio.sleep(1)
            second += 1
            for connection in self._rounds[second % HEARTBEAT_S]:
                connection.beat()
            if time.monotonic() >= forget_at and self.ready.is_set():
                forget_at = time.monotonic() + _FORGET_EVERY_S
                self.index.mark(time.monotonic())
                self.index.forget(time.monotonic() - WINDOW_S)
