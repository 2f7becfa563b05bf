"""What was seen of one run: everything that came out of the bus, counted, to be held against what the oracle expects.

People of an earlier run that was broken off may still change colour in this one; what concerns them is known by the
person and left out of the comparison.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from streams.demo.oracle import Alert, Change, Oracle
from streams.demo.spoil import KINDS
from streams.errors import Rejection

ALERT_VIEW, CHANGE_VIEW = "to.jinzhitong.grid.alert.changed", "to.jinxinban.health.code.changed"


class FlowTotal:
    """One flow, summed from the audit."""

    def __init__(self) -> None:
        self.read = self.delivered = self.fired = 0
        self.filtered: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    def add(self, count: Mapping[str, Any]) -> None:
        self.read += count["read"]
        self.delivered += count["delivered"]
        self.fired += count["fired"]
        self.filtered.update(count["filtered"])
        self.rejected.update(count["rejected"])


class ViewTotal:
    """One view, summed from the audit."""

    def __init__(self) -> None:
        self.delivered = 0
        self.withheld: Counter[str] = Counter()

    def add(self, count: Mapping[str, Any]) -> None:
        self.delivered += count["delivered"]
        self.withheld.update(count["withheld"])


class Published(NamedTuple):
    """When an input was handed to its producer (seconds of a monotonic clock), and whether its latency counts."""

    at: float
    measured: bool


class Ledger:
    """The counts of one run. `people` are those of this run, by person id."""

    def __init__(self, oracle: Oracle, people: frozenset[str]) -> None:
        self.oracle = oracle
        self._people = people
        self.published = 0
        self.flows: dict[str, FlowTotal] = {}
        self.views: dict[str, ViewTotal] = {}
        self.changes: dict[str, Change] = {}
        self.alerts: dict[str, Alert] = {}
        self.repeated_changes = self.repeated_alerts = self.resets = 0
        self.foreign_changes: set[str] = set()
        self.dead: Counter[str] = Counter()
        self.dead_unexpected: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.recent: list[float] = []
        self.moved = asyncio.Event()
        """Set whenever something came; whoever waits for it clears it."""
        self._spoilt: dict[bytes, str] = {}
        self._sent: dict[str, Published] = {}

    # What the simulator tells.

    def sent(self, event_type: str, value: Mapping[str, Any], at_ms: int, measured: bool) -> list[Change]:
        """A good input is about to be written. Returns the changes that must follow from it, expiries aside."""
        self.published += 1
        changes = self.oracle.accept(event_type, value, at_ms)
        own = [change for change in changes if change.cause != "EXPIRY"]
        if own:
            self._sent[own[0].event_id] = Published(time.perf_counter(), measured)
        return own

    def sent_spoilt(self, kind: str, value: bytes) -> None:
        """An input that must be refused is about to be written."""
        self.published += 1
        self.oracle.reject(kind)
        # A value over the bus's limit is left out of its dead letter, which is then known by its size.
        self._spoilt[hashlib.sha256(value).digest() if len(value) < 1 << 20 else str(len(value)).encode()] = kind

    # What came out.

    def change(self, value: Mapping[str, Any]) -> Change | None:
        """A health.code.changed was read; None when it is of another run's people."""
        change = Change(*(value[name] for name in ("event_id", "person_id", "colour", "previous", "cause")))
        self.moved.set()
        if change.person_id not in self._people:
            self.foreign_changes.add(change.event_id)
            return None
        if change.event_id in self.changes:
            self.repeated_changes += 1
        self.changes[change.event_id] = change
        return change

    def alert(self, addressee: str, value: Mapping[str, Any], at: float) -> None:
        """An alert reached `addressee` at `at` (seconds of the same clock)."""
        alert = Alert(*(value[n] for n in ("event_id", "alert_id", "state", "colour", "addressee", "change_id")))
        self.moved.set()
        if alert.event_id in self.alerts:
            self.repeated_alerts += 1
        # Told to whoever it came to, whatever it says: an alert at the wrong door is an unexpected one.
        self.alerts[alert.event_id] = alert._replace(addressee=addressee)
        sent = self._sent.get(alert.change_id)
        if sent is not None:
            self.recent.append((at - sent.at) * 1000)
            if sent.measured:
                self.latencies.append((at - sent.at) * 1000)

    def audit(self, value: Mapping[str, Any]) -> None:
        """One transaction's counts."""
        for count in value["flows"]:
            self.flows.setdefault(count["flow"], FlowTotal()).add(count)
        for count in value["views"]:
            self.views.setdefault(count["view"], ViewTotal()).add(count)
        self.moved.set()

    def dead_letter(self, value: bytes | None, headers: Mapping[str, bytes]) -> None:
        """One dead letter of an input."""
        self.moved.set()
        rejection = Rejection(headers["step"].decode(), headers["reason"].decode())
        trace = hashlib.sha256(value).digest() if value is not None else headers.get("size", b"")
        kind = self._spoilt.get(trace)
        origin = all(headers.get(name) for name in ("flow", "topic", "partition", "offset"))
        if kind is not None and KINDS[kind].expected == rejection and origin:
            self.dead[kind] += 1
        else:
            self.dead_unexpected[f"{rejection.step}/{rejection.reason}"] += 1

    # What is left.

    def known_alerts(self) -> dict[str, Alert]:
        """Alerts received that concern this run's people."""
        return {id_: alert for id_, alert in self.alerts.items() if alert.change_id not in self.foreign_changes}

    def busiest(self) -> str | None:
        """The grid worker with the most open alerts of this run: whose page is worth looking at."""
        latest = {alert.alert_id: alert for alert in self.alerts.values()}
        opened = Counter(
            alert.addressee
            for alert in latest.values()
            if alert.state == "RAISED" and alert.addressee.startswith("gw-")
        )
        return max(opened, key=opened.__getitem__, default=None)

    def flow(self, name: str) -> FlowTotal:
        return self.flows.get(name) or FlowTotal()

    def lag(self) -> int:
        """Inputs that the bus has not yet worked off."""
        accepted = self.flow("intake").delivered
        return max(0, self.published - self.flow("intake").read) + max(0, accepted - self.flow("health-code").read)

    def outstanding(self) -> int:
        """How much has yet to come out, of all kinds; 0 when everything expected is there."""
        oracle = self.oracle
        return (
            self.lag()
            + len(oracle.changes.keys() - self.changes.keys())
            + len(oracle.alerts.keys() - self.alerts.keys())
            + max(0, oracle.rejected.total() - self.dead.total() - self.dead_unexpected.total())
        )
