"""The index: for each grid worker or desk, the alerts they have open and the events of the resumable window.

An alert is open with everybody who was told and not relieved since; an event goes to everybody who was told, relieved
or not, and to whoever had the alert before it. So one event stands in several inboxes: the same object, in each once.

Built from the compacted view topic before the gateway is ready, then kept up to date. It belongs to the thread that
builds it until then, and to the event loop from then on; it takes no locks.

A resume is exact only where no event can be missing. `floor` is the lowest offset of each partition from which the
index has everything: below it compaction may have removed events, or we have forgotten them to bound our memory.
"""

from collections import OrderedDict, deque
from collections.abc import Collection, Sequence
from typing import Any

from connectors.base import Positions
from connectors.gateway.alert import Alert
from connectors.gateway.place import reaches
from connectors.gateway.standing import FINAL


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
    """See the module. `floor` and `positions` as above and as Positions. `max_events` and `max_final` bound what is
    remembered: events, however many inboxes they stand in, and alerts that have ended.

    Of more ended alerts the one that ended first is forgotten, and is then like one that never was: nobody is refused
    its answer (the flow filters it), a retraction days later reaches only whom that event names, and a step that was
    under way when it ended would open it here again.
    """

    def __init__(self, floor: Positions, max_events: int = 1_000_000, max_final: int = 100_000) -> None:
        self.floor = floor
        self.positions: Positions = (0,) * len(floor)
        self._max_events = max_events
        self._max_final = max_final
        self._inboxes: dict[str, Inbox] = {}
        self._open: dict[str, Alert] = {}
        # In a dict that loses its first entry again and again, every look for the first is longer than the last.
        self._final: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._marks: deque[tuple[float, Positions, int]] = deque()
        self._kept = 0
        self._forgotten = 0

    @property
    def open_alerts(self) -> int:
        """How many alerts are open in the whole city."""
        return len(self._open)

    @property
    def events(self) -> int:
        """How many events can be replayed."""
        return self._kept - self._forgotten

    def told(self, alert_id: str) -> frozenset[str] | None:
        """Everybody who was told of an open alert, or of one that ended and is still remembered; None: not known."""
        held = self._open.get(alert_id)
        told = held.told if held is not None else self._final.get(alert_id)
        return frozenset(told) if told else None

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
            people = self._turn(alert)
            if people and alert.offset >= self.floor[alert.partition]:
                self._kept += 1
                for person in people:
                    inbox = self.inbox(person)
                    inbox.events.append(alert)
                    touched.add(inbox)
        self.positions = positions
        return touched

    def can_resume(self, positions: Positions) -> bool:
        """Whether everything from `positions` on is still here."""
        return reaches(positions, self.floor)

    def mark(self, now: float) -> None:
        """Notes how far the index is at `now` (any clock in seconds that only goes forward); see forget()."""
        self._marks.append((now, self.positions, self._kept))

    def forget(self, before: float) -> None:
        """Raises the floor to the last mark older than `before`, or further while more than `max_events` are kept."""
        while self._marks and (self._marks[0][0] < before or self.events > self._max_events):
            # All that was kept before the mark lies below it, and nothing that was kept since.
            _, self.floor, self._forgotten = self._marks.popleft()
            self._drop_below_floor()

    def _turn(self, alert: Alert) -> Collection[str]:
        """Opens, moves or ends the alert. Returns all who must get the event, each once."""
        id = alert.alert_id
        held = self._open.get(id)
        if not alert.frame:
            self._final.pop(id, None)
            self._take_back(held)
            return ()
        if alert.state not in FINAL:
            if id in self._final:
                return ()  # a step that was under way when the alert ended: for its readers the end is final
            told = alert.told
            self._hold(alert, held)
        else:
            # A retraction does not know whom alert_duty has told meanwhile; whoever held the alert last does.
            told = alert.told or (held.told if held is not None else self._final.get(id, ()))
            self._take_back(held)
            self._final[id] = told
            if len(self._final) > self._max_final:
                self._final.popitem(last=False)
        return {alert.addressee, *told, *(held.holders if held is not None else ())}

    def _hold(self, alert: Alert, held: Alert | None) -> None:
        id = alert.alert_id
        self._open[id] = alert
        for person in alert.holders:
            self.inbox(person).open[id] = alert
        if held is not None and held.holders != alert.holders:
            for person in held.holders:
                if person not in alert.holders:
                    self.inbox(person).open.pop(id, None)

    def _take_back(self, held: Alert | None) -> None:
        if held is not None:
            del self._open[held.alert_id]
            for person in held.holders:
                self.inbox(person).open.pop(held.alert_id, None)

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
            if not (inbox.events or inbox.open or inbox.listeners):
                del self._inboxes[addressee]
