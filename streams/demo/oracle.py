"""What must come out: the changes of colour and the alerts that follow from what was published, computed a second way.

The bus keeps a small state per person and moves it event by event. The oracle does the opposite: it keeps everything
that was published about a person and works the colour out anew each time, from the rules as the city wrote them. It
imports nothing of the bus's flows and derives ids with its own UUIDv5 (RFC 9562), so that a mistake there cannot hide
here.

Rules (deploy/tianjin/health-code-policy.yaml says the same for the bus): the colour is the worst of the live evidence;
a positive test is red until two negatives, both from day 7 on, at least 24 h apart; a close contact is red 14 days, a
secondary contact orange 7, a high-risk stay red 14, a medium-risk stay orange 14, a national hit as its source says.
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

HOUR = 3_600_000
DAY = 24 * HOUR
_NAMESPACE = bytes.fromhex("6b5a6f0e3f0d5c6e9a6d0c7f6f3c1a20")
_RANK = {"GREEN": 0, "ORANGE": 1, "RED": 2}
_PERIODS: dict[tuple[str, str], tuple[str, int]] = {
    ("health.contact.identified", "CLOSE"): ("RED", 14 * DAY),
    ("health.contact.identified", "SECONDARY"): ("ORANGE", 7 * DAY),
    ("health.area.stayed", "HIGH"): ("RED", 14 * DAY),
    ("health.area.stayed", "MEDIUM"): ("ORANGE", 14 * DAY),
}
_NATIONAL_DAYS = 14
_FOR_EVER = 1 << 62


class Change(NamedTuple):
    """One health.code.changed that must appear, whatever else its record holds."""

    event_id: str
    person_id: str
    colour: str
    previous: str
    cause: str


class Alert(NamedTuple):
    """One alert that the grid worker or desk `addressee` must receive."""

    event_id: str
    alert_id: str
    state: str
    colour: str
    addressee: str
    change_id: str


@dataclass(slots=True)
class _Evidence:
    event_id: str
    colour: str
    start: int
    until: int
    positive: bool


@dataclass(slots=True)
class _Person:
    evidence: list[_Evidence] = field(default_factory=list)
    negatives: list[tuple[str, int]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    time: int = 0
    colour: str = "GREEN"
    alert: tuple[str, str] | None = None


class Oracle:
    """Tell it what was published, in order, with `accept`; read what must follow from `changes` and `alerts`.

    residence  person_id -> cell (14 digits), or None when nobody knows
    on_duty    division (14, 9, 6 or 2 digits) -> grid worker or desk, or None
    """

    def __init__(self, residence: Callable[[str], str | None], on_duty: Callable[[str], str | None]) -> None:
        self._residence = residence
        self._on_duty = on_duty
        self._people: dict[str, _Person] = {}
        self._mortal: dict[str, _Person] = {}
        self.changes: dict[str, Change] = {}
        self.alerts: dict[str, Alert] = {}
        self.accepted = 0
        self.rejected: Counter[str] = Counter()

    def reject(self, kind: str) -> None:
        """An input that the simulator spoilt in the way `kind`: it must be refused and change nothing."""
        self.rejected[kind] += 1

    def accept(self, event_type: str, value: Mapping[str, Any], at: int) -> list[Change]:
        """A good input published at `at` (ms). Returns the changes of colour that it must cause: none or one, after
        those that time alone causes by then."""
        self.accepted += 1
        person_id, event_id = value["person_id"], value["event_id"]
        person = self._people.setdefault(person_id, _Person())
        changes = self._pass_time(person_id, person, at)
        if event_id in person.seen:
            return changes
        person.seen.add(event_id)
        cause = "EVIDENCE"
        if event_type == "health.evidence.corrected":
            person.withdrawn.add(value["corrects"])
            cause = "CORRECTION"
        elif event_type == "health.test.result" and value["result"] == "NEGATIVE":
            person.negatives.append((event_id, value["occurred_at"]))
            cause = "RELEASE"
        else:
            evidence = _evidence(event_type, value)
            if evidence is not None:
                person.evidence.append(evidence)
                self._mortal[person_id] = person
        changes += self._change(person_id, person, at, cause, event_id, value.get("division"))
        return changes

    def pass_time(self, until: int) -> list[Change]:
        """Let time pass to `until` (ms) for everybody: what expires by then turns green, or to what is left."""
        return [c for person_id, person in self._mortal.items() for c in self._pass_time(person_id, person, until)]

    def next_expiry(self, after: int) -> int | None:
        """The first instant after `after` (ms) at which time alone may change a colour, of all people."""
        dues = (e.until for p in self._mortal.values() if p.colour != "GREEN" for e in p.evidence if e.until > after)
        return min(dues, default=None)

    def _pass_time(self, person_id: str, person: _Person, now: int) -> list[Change]:
        changes: list[Change] = []
        for due in sorted({e.until for e in person.evidence if person.time < e.until <= now}):
            changes += self._change(person_id, person, due, "EXPIRY", f"{person_id}@{due}", None)
        person.time = max(person.time, now)
        return changes

    def _change(
        self, person_id: str, person: _Person, now: int, cause: str, source: str, division: str | None
    ) -> list[Change]:
        colour = _colour(person, now)
        if colour == person.colour:
            return []
        change = Change(_derived("health-code", source, 0), person_id, colour, person.colour, cause)
        person.colour = colour
        self.changes[change.event_id] = change
        self._alert(person, change, division)
        return [change]

    def _alert(self, person: _Person, change: Change, division: str | None) -> None:
        if person.alert is None:
            opened = _derived("grid-alert", change.event_id, 0)
            person.alert = (opened, self.addressee(change.person_id, division))
        alert_id, addressee = person.alert
        state = "RAISED"
        if change.colour == "GREEN":
            state, person.alert = "RETRACTED", None
        event_id = _derived("grid-alert", change.event_id, 1)
        self.alerts[event_id] = Alert(event_id, alert_id, state, change.colour, addressee, change.event_id)

    def addressee(self, person_id: str, division: str | None) -> str:
        """Who is told about this person: the grid worker of the home cell, or the nearest desk; without a residence the
        nearest desk of the division where it happened."""
        place = self._residence(person_id) or (division or "")[:9]
        for digits in (14, 9, 6, 2):
            if len(place) >= digits and (who := self._on_duty(place[:digits])):
                return who
        return "desk-12"


def _evidence(event_type: str, value: Mapping[str, Any]) -> _Evidence | None:
    """What the event says against a person, or None when it says nothing."""
    event_id, start = value["event_id"], value["occurred_at"]
    if event_type == "health.test.result":
        return _Evidence(event_id, "RED", start, _FOR_EVER, True) if value["result"] == "POSITIVE" else None
    if event_type == "health.national.checked":
        until = value["valid_until"] if value["valid_until"] is not None else start + _NATIONAL_DAYS * DAY
        return _Evidence(event_id, value["colour"], start, until, False)
    rule = _PERIODS.get((event_type, value.get("degree") or value.get("risk") or ""))
    return _Evidence(event_id, rule[0], start, start + rule[1], False) if rule else None


def _colour(person: _Person, now: int) -> str:
    """The worst of what is live at `now`: not withdrawn, not over, not released."""
    live = [
        e.colour
        for e in person.evidence
        if e.event_id not in person.withdrawn and e.start <= now < e.until and not (e.positive and _released(person, e))
    ]
    return max(live, key=_RANK.__getitem__, default="GREEN")


def _released(person: _Person, positive: _Evidence) -> bool:
    """Two negatives that count, from day 7 on and at least 24 h apart. Withdrawn ones do not count."""
    counting = [at for id_, at in person.negatives if id_ not in person.withdrawn and at >= positive.start + 7 * DAY]
    return bool(counting) and max(counting) - min(counting) >= 24 * HOUR


def _derived(flow: str, source: str, number: int) -> str:
    """UUID version 5 of flow, source and output number: SHA-1 of namespace and name, 6 bits overwritten."""
    digest = bytearray(
        hashlib.sha1(_NAMESPACE + f"{flow}/{source}/{number}".encode(), usedforsecurity=False).digest()[:16]
    )
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))
