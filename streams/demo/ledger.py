"""What was seen of one run: everything that came out of the bus, counted, to be held against what the oracle expects.

People of an earlier run that was broken off may still change colour in this one; what concerns them is known by the
person and left out of the comparison.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from streams.demo.duties import Duties
from streams.demo.oracle import Alert, Change, Oracle
from streams.demo.people import People
from streams.demo.receipts import Receipts
from streams.demo.spoil import KINDS
from streams.demo.totals import FlowTotal, ViewTotal
from streams.errors import Rejection

RAISED, RETRACTED = "RAISED", "RETRACTED"
"""What the chain `person` says about an alert; everything else is said by the chain `alert`."""
ALERT_VIEW, CHANGE_VIEW = "to.jinzhitong.grid.alert.changed", "to.jinxinban.health.code.changed"


class Published(NamedTuple):
    """When an input was handed to its producer (seconds of a monotonic clock), and whether its latency counts."""

    at: float
    measured: bool


class Delivery(NamedTuple):
    """One event as one addressee received it."""

    event_id: str
    addressee: str


class Ledger:
    """The counts of one run. `persons` are those of this run, by person id; `people` do what is done about alerts;
    `clock` gives seconds since 1970."""

    def __init__(
        self, oracle: Oracle, persons: frozenset[str], people: People, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self.oracle, self.duties = oracle, Duties(oracle, people)
        self.receipts = Receipts(clock)
        self._persons = persons
        self.published = 0
        self.flows: dict[str, FlowTotal] = {}
        self.views: dict[tuple[str, str], ViewTotal] = {}
        """By view and the chain that wrote it."""
        self.changes: dict[str, Change] = {}
        self.alerts: dict[Delivery, Alert] = {}
        """What was raised or retracted, as each addressee received it."""
        self.open: dict[str, str] = {}
        """Alerts of this run that nobody has acted on, and who has each."""
        self.repeated_changes = self.repeated_alerts = self.resets = 0
        self.written: Counter[str] = Counter()
        """Events of the topic of alerts, by event_id."""
        self.steps_written = 0
        self.foreign_changes: set[str] = set()
        self.dead: Counter[str] = Counter()
        self.dead_unexpected: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.recent: list[float] = []
        self.moved = asyncio.Event()
        """Set whenever something came; whoever waits for it clears it."""
        self._spoilt: dict[bytes, str] = {}
        self._sent: dict[str, Published] = {}
        self._delivered: set[Delivery] = set()
        self._over: set[str] = set()

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
        if change.person_id not in self._persons:
            self.foreign_changes.add(change.event_id)
            return None
        if change.event_id in self.changes:
            self.repeated_changes += 1
        self.changes[change.event_id] = change
        return change

    def alert(self, addressee: str, value: Mapping[str, Any], at: float) -> bool:
        """An event of an alert reached `addressee` at `at` (seconds of the same clock). Whether it is news about
        an alert of this run."""
        self.moved.set()
        state, alert_id, delivery = value["state"], value["alert_id"], Delivery(value["event_id"], addressee)
        if delivery in self._delivered:
            self.repeated_alerts += 1
            return False
        self._delivered.add(delivery)
        if state in (RAISED, RETRACTED):
            alert = Alert(*(value[n] for n in ("event_id", "alert_id", "state", "colour", "addressee", "change_id")))
            # Told to whoever it came to, whatever it says: an alert at the wrong door is an unexpected one.
            self.alerts[delivery] = alert._replace(addressee=addressee)
            self._measure(alert, at)
        else:
            self.duties.take(addressee, value)
        if alert_id not in self.oracle.raised and state == RAISED:
            self.oracle.pass_time(int(self._clock() * 1000))  # what time alone raises
        if alert_id not in self.oracle.raised:
            return False
        if state in (RETRACTED, "CLOSED"):
            self._over.add(alert_id)
            self.open.pop(alert_id, None)
        elif alert_id not in self._over:
            self.open[alert_id] = value["addressee"]
        return True

    def _measure(self, alert: Alert, at: float) -> None:
        sent = self._sent.get(alert.change_id)
        if sent is not None:
            self.recent.append((at - sent.at) * 1000)
            if sent.measured:
                self.latencies.append((at - sent.at) * 1000)

    def alert_written(self, value: Mapping[str, Any]) -> None:
        """An event was read from the bus's own topic of alerts."""
        self.moved.set()
        self.written[value["event_id"]] += 1
        if value["state"] == RETRACTED:
            self.receipts.stopped(value["alert_id"])
        elif value["state"] != RAISED:
            self.steps_written += 1
            self.duties.written(value)

    def receipt_written(self, value: Mapping[str, Any]) -> None:
        """A receipt was read from the bus's own topic."""
        self.moved.set()
        self.receipts.read(value)

    def audit(self, value: Mapping[str, Any]) -> None:
        """One transaction's counts."""
        for count in value["flows"]:
            self.flows.setdefault(count["flow"], FlowTotal()).add(count)
        for count in value["views"]:
            self.views.setdefault((count["view"], value["chain"]), ViewTotal()).add(count)
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

    def expected_alerts(self) -> dict[Delivery, Alert]:
        """What must be raised and retracted, at the addressee who must receive it."""
        return {Delivery(id_, alert.addressee): alert for id_, alert in self.oracle.alerts.items()}

    def known_alerts(self) -> dict[Delivery, Alert]:
        """What was received of it that concerns this run's people. When an alert that raced its deadline is retracted,
        others may have been told of it, and learn of it."""
        expected = self.oracle.alerts
        return {
            delivery: alert
            for delivery, alert in self.alerts.items()
            if alert.change_id not in self.foreign_changes
            and not (
                alert.alert_id in self.duties.raced
                and alert.event_id in expected
                and expected[alert.event_id].addressee != alert.addressee
            )
        }

    def busiest(self) -> str | None:
        """The grid worker with the most open alerts of this run: whose page is worth looking at."""
        held = Counter(who for who in self.open.values() if who.startswith("gw-"))
        return max(held, key=held.__getitem__, default=None)

    def flow(self, name: str) -> FlowTotal:
        return self.flows.get(name) or FlowTotal()

    def view(self, name: str, chain: str) -> int:
        """How many events of `chain` the view has got, or has had withheld."""
        view = self.views.get((name, chain))
        return view.delivered + view.withheld.total() if view is not None else 0

    def view_totals(self) -> dict[str, ViewTotal]:
        """Each view, whichever chain wrote it."""
        totals: dict[str, ViewTotal] = {}
        for (name, _), view in sorted(self.views.items()):
            totals.setdefault(name, ViewTotal()).add(view.data())
        return totals

    def repeated_written(self) -> int:
        """How many events stand on the bus's own topic of alerts once too often."""
        return self.written.total() - len(self.written)

    def accepted(self) -> int:
        """Inputs of the three departments that intake has taken; the rest of what it has taken are receipts."""
        return self.flow("intake").delivered - self.receipts.written.total()

    def lag(self) -> int:
        """Inputs that the bus has not yet worked off."""
        read = self.flow("intake").read - self.receipts.written.total()
        return max(0, self.published - read) + max(0, self.accepted() - self.flow("health-code").read)

    def duty_lag(self) -> int:
        """What the chain `alert` has not yet read, its own events among it: of all runs' alerts."""
        read = self.flow("alert-duty").read
        return max(0, self.written.total() + self.receipts.written.total() - read)

    def settled(self) -> bool:
        """Whether what was read of the bus is from one and the same moment: alerts of earlier runs may still climb."""
        steps = self.view(ALERT_VIEW, "alert")
        return steps == self.steps_written and not self.duty_lag()

    def outstanding(self) -> int:
        """How much has yet to come out, of all kinds; 0 when everything expected is there."""
        oracle = self.oracle
        return (
            self.lag()
            + self.duty_lag()
            + len(oracle.changes.keys() - self.changes.keys())
            + len(self.expected_alerts().keys() - self.alerts.keys())
            + self.duties.outstanding()
            + self.receipts.lost()
            + max(0, oracle.rejected.total() - self.dead.total() - self.dead_unexpected.total())
        )
