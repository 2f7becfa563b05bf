"""The grid alert: a code that is not green reaches the grid worker on duty for the person's home cell, and is taken
back when the colour is over.

One alert for each colour: a change between red and orange retracts the one and raises another. An alert is an order to
act with a clock of its own (see alert_duty); if a worse colour only changed an alert that somebody has closed already,
nobody would be told of it. The alert's id comes from the change that raised it. The addressee is found once, then, and
kept here: who has it later is alert_duty's, and so is telling all of them of the end. Whom to tell, in order:

  the grid worker on duty in the home cell; who is on duty for its street, its district, the city; the city's desk.

Without a residence the desks are those of the division that the change names. Nothing is ever dropped, and every step
down this list is counted by a note: `no-residence`, `no-grid-worker`, then `to-street`, `to-district` or `to-city`.

Phone and address travel with what must be acted on, and no further: a retraction goes without them.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from streams.flows.duty import CITY, CITY_DESK, CITY_LEVEL, GRID_WORKER, ROSTER, on_duty, told
from streams.flows.duty_policy import DutyPolicy
from streams.flows.flow import Event, Flow, Outcome, Tables, derived_id

NAME: Final = "grid-alert"
CHANGED: Final = "health.code.changed"
ALERT: Final = "grid.alert.changed"
RESIDENCE: Final = "ref.residence"

DESKS: Final = (("STREET", "to-street"), ("DISTRICT", "to-district"), (CITY_LEVEL, "to-city"))
"""Levels that are told when there is no grid worker, and their notes, nearest first."""


class AlertState(Struct, frozen=True, array_like=True, gc=False):
    """The alert of one person's colour. `opened_at` in ms since 1970 UTC; `cell` None: raised without a residence."""

    alert_id: str
    colour: str
    addressee: str
    level: str
    opened_at: int
    cell: str | None
    division: str


def addressee(cell: str | None, division: str, tables: Tables) -> tuple[str, str, tuple[str, ...]]:
    """Who is told: id, level and notes, for a home cell (14 digits), or without one for a division (2 to 12 digits)."""
    who = on_duty(GRID_WORKER, cell, division, tables)
    if who is not None:
        return who, GRID_WORKER, ()
    notes = "no-residence" if cell is None else "no-grid-worker"
    for level, note in DESKS:
        who = on_duty(level, None, division, tables)
        if who is not None:
            return who, level, (notes, note)
    return CITY_DESK, CITY_LEVEL, (notes, "to-city")


class GridAlert:
    """The flow's functions. `policy` says until when the first addressee must have seen an alert."""

    def __init__(self, policy: DutyPolicy) -> None:
        self._policy = policy

    def step(self, state: AlertState | None, event: Event, now: int, tables: Tables) -> Outcome[AlertState]:
        """One change of a person's colour. Filtered `no-change`: the colour is alerted, or green without an alert."""
        change = event.value
        colour = change["colour"]
        if colour == ("GREEN" if state is None else state.colour):
            return Outcome(state, (), "no-change")
        residence = tables[RESIDENCE].get(event.key)
        events = (_alert(state, "RETRACTED", 2, change, residence),) if state is not None else ()
        if colour == "GREEN":
            return Outcome(None, events)
        cell = (residence["cell"] or None) if residence is not None else None
        division = cell[:12] if cell is not None else change["division"] or CITY
        name, level, notes = addressee(cell, division, tables)
        opened_at = change["occurred_at"]
        id = derived_id(NAME, change["event_id"], 0)
        state = AlertState(id, colour, name, level, opened_at, cell, division)
        due_at = opened_at + self._policy.periods(colour, opened_at).seen_ms
        raised = _alert(state, "RAISED", 1, change, residence, due_at)
        return Outcome(state, (*events, raised), None, notes)


def _alert(
    alert: AlertState,
    state: str,
    number: int,
    change: Mapping[str, Any],
    residence: Mapping[str, Any] | None,
    due_at: int | None = None,
) -> Event:
    who: Mapping[str, Any] = residence if residence is not None else {}
    at, raised = change["occurred_at"], state == "RAISED"
    value = {
        "event_id": derived_id(NAME, change["event_id"], number),
        "occurred_at": at,
        "publisher": "haihe",
        "alert_id": alert.alert_id,
        "state": state,
        "colour": change["colour"],
        "person_id": change["person_id"],
        "person_name": who.get("person_name"),
        "phone": who.get("phone") if raised else None,
        "address": who.get("address") if raised else None,
        "cell": alert.cell,
        "division": alert.division,
        "addressee": alert.addressee,
        "addressee_level": alert.level,
        "change_id": change["event_id"],
        "opened_at": alert.opened_at,
        "cause": "COLOUR",
        "due_at": due_at,
        "told": [told(alert.addressee, alert.level, "COLOUR", at)] if raised else [],
    }
    return Event(ALERT, alert.alert_id, value)


def due(state: AlertState) -> int | None:
    """Never: what happens to an alert by time alone is alert_duty's."""
    return None


def fire(state: AlertState, due: int, now: int, tables: Tables) -> Outcome[AlertState]:
    """Nothing happens by time alone."""
    return Outcome(state, (), "no-change")


def make(policy: DutyPolicy) -> Flow[AlertState]:
    """The flow `grid-alert` under `policy`."""
    return Flow(
        name=NAME,
        reads=(CHANGED,),
        writes=(ALERT,),
        tables=(RESIDENCE, ROSTER),
        state=AlertState,
        step=GridAlert(policy).step,
        due=due,
        fire=fire,
    )
