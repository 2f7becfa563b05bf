"""The index: for each grid worker or desk, the alerts that are open and the events of the resumable window.

Built from the compacted view topic before the gateway is ready, then kept up to date. It belongs to the thread that
builds it until then, and to the event loop from then on; it takes no locks.

A resume is exact only where no event can be missing. `floor` is the lowest offset of each partition from which the
index has everything: below it compaction may have removed events, or we have forgotten them to bound our memory.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from connectors.base import Positions
from connectors.gateway.alert import FINAL, OPEN, Alert
from connectors.gateway.place import reaches


class Inbox:
    """One addressee's events and open alerts. Event number n (counted from 0 for ever) is `events[n - first]`."""

    __slots__ = ("events", "first", "listeners", "open")

    def __init__(self) -> None:
        self.events: list[Alert] = []
        self.first = 0
        self.open: dict[str, Alert] = {}
        self.listeners: set[Any] = set()

    @property
    def end(self) -> int:
        """The number that the next event will have."""
        return self.first + len(self.events)


class Index:
    """See the module. `floor` and `positions` as above and as Positions; `max_events` bounds what is remembered."""

    def __init__(self, floor: Positions, max_events: int = 1_000_000, max_final: int = 100_000) -> None:
        self.floor = floor
        self.positions: Positions = (0,) * len(floor)
        self.events = 0
        self._max_events = max_events
        self._max_final = max_final
        self._inboxes: dict[str, Inbox] = {}
        self._open: dict[str, Alert] = {}
        self._final: dict[str, None] = {}
        self._marks: deque[tuple[float, Positions]] = deque()

    @property
    def open_alerts(self) -> int:
        """How many alerts are open in the whole city."""
        return len(self._open)

    def inbox(self, addressee: str) -> Inbox:
        """The inbox of `addressee`, made on first use."""
        inbox = self._inboxes.get(addressee)
        if inbox is None:
            inbox = self._inboxes[addressee] = Inbox()
        return inbox

    def apply(self, alerts: Sequence[Alert], positions: Positions) -> set[Inbox]:
        """Takes all events below `positions` that came after the last call. Returns the inboxes that got one."""
        touched: set[Inbox] = set()
        for alert in alerts:
            told = self._turn(alert)
            if alert.offset >= self.floor[alert.partition]:
                for inbox in told:
                    inbox.events.append(alert)
                    self.events += 1
                touched.update(told)
        self.positions = positions
        return touched

    def can_resume(self, positions: Positions) -> bool:
        """Whether everything from `positions` on is still here."""
        return reaches(positions, self.floor)

    def mark(self, now: float) -> None:
        """Notes how far the index is at `now` (any clock in seconds that only goes forward); see forget()."""
        self._marks.append((now, self.positions))

    def forget(self, before: float) -> None:
        """Raises the floor to the last mark older than `before`, or further while more than `max_events` are kept."""
        while self._marks and (self._marks[0][0] < before or self.events > self._max_events):
            self.floor = self._marks.popleft()[1]
            self._drop_below_floor()

    def _turn(self, alert: Alert) -> tuple[Inbox, ...]:
        """Opens, moves or ends the alert. Returns the inboxes of all who must be told."""
        held = self._open.get(alert.alert_id)
        if alert.state in OPEN:
            if alert.alert_id in self._final:
                return ()  # a step that was under way when the alert ended: for its readers the end is final
            self._open[alert.alert_id] = alert
            inbox = self.inbox(alert.addressee)
            inbox.open[alert.alert_id] = alert
            if held is None or held.addressee == alert.addressee:
                return (inbox,)
            former = self.inbox(held.addressee)
            former.open.pop(alert.alert_id, None)
            return inbox, former
        if held is not None and (alert.state in FINAL or not alert.frame):
            del self._open[alert.alert_id]
            self.inbox(held.addressee).open.pop(alert.alert_id, None)
        if not alert.frame:
            return ()
        if alert.state in FINAL:
            self._final[alert.alert_id] = None
            if len(self._final) > self._max_final:
                del self._final[next(iter(self._final))]
        inbox = self.inbox(alert.addressee)
        return (inbox,) if held is None or held.addressee == alert.addressee else (inbox, self.inbox(held.addressee))

    def _drop_below_floor(self) -> None:
        for addressee, inbox in list(self._inboxes.items()):
            # What lies below a mark is a prefix: the mark was taken between two events.
            gone = 0
            for alert in inbox.events:
                if alert.offset >= self.floor[alert.partition]:
                    break
                gone += 1
            del inbox.events[:gone]
            inbox.first += gone
            self.events -= gone
            if not (inbox.events or inbox.open or inbox.listeners):
                del self._inboxes[addressee]
