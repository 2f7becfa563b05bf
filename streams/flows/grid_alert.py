"""The grid alert: a code that is not green reaches the grid worker on duty for the person's home cell, and is taken
back from whoever was told.

One alert for each episode, from the change that leaves green to the one that returns to it; its id comes from the
opening change. The addressee is found once, at the opening, and kept: a roster that changes shift or a person who moves
does not send one person's alert to two people, and the RETRACTED goes to the one who has it. Whom to tell, in order:

  the grid worker on duty in the home cell; who is on duty for its street, its district, the city; the city's desk.

Without a residence the desks are those of the division that the change names. Nothing is ever dropped, and every step
down this list is counted by a note: `no-residence`, `no-grid-worker`, then `to-street`, `to-district` or `to-city`.

Name, phone and address travel only to where they are of use: when the person no longer lives in the cell whose grid
worker has the alert, later events of that alert go without them (note `moved`).
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from streams.flows.flow import Event, Flow, Outcome, Tables, derived_id

NAME: Final = "grid-alert"
CHANGED: Final = "health.code.changed"
ALERT: Final = "grid.alert.changed"
RESIDENCE: Final = "ref.residence"
ROSTER: Final = "ref.roster"

CITY: Final = "12"
CITY_DESK: Final = "desk-12"
"""Told when no roster names anybody."""

DESKS: Final = ((9, "STREET", "to-street"), (6, "DISTRICT", "to-district"), (2, "CITY", "to-city"))
"""Code length of each level above the cell, its addressee_level and its note, nearest first."""


class AlertState(Struct, frozen=True, array_like=True, gc=False):
    """The open alert of one person. `opened_at` in ms since 1970 UTC; `cell` None: opened without a residence."""

    alert_id: str
    colour: str
    addressee: str
    level: str
    opened_at: int
    cell: str | None
    division: str


def addressee(cell: str | None, division: str, tables: Tables) -> tuple[str, str, tuple[str, ...]]:
    """Who is told: id, level and notes, for a home cell (14 digits), or without one for a division (2 to 12 digits)."""
    roster = tables[ROSTER]
    notes = ["no-residence"] if cell is None else []
    if cell is not None:
        row = roster.get(cell)
        if row is not None and row["on_duty"]:
            return row["on_duty"], "GRID_WORKER", ()
        notes.append("no-grid-worker")
    for length, level, note in DESKS:
        if len(division) >= length:
            row = roster.get(division[:length])
            if row is not None and row["on_duty"]:
                return row["on_duty"], level, (*notes, note)
    return CITY_DESK, "CITY", (*notes, "to-city")


def step(state: AlertState | None, event: Event, now: int, tables: Tables) -> Outcome[AlertState]:
    """One change of a person's colour. Filtered `no-change`: green without an alert, or the colour already alerted."""
    change = event.value
    colour = change["colour"]
    if colour == ("GREEN" if state is None else state.colour):
        return Outcome(state, (), "no-change")
    residence = tables[RESIDENCE].get(event.key)
    if state is None:
        cell = (residence["cell"] or None) if residence is not None else None
        division = cell[:12] if cell is not None else change["division"] or CITY
        told, level, notes = addressee(cell, division, tables)
        id = derived_id(NAME, change["event_id"], 0)
        state = AlertState(id, colour, told, level, change["occurred_at"], cell, division)
        return Outcome(state, (_alert(state, "RAISED", colour, change, residence),), None, notes)
    if residence is not None and state.cell is not None and residence["cell"] != state.cell:
        residence, notes = None, ("moved",)
    else:
        notes = ()
    if colour == "GREEN":
        return Outcome(None, (_alert(state, "RETRACTED", colour, change, residence),), None, notes)
    state = replace(state, colour=colour)
    return Outcome(state, (_alert(state, "RAISED", colour, change, residence),), None, notes)


def _alert(
    alert: AlertState, state: str, colour: str, change: Mapping[str, Any], residence: Mapping[str, Any] | None
) -> Event:
    who: Mapping[str, Any] = residence if residence is not None else {}
    value = {
        "event_id": derived_id(NAME, change["event_id"], 1),
        "occurred_at": change["occurred_at"],
        "publisher": "haihe",
        "alert_id": alert.alert_id,
        "state": state,
        "colour": colour,
        "person_id": change["person_id"],
        "person_name": who.get("person_name"),
        "phone": who.get("phone"),
        "address": who.get("address"),
        "cell": alert.cell,
        "division": alert.division,
        "addressee": alert.addressee,
        "addressee_level": alert.level,
        "change_id": change["event_id"],
        "opened_at": alert.opened_at,
    }
    return Event(ALERT, alert.alert_id, value)


def due(state: AlertState) -> int | None:
    """Never: an alert ends when the colour does. (Escalation runs by time, in a flow of its own keyed by alert.)"""
    return None


def fire(state: AlertState, due: int, tables: Tables) -> Outcome[AlertState]:
    """Nothing happens by time alone."""
    return Outcome(state, (), "no-change")


FLOW: Final = Flow(
    name=NAME,
    reads=(CHANGED,),
    writes=(ALERT,),
    tables=(RESIDENCE, ROSTER),
    state=AlertState,
    step=step,
    due=due,
    fire=fire,
)
