"""What must come out: the changes of colour and the alerts that follow from what was published, and who may be told of
each alert, computed a second way.

The bus keeps a small state per person and moves it event by event. The oracle does the opposite: it keeps everything
that was published about a person and works the colour out anew each time, from the rules as the city wrote them. It
imports nothing of the bus's flows and derives ids with its own UUIDv5 (RFC 9562), so that a mistake there cannot hide
here.

Rules (deploy/tianjin/health-code-policy.yaml says the same for the bus): the colour is the worst of the live evidence;
a positive test is red until two negatives, both from day 7 on, at least 24 h apart; a close contact is red 14 days, a
secondary contact orange 7, a high-risk stay red 14, a medium-risk stay orange 14, a national hit as its source says.
An alert is about one colour: whoever turns from red to orange has one alert retracted and another raised.
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
_LEVELS = (("GRID_WORKER", 14), ("BACKUP", 14), ("COMMUNITY", 12), ("STREET", 9), ("DISTRICT", 6), ("CITY", 2))
"""Upwards, with the digits of the division whose row of the roster names somebody."""
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


class Rung(NamedTuple):
    """One step of an alert's ladder: somebody who may be told, and at which level."""

    level: str
    addressee: str


class Raised(NamedTuple):
    """An alert from its beginning: its colour, and who is told of it in this order, as long as nobody answers."""

    colour: str
    ladder: tuple[Rung, ...]


@dataclass(slots=True)
class _Evidence:
    event_id: str
    colour: str
    start: int
    until: int
    positive: bool
    division: str | None


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
    """Tell it what was published, in order, with `accept`; read what must follow from `changes`, `alerts` and `raised`
    (by alert_id).

    residence  person_id -> cell (14 digits), or None when nobody knows
    on_duty    division (14, 12, 9, 6 or 2 digits) -> grid worker or desk, or None
    backup     cell -> grid worker, or None
    """

    def __init__(
        self,
        residence: Callable[[str], str | None],
        on_duty: Callable[[str], str | None],
        backup: Callable[[str], str | None],
    ) -> None:
        self._residence, self._on_duty, self._backup = residence, on_duty, backup
        self._people: dict[str, _Person] = {}
        self._mortal: dict[str, _Person] = {}
        self.changes: dict[str, Change] = {}
        self.alerts: dict[str, Alert] = {}
        self.raised: dict[str, Raised] = {}
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
            left = max(_live(person, due), key=lambda e: _RANK[e.colour], default=None)
            division = left.division if left else None
            changes += self._change(person_id, person, due, "EXPIRY", f"{person_id}@{due}", division)
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
        if person.alert is not None:
            self._note(person.alert[0], "RETRACTED", 2, change, person.alert[1])
            person.alert = None
        if change.colour != "GREEN":
            ladder = self.ladder(change.person_id, division)
            person.alert = _derived("grid-alert", change.event_id, 0), ladder[0].addressee
            self.raised[person.alert[0]] = Raised(change.colour, ladder)
            self._note(person.alert[0], "RAISED", 1, change, person.alert[1])

    def _note(self, alert_id: str, state: str, number: int, change: Change, addressee: str) -> None:
        event_id = _derived("grid-alert", change.event_id, number)
        self.alerts[event_id] = Alert(event_id, alert_id, state, change.colour, addressee, change.event_id)

    def ladder(self, person_id: str, division: str | None) -> tuple[Rung, ...]:
        """Who is told about this person, first and after that: the grid worker of the home cell, the backup, then the
        desks upwards. Without a grid worker the desk of the street is the first, or the nearest above it; without a
        residence that of the division where it happened."""
        place = self._residence(person_id) or division or ""
        ladder: list[Rung] = []
        for level, digits in _LEVELS:
            code = place[:digits] if len(place) >= digits else None
            if level == "BACKUP":
                who = self._backup(code) if code and ladder else None
            elif level == "COMMUNITY" and not ladder:
                who = None
            else:
                who = self._on_duty(code) if code else None
            if level == "CITY":
                who = who or "desk-12"
            if who and not (ladder and ladder[-1].addressee == who):
                ladder.append(Rung(level, who))
        return tuple(ladder)


def _evidence(event_type: str, value: Mapping[str, Any]) -> _Evidence | None:
    """What the event says against a person, or None when it says nothing."""
    event_id, start, division = value["event_id"], value["occurred_at"], value.get("division")
    if event_type == "health.test.result":
        positive = value["result"] == "POSITIVE"
        return _Evidence(event_id, "RED", start, _FOR_EVER, True, division) if positive else None
    if event_type == "health.national.checked":
        until = value["valid_until"] if value["valid_until"] is not None else start + _NATIONAL_DAYS * DAY
        return _Evidence(event_id, value["colour"], start, until, False, division)
    rule = _PERIODS.get((event_type, value.get("degree") or value.get("risk") or ""))
    return _Evidence(event_id, rule[0], start, start + rule[1], False, division) if rule else None


def _live(person: _Person, now: int) -> list[_Evidence]:
    """What counts at `now`: not withdrawn, not over, not released."""
    return [
        e
        for e in person.evidence
        if e.event_id not in person.withdrawn and e.start <= now < e.until and not (e.positive and _released(person, e))
    ]


def _colour(person: _Person, now: int) -> str:
    """The worst of what counts."""
    return max((e.colour for e in _live(person, now)), key=_RANK.__getitem__, default="GREEN")


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
