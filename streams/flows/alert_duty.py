"""The duty that an alert is: whoever is told must see it and act in time, or it goes one level up, until somebody acts
or the colour is over.

  seen    by the last one told: then acting is due, counted from when that one was told
  acted   by anybody who was ever told: closed
  late    not seen, or not acted on: one level up (duty.LEVELS), and the clock begins anew. Nothing is above the city's
          desk: the alert stays there, overdue
  duty    changed: at the end of each shift and every now and then an open alert looks at the roster, and is handed over
          to whoever is on duty now at the same level, with a new clock
  over    retracted: closed, and as the event names all who were ever told, all of them learn of it

Each step is an event that carries the whole story in `told`. A closed alert stays closed: nothing is written about it
any more. An answer that comes before its alert (another topic, no order between topics) waits for it.

Filtered
  own          this flow's own events, which come back on the topic that it shares with grid_alert
  no-change    an answer that was given already, on another device perhaps
  not-told     an answer by somebody who was never told
  closed       whatever comes for a closed alert
  duplicate    the same alert raised again
  no-alert     a retraction of an alert that nobody remembers
  too-many     more answers to an unknown alert than are kept
Notes: the cause of each step up in lower case, then its level as `to-backup` ... `to-city`; `overdue` at the city's
desk; `handed-over`; `never-raised` for answers that waited in vain.
"""

from typing import Final, NamedTuple

from msgspec.structs import replace

from streams.flows.alert import (
    MAX_TOLD,
    MAX_WAITING,
    Change,
    DutyState,
    Receipt,
    Subject,
    Told,
    due,
    event_value,
    subject_of,
)
from streams.flows.duty import LEVELS, ROSTER, above, on_duty
from streams.flows.duty_policy import DutyPolicy
from streams.flows.flow import Event, Flow, Outcome, Tables, derived_id

NAME: Final = "alert-duty"
ALERT: Final = "grid.alert.changed"
RECEIPTED: Final = "grid.alert.receipted"
READS: Final = (ALERT, RECEIPTED)

RAISED, RETRACTED = "RAISED", "RETRACTED"
"""What grid_alert writes on the topic; everything else there is this flow's own."""


class Moment(NamedTuple):
    """The event_id that a change will have, and when it happens (ms)."""

    id: str
    at: int


