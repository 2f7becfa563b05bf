"""What alert_duty holds about one alert: who was told, when, why, what they answered, and what is due next."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import asdict

MAX_TOLD: Final = 32
"""Steps of one alert. Levels only go up, so hand-overs stop first: with a roster that flaps it still goes up."""

MAX_TEXT: Final = 1000
"""Characters of a name, number or address; the longest real ones have under a hundred."""

MAX_WAITING: Final = 8
"""Receipts that wait for one alert: somebody who makes up alert ids must not make state grow."""


class Told(Struct, frozen=True, array_like=True, gc=False):
    """One step, as in the event's `told`. Times in ms since 1970 UTC."""

    addressee: str
    level: str
    cause: str
    told_at: int
    received_at: int | None = None
    seen_at: int | None = None
    acted_at: int | None = None
    outcome: str | None = None
    relieved_at: int | None = None


class Receipt(Struct, frozen=True, array_like=True, gc=False):
    """An answer. `id` is its event_id; `at` is when it happened where it was given, in ms."""

    id: str
    kind: str
    addressee: str
    at: int
    outcome: str | None


class Subject(Struct, frozen=True, array_like=True, gc=False):
    """What the alert is about, for whoever is told next. Gone from the state once the alert is closed."""

    colour: str
    person_id: str
    person_name: str | None
    phone: str | None
    address: str | None
    cell: str | None
    division: str
    change_id: str
    opened_at: int


class DutyState(Struct, frozen=True, array_like=True, gc=False):
    """One alert, in one of three ways:

    open     `subject` and `told` are there; `until` is when the last one told must have seen it or, once seen, acted.
             `overdue`: that has passed, and nothing is above
    unknown  only `waiting`: receipts that came before their alert, forgotten at `until`
    closed   nothing but `closed`, forgotten at `until`

    `look_at` is when an open alert looks at the roster again.
    """

    alert_id: str
    until: int
    look_at: int = 0
    closed: bool = False
    overdue: bool = False
    subject: Subject | None = None
    told: tuple[Told, ...] = ()
    waiting: tuple[Receipt, ...] = ()


def due(state: DutyState) -> int | None:
    """The next instant (ms) at which time alone does something: an overdue alert only looks at the roster."""
    if state.subject is None:
        return state.until
    return state.look_at if state.overdue else min(state.until, state.look_at)


def subject_of(event: Mapping[str, Any]) -> Subject:
    """The subject of a RAISED event. Whatever of it is too long to be what it says is left out: it would be written
    again with each step, and one that no record can hold would stop all alerts of the partition."""
    taken: dict[str, Any] = {}
    for field in Subject.__struct_fields__:
        value = event[field]
        taken[field] = None if isinstance(value, str) and len(value) > MAX_TEXT else value
    return Subject(**taken)


class Change(NamedTuple):
    """What happened to an alert, of which an event tells: its event_id, when (ms), the new state and its cause."""

    id: str
    at: int
    state: str
    cause: str


def event_value(change: Change, state: DutyState, subject: Subject) -> dict[str, Any]:
    """The fields of grid.alert.changed, for an alert that is open or was until now."""
    last, over = state.told[-1], change.state == "CLOSED"
    return {
        "event_id": change.id,
        "occurred_at": change.at,
        "publisher": "haihe",
        "alert_id": state.alert_id,
        "state": change.state,
        "colour": subject.colour,
        "person_id": subject.person_id,
        "person_name": subject.person_name,
        "phone": None if over else subject.phone,  # nothing to do any more, so nothing to know
        "address": None if over else subject.address,
        "cell": subject.cell,
        "division": subject.division,
        "addressee": last.addressee,
        "addressee_level": last.level,
        "change_id": subject.change_id,
        "opened_at": subject.opened_at,
        "cause": change.cause,
        "due_at": None if over else state.until,
        "told": [asdict(told) for told in state.told],
    }
