"""Lives of alerts as the bus writes them, for what must hold whatever happens: hypothesis draws them."""

import json
from random import Random
from typing import Any

from hypothesis import strategies as st

from connectors.base import Positions
from connectors.gateway.alert import Alert, Decoder
from streams.contract.wire import header
from streams.engine.record import Record
from tests.unit.gateway.in_memory import SCHEMA_ID, JsonVersion

PEOPLE = ("gw-000001", "gw-000002", "desk-120101001001", "desk-120101", "desk-12")
PARTITIONS = 3
HOUR = 3_600_000
NIGHT = 1_763_740_800_000
"""A midnight in Beijing, in ms."""

_ENDS = ("open", "acted", "acted, then retracted", "retracted", "retracted, a step under way", "retracted and acted")


class Life:
    """One alert's events from RAISED on, each a view's fields with `at`, the record's timestamp."""

    def __init__(self, draw: st.DrawFn, subject: dict[str, Any]) -> None:
        self.events: list[dict[str, Any]] = []
        self._draw = draw
        self._subject = subject
        self._now: int = subject["opened_at"]
        self._told: list[dict[str, Any]] = []
        self._tell("COLOUR")
        self._first = self._told[0]["addressee"]
        self._happens("RAISED", "COLOUR")
        for what in draw(st.lists(st.sampled_from(("SEEN", "ESCALATED", "HANDED_OVER")), max_size=4)):
            self._step(what)
        self._end(draw(st.sampled_from(_ENDS)))

    def _step(self, what: str) -> None:
        self._later(HOUR)
        if what == "SEEN":
            self._answer("seen_at")
            return self._happens("SEEN", "SEEN")
        cause = "DUTY_CHANGED" if what == "HANDED_OVER" else self._draw(st.sampled_from(("UNSEEN", "NOT_ACTED")))
        if what == "HANDED_OVER":
            self._told[-1]["relieved_at"] = self._now
        self._tell(cause)
        self._happens(what, cause)

    def _end(self, how: str) -> None:
        if how == "open":
            return
        self._later(HOUR)
        if how.startswith("acted"):
            self._answer("seen_at", "acted_at")
            self._happens("CLOSED", "ACTED")
            if how == "acted":
                return
            self._later(72 * HOUR)
        over = {"told": [], "due_at": None, "colour": "GREEN", "addressee": self._first}
        self._happens("RETRACTED", "COLOUR", **over)
        if how.startswith("acted"):
            return
        self._later(100)
        if how == "retracted, a step under way":
            self._tell("UNSEEN")
            self._happens("ESCALATED", "UNSEEN")
        if how == "retracted and acted":
            self._answer("seen_at", "acted_at")
        self._happens("CLOSED", "ACTED" if how == "retracted and acted" else "RETRACTED")

    def _later(self, at_most: int) -> None:
        self._now += self._draw(st.integers(0, at_most))

    def _tell(self, cause: str) -> None:
        step = {"addressee": self._draw(st.sampled_from(PEOPLE)), "cause": cause}
        self._told.append(step | {"seen_at": None, "acted_at": None, "relieved_at": None})

    def _answer(self, *fields: str) -> None:
        step = self._draw(st.sampled_from(self._told))
        for field in fields:
            step[field] = self._now if step[field] is None else step[field]

    def _happens(self, state: str, cause: str, **change: Any) -> None:
        fields = self._subject | {
            "event_id": f"{self._subject['alert_id']}/{len(self.events)}",
            "at": self._now,
            "state": state,
            "cause": cause,
            "addressee": self._told[-1]["addressee"],
            "addressee_level": "CITY",
            "due_at": None if state == "CLOSED" else self._now + self._draw(st.integers(0, HOUR)),
            "told": [dict(step) for step in self._told],
        }
        self.events.append(fields | change)


@st.composite
def lives(draw: st.DrawFn, divisions: tuple[str | None, ...] = ("12",)) -> list[dict[str, Any]]:
    """The events of some alerts in the order of their time, over a few days around NIGHT."""
    events = []
    for number in range(draw(st.integers(1, 6))):
        subject = {
            "alert_id": f"a{number}",
            "colour": draw(st.sampled_from(("RED", "ORANGE"))),
            "division": draw(st.sampled_from(divisions)),
            "opened_at": NIGHT + draw(st.integers(-48 * HOUR, 24 * HOUR)),
        }
        events += Life(draw, subject).events
    return sorted(events, key=lambda event: event["at"])


def partition_of(event: dict[str, Any]) -> int:
    """Where all events of the same alert are."""
    return int(event["alert_id"][1:]) % PARTITIONS


def decoded(events: list[dict[str, Any]]) -> list[Alert]:
    """The events as the feed's decoder gives them, with offsets in their order."""
    decoder = Decoder(lambda schema_id: JsonVersion(), lambda: None)
    ends = [0] * PARTITIONS
    found = []
    for event in events:
        partition = partition_of(event)
        value = header(SCHEMA_ID) + json.dumps(event).encode()
        alert = decoder.decode(Record("t", partition, ends[partition], event["at"], b"k", value))
        assert isinstance(alert, Alert)
        found.append(alert)
        ends[partition] += 1
    return found


def offsets_from(alerts: list[Alert], since_ms: int) -> Positions:
    """As Source.complete_from."""
    found = []
    for partition in range(PARTITIONS):
        mine = [alert for alert in alerts if alert.partition == partition]
        found.append(next((alert.offset for alert in mine if alert.timestamp >= since_ms), len(mine)))
    return tuple(found)


def compacted(alerts: list[Alert], below: Positions) -> list[Alert]:
    """Of what lies below, only each alert's last."""
    last = {alert.alert_id: alert for alert in alerts if alert.offset < below[alert.partition]}
    return [a for a in alerts if a.offset >= below[a.partition] or last[a.alert_id] is a]


def interleaved(alerts: list[Alert], random: Random) -> list[Alert]:
    """In another order, the same within each partition."""
    queues = [[alert for alert in alerts if alert.partition == partition] for partition in range(PARTITIONS)]
    order = [alert.partition for alert in alerts]
    random.shuffle(order)
    return [queues[partition].pop(0) for partition in order]
