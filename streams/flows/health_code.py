"""The health code: a person's colour is the worst of the live evidence about them, and time alone can end it.

One state a person, holding the evidence that still matters. Evidence is live while start <= now < until; a positive
test has no end until negative tests release it, and is then kept for a while because a correction of one of those
negatives brings it back. Corrections are remembered whether their evidence has come or not: they annul it in
whatever order the two arrive, and when it comes a second time. What comes very late is no evidence, and everything that
was withdrawn or released is remembered for longer than that: so nothing comes back, and no event id is derived twice,
because a publisher sends old events again.

Nothing here turns a person green by forgetting. A person's state is bounded by the policy, and beyond a bound
  evidence     merges into one nameless piece of its colour, which lives on but can no longer be withdrawn;
  negatives    lose the oldest sample, after it had its chance to release;
  corrections  lose the oldest, and until its time would have been over no negative counts: it may be the one corrected.

Filtered
  no-change    a negative that releases nothing and is not worth keeping
  no-evidence  the policy gives it no colour
  expired      over when it came, or too late
  duplicate    its event id again, or a second correction of the same
  annulled     corrected before it came
  memory-full  a negative that cannot be trusted, or anything that a bound made us forget at once
The note `memory-full` counts what went beyond a bound.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from streams.flows.evidence import (
    COLOURS,
    NEVER,
    Evidence,
    Negative,
    PersonState,
    Withdrawn,
    colour_at,
    due,
    merged,
    valid_until,
)
from streams.flows.flow import Event, Flow, Outcome, Tables, derived_id
from streams.flows.policy import Policy, Rule

NAME: Final = "health-code"
CHANGED: Final = "health.code.changed"
CORRECTED: Final = "health.evidence.corrected"
TESTED: Final = "health.test.result"
READS: Final = (TESTED, "health.contact.identified", "health.area.stayed", "health.national.checked", CORRECTED)

DAY: Final = 86_400_000


class HealthCode:
    """The flow's functions under one policy. They keep nothing between calls."""

    def __init__(self, policy: Policy) -> None:
        kinds = policy.evidence
        self._rules: dict[str, tuple[str, Mapping[str, Rule]]] = {
            TESTED: ("result", dict(kinds.test.items())),
            "health.contact.identified": ("degree", dict(kinds.contact.items())),
            "health.area.stayed": ("risk", dict(kinds.stay.items())),
            "health.national.checked": ("colour", dict(kinds.national.items())),
        }
        self._release = policy.release
        self._apart = policy.release.apart_ms
        self._clear_after = policy.release.from_ms
        self._memory = policy.memory
        self._late = policy.memory.late_ms

    def step(self, state: PersonState | None, event: Event, now: int, tables: Tables) -> Outcome[PersonState]:
        """One event about one person; `now` is the chain's time in ms. Raises KeyError for an event that lacks a field
        of its schema: a bug upstream, not a record's fault."""
        value = event.value
        if event.type == CORRECTED:
            return self._correct(state, event, now)
        field, rules = self._rules[event.type]
        symbol = value[field]
        rule = rules.get(symbol)
        if rule is not None:
            return self._add(state, event, rule, now)
        if symbol == "NEGATIVE" and event.type == TESTED:
            # Nearly all events of a city end here, for people about whom nothing is held.
            return Outcome(None, (), "no-change") if state is None else self._negative(state, event, now)
        return Outcome(state, (), "no-evidence")

    def fire(self, state: PersonState, due: int, now: int, tables: Tables) -> Outcome[PersonState]:
        """Time alone: what is over at `due` (ms) ends, what begins then begins, what may be forgotten is."""
        after = self._settle(state, due)
        colour = after.colour if after is not None else 0
        if colour == state.colour:
            return Outcome(after)
        source = f"{state.person}@{due}"
        if colour > state.colour:  # dated ahead of the chain's time when it came, and now its time has come
            begun = next(e for e in state.evidence if e.colour == colour and e.start <= due < e.until)
            return self._changed(state, after, due, source, "EVIDENCE", begun.id, None, begun.division)
        live = (e.division for e in state.evidence if e.colour == colour and e.start <= due < e.until)
        over = (e.division for e in state.evidence if e.colour == state.colour and e.until == due)
        division = next(live, None) if colour else next(over, None)
        return self._changed(state, after, due, source, "EXPIRY", None, None, division)

    def _add(self, state: PersonState | None, event: Event, rule: Rule, now: int) -> Outcome[PersonState]:
        """Evidence that the policy gives a colour."""
        value = event.value
        id, start = value["event_id"].lower(), value["occurred_at"]  # UUIDs: case is no difference (RFC 9562, 4)
        if state is not None:
            if any(w.id == id for w in state.withdrawn):
                return Outcome(state, (), "annulled")
            if any(e.id == id for e in state.evidence):
                return Outcome(state, (), "duplicate")
        until = clear_from = NEVER
        if rule.ends == "release":
            clear_from = start + self._clear_after
        else:
            named = value["valid_until"] if rule.ends == "source" else None
            until = start + (rule.days or 0) * DAY if named is None else named
        if until <= now or start + self._late <= now:
            return Outcome(state, (), "expired")
        piece = Evidence(id, COLOURS.index(rule.colour), start, until, until, clear_from, value["division"])
        notes: tuple[str, ...] = ()
        if state is None:
            state = PersonState(event.key, 0, now)
        if clear_from != NEVER and state.negatives:  # late news: the negatives that released another may cover it too
            piece = self._released(piece, state.negatives, now)
        evidence = (*state.evidence, piece)
        if len(evidence) > self._memory.evidence and sum(e.id is not None for e in evidence) > self._memory.evidence:
            evidence, notes = merged(evidence, self._memory.evidence), ("memory-full",)
        after = self._settle(state, now, evidence=evidence)
        outcome = self._changed(state, after, now, id, "EVIDENCE", id, None, piece.division)
        return outcome._replace(notes=notes) if notes else outcome

    def _negative(self, state: PersonState, event: Event, now: int) -> Outcome[PersonState]:
        """A negative test of a person about whom something is held."""
        value = event.value
        id, at = value["event_id"].lower(), value["occurred_at"]
        if any(w.id == id for w in state.withdrawn):
            return Outcome(state, (), "annulled")
        if any(n.id == id for n in state.negatives):
            return Outcome(state, (), "duplicate")
        if all(at < e.clear_from for e in state.evidence):
            return Outcome(state, (), "no-change")
        if at + self._late <= now:
            return Outcome(state, (), "expired")
        if now < state.distrust:
            return Outcome(state, (), "memory-full")
        negatives = (*state.negatives, Negative(id, at))
        if len(negatives) > 1 and at < negatives[-2].at:
            negatives = tuple(sorted(negatives, key=lambda n: n.at))
        evidence = tuple(
            self._released(e, negatives, now) if e.until == NEVER and at >= e.clear_from else e for e in state.evidence
        )
        after = self._settle(state, now, evidence=evidence, negatives=negatives[-self._memory.negatives :])
        return self._changed(state, after, now, id, "RELEASE", id, None, value["division"])

    def _correct(self, state: PersonState | None, event: Event, now: int) -> Outcome[PersonState]:
        """A correction: its evidence counts no more, whether it was here, is yet to come, or comes again."""
        value = event.value
        id, target = value["event_id"].lower(), value["corrects"].lower()
        if state is None:
            state = PersonState(event.key, 0, now)
        elif any(w.id == target for w in state.withdrawn):
            return Outcome(state, (), "duplicate")
        negatives = tuple(n for n in state.negatives if n.id != target)
        # Every release is proved again, not only when the target is among the negatives: it may be one that the bound
        # on negatives made us forget, and then what is left must carry the release alone.
        evidence = tuple(
            replace(e, until=NEVER, forget=NEVER)
            if e.clear_from != NEVER and e.until != NEVER and not self._clears(e, negatives)
            else e
            for e in state.evidence
            if e.id != target
        )
        withdrawn = (*state.withdrawn, Withdrawn(target, now + self._memory.corrections_ms))
        distrust = state.distrust
        notes: tuple[str, ...] = ()
        if len(withdrawn) > self._memory.corrections:
            distrust, withdrawn, notes = max(distrust, withdrawn[0].until), withdrawn[1:], ("memory-full",)
        after = self._settle(state, now, evidence=evidence, negatives=negatives, withdrawn=withdrawn, distrust=distrust)
        outcome = self._changed(state, after, now, id, "CORRECTION", id, target, value["division"])
        return outcome._replace(notes=notes) if notes else outcome

    def _clears(self, piece: Evidence, negatives: Iterable[Negative]) -> bool:
        """Whether `negatives`, in order of time, hold as many samples, far enough apart, as the release rule asks."""
        found, last = 0, -NEVER
        for negative in negatives:
            if negative.at >= piece.clear_from and negative.at - last >= self._apart:
                found, last = found + 1, negative.at
        return found >= self._release.negatives

    def _released(self, piece: Evidence, negatives: Iterable[Negative], now: int) -> Evidence:
        if not self._clears(piece, negatives):
            return piece
        return replace(piece, until=now, forget=now + self._memory.released_ms)

    def _settle(
        self,
        state: PersonState,
        now: int,
        *,
        evidence: tuple[Evidence, ...] | None = None,
        negatives: tuple[Negative, ...] | None = None,
        withdrawn: tuple[Withdrawn, ...] | None = None,
        distrust: int | None = None,
    ) -> PersonState | None:
        """The state at `now` with the given parts replaced and what is over left out; None when nothing is left."""
        evidence = tuple(e for e in (state.evidence if evidence is None else evidence) if e.forget > now)
        negatives = state.negatives if negatives is None else negatives  # kept while anything is: they may come again
        withdrawn = tuple(w for w in (state.withdrawn if withdrawn is None else withdrawn) if w.until > now)
        distrust = state.distrust if distrust is None else distrust
        if not evidence and not withdrawn and distrust <= now:
            return None
        return PersonState(state.person, colour_at(evidence, now), now, evidence, negatives, withdrawn, distrust)

    def _changed(
        self,
        before: PersonState,
        after: PersonState | None,
        at: int,
        source: str,
        cause: str,
        evidence_id: str | None,
        corrects: str | None,
        division: str | None,
    ) -> Outcome[PersonState]:
        """The outcome of a call that changed the state: one event when the colour changed, none when it did not."""
        colour = after.colour if after is not None else 0
        if colour == before.colour:
            if after is not None and replace(after, as_of=before.as_of) == before:
                return Outcome(before, (), "memory-full")  # taken, and in the same call forgotten
            return Outcome(after)
        change: dict[str, Any] = {
            "event_id": derived_id(NAME, source, 0),
            "occurred_at": at,
            "publisher": "haihe",
            "person_id": before.person,
            "colour": COLOURS[colour],
            "previous": COLOURS[before.colour],
            "cause": cause,
            "evidence_id": evidence_id,
            "corrects": corrects,
            "division": division,
            "valid_until": valid_until(after.evidence, at) if after is not None else None,
        }
        return Outcome(after, (Event(CHANGED, before.person, change),))


def make(policy: Policy) -> Flow[PersonState]:
    """The flow `health-code` under `policy`."""
    code = HealthCode(policy)
    return Flow(
        name=NAME,
        reads=READS,
        writes=(CHANGED,),
        tables=(),
        state=PersonState,
        step=code.step,
        due=due,
        fire=code.fire,
    )
