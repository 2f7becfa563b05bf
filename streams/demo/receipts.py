"""What people have said, from the phone through the gateway and intake to the chain `alert`: counted, so that nothing
acknowledged is lost, and timed, because an answer that was worked off too late need not have stopped anything.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from streams.demo.duties import Duties
from streams.demo.quiet import RECEIPTED


class _Look(NamedTuple):
    """A SEEN, with its place in the topic."""

    alert_id: str
    due_ms: int
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
        self._looks: list[_Look] = []
        self._worked_off: dict[int, list[tuple[int, int]]] = {}

    # What the people tell.

    def will_look(self, alert_id: str, seen_id: str, due_ms: int) -> None:
        """Somebody was told of an alert that must be seen until `due_ms`, and will say so with a SEEN of this id."""
        self._due[seen_id] = due_ms
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
        due_ms = self._due.pop(value["event_id"], None)
        if due_ms is not None:
            self._looks.append(_Look(value["alert_id"], due_ms, partition, offset))

    def audit(self, value: Mapping[str, Any]) -> None:
        """One transaction: which offsets it covers, and when it was committed."""
        for covered in value["offsets"]:
            if covered["topic"] == RECEIPTED:
                ends = self._worked_off.setdefault(covered["partition"], [])
                ends.append((covered["until"], value["committed_at"]))

    def lost(self) -> int:
        """How many the gateway has acknowledged that have not come through intake."""
        return len(self.acknowledged - self.written.keys())

    def judge(self) -> None:
        """Tell the duties when each SEEN was worked off; to be called when everything has come out."""
        for ends in self._worked_off.values():
            ends.sort()
        for look in self._looks:
            ends = self._worked_off.get(look.partition, [])
            number = bisect_left(ends, (look.offset + 1, 0))
            if number < len(ends):
                self._duties.looked(look.alert_id, look.due_ms, ends[number][1])