class AlertDuty:
    """The flow's functions under one policy. They keep nothing between calls."""

    def __init__(self, policy: DutyPolicy) -> None:
        self._policy = policy
        self._waits = policy.receipt_waits_s * 1000
        self._known = policy.closed_known_s * 1000

    def step(self, state: DutyState | None, event: Event, now: int, tables: Tables) -> Outcome[DutyState]:
        """One event about an alert, by its key."""
        value = event.value
        if event.type == ALERT:
            if value["state"] not in (RAISED, RETRACTED):
                return Outcome(state, (), "own")
            if state is not None and state.closed:
                return Outcome(state, (), "closed")
            return self._raise(state, event, now) if value["state"] == RAISED else self._retract(state, event, now)
        receipt = Receipt(value["event_id"], value["kind"], value["addressee"], value["occurred_at"], value["outcome"])
        if state is None:
            state = DutyState(event.key, now + self._waits)
        if state.closed:
            return Outcome(state, (), "closed")
        if state.subject is not None:
            return self._answer(state, state.subject, receipt, now)
        if any(w.id == receipt.id for w in state.waiting):
            return Outcome(state, (), "no-change")
        if len(state.waiting) >= MAX_WAITING:
            return Outcome(state, (), "too-many")
        return Outcome(replace(state, waiting=(*state.waiting, receipt)))

    def fire(self, state: DutyState, due: int, now: int, tables: Tables) -> Outcome[DutyState]:
        """Time alone: a deadline, a look at the roster, or the end of what is remembered. Whoever is told has the whole
        time from `now`: after a standstill nobody is passed over for what could not be told."""
        if state.subject is None:
            return Outcome(None, (), None, ("never-raised",) if state.waiting else ())
        moment = Moment(derived_id(NAME, f"{state.alert_id}@{due}", 0), max(due, now))
        if due >= state.until and not state.overdue:
            return self._escalate(state, state.subject, moment, tables)
        return self._look(state, state.subject, moment, tables)

    # -- what comes ------------------------------------------------------------------------------------------
    def _raise(self, state: DutyState | None, event: Event, now: int) -> Outcome[DutyState]:
        value = event.value
        if state is not None and state.subject is not None:
            return Outcome(state, (), "duplicate")
        subject = subject_of(value)
        at = max(now, value["occurred_at"])
        first = Told(value["addressee"], value["addressee_level"], value["cause"], at)
        opened = self._told(DutyState(event.key, 0), subject, (first,), at)
        events: list[Event] = []
        for receipt in state.waiting if state is not None else ():
            outcome = self._answer(opened, subject, receipt, at)
            events += outcome.events
            assert outcome.state is not None
            opened = outcome.state
            if opened.closed:
                break
        return Outcome(opened, tuple(events))

    def _retract(self, state: DutyState | None, event: Event, now: int) -> Outcome[DutyState]:
        if state is None:
            return Outcome(None, (), "no-alert")
        if state.subject is None:  # answers wait for an alert whose beginning is no longer on the topic
            return Outcome(self._closed(state, now))
        subject = replace(state.subject, change_id=event.value["change_id"])
        moment = _moment(state, event.value["event_id"], now)
        return Outcome(self._closed(state, now), (_event(moment, "CLOSED", RETRACTED, state, subject),))

    def _answer(self, state: DutyState, subject: Subject, receipt: Receipt, now: int) -> Outcome[DutyState]:
        """A receipt for an open alert, attributed to the last time that its sender was told."""
        told = state.told
        step = next((n for n in range(len(told) - 1, -1, -1) if told[n].addressee == receipt.addressee), None)
        if step is None:
            return Outcome(state, (), "not-told")
        entry = told[step]
        # A device's clock is not ours: nothing happens in the future, nor before it was told.
        at = max(entry.told_at, min(receipt.at, now))
        if receipt.kind == "ACTED":
            seen_at = entry.seen_at if entry.seen_at is not None else at
            entry = replace(entry, seen_at=seen_at, acted_at=at, outcome=receipt.outcome or "OTHER")
        elif receipt.kind == "SEEN":
            if entry.seen_at is not None:
                return Outcome(state, (), "no-change")
            entry = replace(entry, seen_at=at)
        elif entry.received_at is not None:
            return Outcome(state, (), "no-change")
        else:
            entry = replace(entry, received_at=at)
        state = replace(state, told=(*told[:step], entry, *told[step + 1 :]))
        moment = _moment(state, receipt.id, now)
        if receipt.kind == "ACTED":
            return Outcome(self._closed(state, now), (_event(moment, "CLOSED", "ACTED", state, subject),))
        if receipt.kind != "SEEN" or step != len(told) - 1:
            return Outcome(state)
        acted_by = entry.told_at + self._policy.periods(subject.colour, entry.told_at).acted_ms
        state = replace(state, until=acted_by, overdue=False)
        return Outcome(state, (_event(moment, "SEEN", "SEEN", state, subject),))

    # -- time ------------------------------------------------------------------------------------------------
    def _escalate(self, state: DutyState, subject: Subject, moment: Moment, tables: Tables) -> Outcome[DutyState]:
        last = state.told[-1]
        higher = above(last.level, last.addressee, subject.cell, subject.division, tables)
        if higher is None:
            looked = self._look(replace(state, overdue=True), subject, moment, tables)
            return looked._replace(notes=("overdue", *looked.notes))
        level, who = higher
        cause = "UNSEEN" if last.seen_at is None else "NOT_ACTED"
        state = self._told(state, subject, (*state.told, Told(who, level, cause, moment.at)), moment.at)
        notes = (cause.lower().replace("_", "-"), f"to-{level.lower()}")
        return Outcome(state, (_event(moment, "ESCALATED", cause, state, subject),), None, notes)

    def _look(self, state: DutyState, subject: Subject, moment: Moment, tables: Tables) -> Outcome[DutyState]:
        """Hand over when the roster names somebody else than the last one told. Nobody on duty is nobody to tell: the
        alert stays where it is."""
        last, at = state.told[-1], moment.at
        who = on_duty(last.level, subject.cell, subject.division, tables)
        if who is None or who == last.addressee or len(state.told) >= MAX_TOLD - len(LEVELS):
            return Outcome(replace(state, look_at=self._policy.next_look(at)))
        relieved = replace(last, relieved_at=at)
        cause = "DUTY_CHANGED"
        state = self._told(state, subject, (*state.told[:-1], relieved, Told(who, last.level, cause, at)), at)
        return Outcome(state, (_event(moment, "HANDED_OVER", cause, state, subject),), None, ("handed-over",))

    # -- outputs ---------------------------------------------------------------------------------------------
    def _told(self, state: DutyState, subject: Subject, told: tuple[Told, ...], at: int) -> DutyState:
        """Somebody is told at `at`: a new clock."""
        until = at + self._policy.periods(subject.colour, at).seen_ms
        look_at = self._policy.next_look(at)
        return DutyState(state.alert_id, until, look_at, subject=subject, told=told)

    def _closed(self, state: DutyState, now: int) -> DutyState:
        return DutyState(state.alert_id, now + self._known, closed=True)


def _moment(state: DutyState, source: str, now: int) -> Moment:
    """Of a change that the event `source` causes, never before the last one: that may have been told by the clock."""
    return Moment(derived_id(NAME, f"{state.alert_id}/{source}", 0), max(now, state.told[-1].told_at))


def _event(moment: Moment, name: str, cause: str, state: DutyState, subject: Subject) -> Event:
    return Event(ALERT, state.alert_id, event_value(Change(moment.id, moment.at, name, cause), state, subject))


def make(policy: DutyPolicy) -> Flow[DutyState]:
    """The flow `alert-duty` under `policy`."""
    duty = AlertDuty(policy)
    return Flow(
        name=NAME,
        reads=READS,
        writes=(ALERT,),
        tables=(ROSTER,),
        state=DutyState,
        step=duty.step,
        due=due,
        fire=duty.fire,
    )
