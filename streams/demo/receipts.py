"""What people have said, from the phone through the gateway and intake to the chain `alert`: counted, so that nothing
acknowledged is lost, and timed, because an answer that came in too late need not have stopped anything.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

MARGIN_MS = 4_000
"""What comes in so shortly before the deadline races it: the alert may go one level up or not."""


class Receipts:
    """The receipts of one run. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.acknowledged: set[str] = set()
        """Receipts that the gateway has taken, by event_id."""
        self.refused: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        """Receipts that came through intake, by event_id: one that was sent again may have come twice."""
        self._due: dict[str, int] = {}
        self._seen_ids: set[str] = set()
        self._stopped: dict[str, int] = {}

    # What the people tell.

    def will_look(self, alert_id: str, seen_id: str, due_ms: int) -> None:
        """Who is going to answer an alert was told, must see it until `due_ms`, and says so with this SEEN. What
        others say, who may be told after him, does not count: it is too late to stop his clock."""
        self._due[alert_id] = due_ms
        self._seen_ids.add(seen_id)

    def taken(self, event_id: str) -> None:
        """The gateway has acknowledged a receipt."""
        self.acknowledged.add(event_id)

    def refuse(self, status: int) -> None:
        """The gateway will never take a receipt."""
        self.refused[f"status {status}"] += 1

    # What came out of the bus.

    def read(self, value: Mapping[str, Any]) -> None:
        """A receipt was read from the bus's own topic."""
        self.written[value["event_id"]] += 1
        if value["event_id"] in self._seen_ids:
            self.stopped(value["alert_id"])

    def stopped(self, alert_id: str) -> None:
        """What stops an alert's clock is in the bus: the SEEN of who had to look, or its retraction."""
        self._stopped.setdefault(alert_id, int(self._clock() * 1000))

    def lost(self) -> int:
        """How many the gateway has acknowledged that have not come through intake."""
        return len(self.acknowledged - self.written.keys())

    def late(self) -> set[str]:
        """The alerts whose clock was not stopped well before the deadline; to be asked when everything has come out."""
        return {
            alert_id
            for alert_id, due_ms in self._due.items()
            if alert_id not in self._stopped or self._stopped[alert_id] > due_ms - MARGIN_MS
        }
