"""Runs a flow in memory, as a chain runs it on Kafka: for tests of flows, and for trying one out without a broker.

It keeps the two promises that a flow relies on. Time is the greatest record timestamp so far, and timers due by then
fire before the record, each with its own due time. State goes through msgpack after every call, so what a flow
keeps only in its objects is lost here as it would be there.
"""

from typing import Generic, TypeVar

import msgspec

from streams.errors import Rejection
from streams.flows.flow import Event, Flow, Outcome, Tables

S = TypeVar("S")


class MemoryRunner(Generic[S]):
    """One partition of one flow. `events` is all it has produced, `now` its time in ms."""

    def __init__(self, flow: Flow[S], tables: Tables | None = None) -> None:
        self.flow = flow
        self.tables: Tables = {} if tables is None else tables
        self.now = 0
        self.events: list[Event] = []
        self._states: dict[str, bytes] = {}
        self._due: dict[str, int] = {}
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(flow.state)

    def send(self, event: Event, at: int) -> Outcome[S] | Rejection:
        """One record with timestamp `at` (ms); what the flow did with it, after any timers that were due.

        Raises AssertionError when the flow breaks its own contract: an outcome is filtered if and only if it changed
        nothing and produced nothing.
        """
        self.advance(at)
        before = self._states.get(event.key)
        outcome = self.flow.step(self.state(event.key), event, self.now, self.tables)
        if isinstance(outcome, Outcome):
            self._keep(event.key, outcome)
            idle = not outcome.events and self._states.get(event.key) == before
            assert (outcome.filtered is not None) == idle, f"filtered {outcome.filtered!r}, yet idle is {idle}"
        return outcome

    def advance(self, at: int, standstill: bool = False) -> list[Outcome[S]]:
        """Time passes to `at` (ms); what the timers did on the way, in order of their due times. After a `standstill`
        all that was due meanwhile is worked off at the end of it."""
        self.now = max(self.now, at)
        fired = []
        while self._due:
            due, key = min((due, key) for key, due in self._due.items())
            if due > self.now:
                break
            state = self.state(key)
            assert state is not None, "a timer without state"
            outcome = self.flow.fire(state, due, self.now if standstill else due, self.tables)
            self._keep(key, outcome)
            assert self._due.get(key, due + 1) > due, "a timer that does not move on"
            fired.append(outcome)
        return fired

    def state(self, key: str) -> S | None:
        """What the flow holds for `key`."""
        held = self._states.get(key)
        return None if held is None else self._decoder.decode(held)

    def keys(self) -> list[str]:
        """The keys that the flow holds something for."""
        return list(self._states)

    def size(self, key: str) -> int:
        """Bytes of the state of `key`, 0 without."""
        return len(self._states.get(key, b""))

    def _keep(self, key: str, outcome: Outcome[S]) -> None:
        self.events += outcome.events
        self._due.pop(key, None)
        if outcome.state is None:
            self._states.pop(key, None)
            return
        self._states[key] = self._encoder.encode(outcome.state)
        due = self.flow.due(outcome.state)
        if due is not None:
            self._due[key] = due
