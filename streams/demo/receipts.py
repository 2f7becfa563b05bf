"""What people have said, from the phone through the gateway and intake to the chain `alert`: counted, so that nothing
acknowledged is lost, and timed, because an answer that was worked off too late need not have stopped anything.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from streams.demo.duties import Duties
from streams.demo.quiet import ALERT, RECEIPTED


class _Stop(NamedTuple):
    """What stops an alert's clock, with its place: a SEEN, or the retraction."""

    alert_id: str
    topic: str
    partition: int
    offset: int


class Receipts:
    """The receipts of one run. `clock` gives seconds since 1970."""

    def __init__(self, duties: Duties, clock: Callable[[], float] = time.time) -> None:
        self._duties, self._clock = duties, clock
        self.acknowledged: set[str] = set()
        """Receipts that the gateway has taken, by event_id."""
        self.refused: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        """Receipts that came through intake, by event_id: one that was sent again may have come twice."""
        self._due: dict[str, int] = {}
        self._seen_ids: set[str] = set()
        self._stops: list[_Stop] = []
        self._worked_off: dict[tuple[str, int], list[tuple[int, int]]] = {}

    # What the people tell.

    def will_look(self, alert_id: str, seen_id: str, due_ms: int) -> None:
        """Who is going to answer an alert was told, must see it until `due_ms`, and says so with this SEEN. What
        others say, who may be told after him, does not count: it is too late to stop his clock."""
        self._due[alert_id] = due_ms
        self._seen_ids.add(seen_id)
        self._duties.told(alert_id, due_ms, int(self._clock() * 1000))

    def taken(self, event_id: str) -> None:
        """The gateway has acknowledged a receipt."""
        self.acknowledged.add(event_id)

    def refuse(self, status: int) -> None:
        """The gateway will never take a receipt."""
        self.refused[f"status {status}"] += 1

    # What came out of the bus.

    def read(self, value: Mapping[str, Any], partition: int, offset: int) -> None:
        """A receipt was read from this place of the bus's own topic."""
        self.written[value["event_id"]] += 1
        if value["event_id"] in self._seen_ids:
            self._stops.append(_Stop(value["alert_id"], RECEIPTED, partition, offset))

    def retracted(self, alert_id: str, partition: int, offset: int) -> None:
        """A retraction was read from this place of the topic of alerts."""
        self._stops.append(_Stop(alert_id, ALERT, partition, offset))

    def audit(self, value: Mapping[str, Any]) -> None:
        """One transaction of the chain `alert`: which offsets it covers, and when it was committed."""
        for covered in value["offsets"]:
            ends = self._worked_off.setdefault((covered["topic"], covered["partition"]), [])
            ends.append((covered["until"], value["committed_at"]))

    def lost(self) -> int:
        """How many the gateway has acknowledged that have not come through intake."""
        return len(self.acknowledged - self.written.keys())

    def judge(self) -> None:
        """Tell the duties when each alert's clock was stopped; to be called when everything has come out."""
        for ends in self._worked_off.values():
            ends.sort()
        stopped: dict[str, int] = {}
        for stop in self._stops:
            ends = self._worked_off.get((stop.topic, stop.partition), [])
            number = bisect_left(ends, (stop.offset + 1, 0))
            if number < len(ends):
                stopped[stop.alert_id] = min(ends[number][1], stopped.get(stop.alert_id, ends[number][1]))
        for alert_id, at_ms in stopped.items():
            if alert_id in self._due:
                self._duties.stopped(alert_id, self._due[alert_id], at_ms)
