"""A chain: all flows and views that read a topic, or one produced in the same pass under the same key, run in one pass
over a batch and one transaction for all outputs, state, timers and offsets.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streams.chains.audited import Audit, AuditedPass, FlowFailed, Poison
from streams.chains.budget import Budget
from streams.chains.ledger import Ledger
from streams.chains.tables import PartitionView
from streams.contract.version import Version
from streams.contract.wire import schema_id
from streams.engine.app import Parts
from streams.engine.batch import Batch, Message, place
from streams.engine.client import MAX_RECORD
from streams.engine.faults import SYSTEM
from streams.errors import Rejection, SystemFailure
from streams.flows.flow import Event, Flow, Outcome, Table
from streams.governance.view import View, Withheld
from streams.observe.health import Health
from streams.observe.metrics import METRICS

TURN = 64
"""Records after which the loop gets its turn."""
NOTHING: Poison = {}


class Schemas(NamedTuple):
    """`find(schema id, topic)` gives the version a record was written with (None: unknown while the registry is away),
    `latest(topic)` the one to write with; `new_batch` comes before each batch."""

    find: Callable[[int, str], Version | Rejection | None]
    latest: Callable[[str], Version]
    new_batch: Callable[[], None] = lambda: None


def inputs_of(flows: Sequence[Flow[Any]]) -> tuple[str, ...]:
    """The topics that a chain of these flows reads: those that none of them writes, and those that one both reads and
    writes. Another chain writes there too, so the order of the topic counts: the flow meets its own output there, not
    within the pass, and filters it."""
    written = {topic for flow in flows for topic in flow.writes}
    shared = {topic for flow in flows for topic in flow.reads if topic in flow.writes}
    return tuple(sorted({topic for flow in flows for topic in flow.reads} - written | shared))


class Origin(NamedTuple):
    """Where an event in the pass comes from: the record read (None for a timer), its partition, and its timestamp."""

    message: Message | None
    partition: int
    timestamp: int


class _Runner:
    """One flow at work: its state codec, its key prefix in the chain's state, its budget."""

    def __init__(self, flow: Flow[Any]):
        self.flow, self.name = flow, flow.name
        self.prefix = flow.name.encode() + b"/"
        self.decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(flow.state).decode
        self.budget = Budget(flow.name)


class Chain(AuditedPass):
    """One pass over a batch. `tables` are the global ones; the partitioned ones come with `parts`."""

    def __init__(
        self,
        flows: Sequence[Flow[Any]],
        views: Sequence[View],
        schemas: Schemas,
        tables: Mapping[str, Table],
        parts: Parts,
        ledger: Ledger,
        audit: Audit,
        health: Health,
    ):
        super().__init__(parts.produce, ledger, audit, health)
        self._schemas, self._state, self._local = schemas, parts.state, parts.tables
        self._runners = [_Runner(flow) for flow in flows]
        self._by_prefix = {r.prefix: r for r in self._runners}
        self._inputs = frozenset(inputs_of(flows))
        self._readers = {t: [r for r in self._runners if t in r.flow.reads] for f in flows for t in f.reads}
        self._views = {v.source: [w for w in views if w.source == v.source] for v in views}
        self._partition_views = [PartitionView(t, self._row(topic)) for topic, t in parts.tables.items()]
        self._tables: dict[str, Table] = {
            **tables, **dict(zip(parts.tables, self._partition_views, strict=True))
        }  # fmt: skip
        self._poison = NOTHING  # of the record in hand
        self._wall = 0  # when the pass began, in ms
        self._encode_state = msgspec.msgpack.Encoder().encode
        self._step_seconds = METRICS.step_seconds.labels(ledger.chain, "flow")

    def run(self, batch: Batch) -> Iterator[None]:
        started, self._wall = time.perf_counter(), int(time.time() * 1000)
        self._schemas.new_batch()
        for partition, wall in batch.ticks.items():
            self._advance(partition, wall)
            yield
        held: set[tuple[str, int]] = set()
        for n, message in enumerate(batch.messages):
            batch.at = message
            topic, partition, _ = place(message)
            if held and (topic, partition) in held:
                continue
            if not self._take(message):
                held.add((topic, partition))
                batch.hold(message)
            if n % TURN == TURN - 1:
                yield
        self._step_seconds.observe(time.perf_counter() - started)

    # -- one record ------------------------------------------------------------------------------------------
    def _take(self, message: Message) -> bool:
        """False when the record must wait."""
        topic, partition, _ = place(message)
        key, value, timestamp = message.key() or b"", message.value(), message.timestamp()[1]
        table = self._local.get(topic)
        if table is not None:
            table.apply(partition, key, value)
            return True
        self._advance(partition, timestamp)
        origin = Origin(message, partition, timestamp)
        self._poison = self.poisoned.get(place(message), NOTHING) if self.poisoned else NOTHING
        event = self._poison.get(None) or self._decode(topic, key, value)
        if event is None:
            return False
        self._dispatch(topic, event, key, value, origin)
        return True

    def _decode(self, topic: str, key: bytes, value: bytes | None) -> Event | Rejection | None:
        if value is None:
            return Rejection("decode", "empty", "the record has no value")
        identity = schema_id(value)
        if isinstance(identity, Rejection):
            return identity
        version = self._schemas.find(identity, topic)
        if not isinstance(version, Version):
            return version
        try:
            return Event(topic, key.decode(), version.decode(value))
        except ValueError:
            return Rejection("decode", "truncated", "the bytes do not fit the schema")

    def _dispatch(self, topic: str, event: Event | Rejection, key: bytes, value: bytes | None, origin: Origin) -> None:
        """Give an event to each flow of the chain that reads its topic."""
        for runner in self._readers.get(topic, ()):
            count = self.ledger.flow(runner.name)
            count.read += 1
            if isinstance(event, Rejection):
                rejection: Rejection | None = event
            else:
                rejection = self._poison.get(runner.name) or self._step(runner, event, origin)
            if rejection is None:
                runner.budget.accepted()
                continue
            if origin.message is None:
                raise SystemFailure(f"flow {runner.name} refused an event of a timer: {rejection.reason}")
            count.reject(rejection)
            self.dead.send(topic, runner.name, rejection, origin.message, key, value)
            runner.budget.refused()

    def _step(self, runner: _Runner, event: Event, origin: Origin) -> Rejection | None:
        partition = origin.partition
        state_key = runner.prefix + event.key.encode()
        raw = self._state.partitions[partition].get(state_key)
        now = self._state.partitions[partition].time if origin.message is not None else origin.timestamp
        try:
            outcome = runner.flow.step(runner.decode(raw) if raw else None, event, now, self._tables)
        except SYSTEM:
            raise  # a table that is no longer followed, say: not the record's fault
        except Exception as exc:
            raise _failed(runner.name, exc, origin) from exc
        if isinstance(outcome, Rejection):
            return outcome
        count = self.ledger.flow(runner.name)
        if outcome.filtered is not None and not outcome.events:
            count.filtered[outcome.filtered] += 1
            return None
        rejection = self._apply(runner, outcome, state_key, raw is not None, origin)
        if rejection is None:
            count.delivered += 1
        return rejection

    def committed(self) -> None:
        super().committed()
        for runner in self._runners:
            runner.budget.commit()

    def aborted(self) -> None:
        super().aborted()
        for runner in self._runners:
            runner.budget.rollback()

    # -- time ------------------------------------------------------------------------------------------------
    def _advance(self, partition: int, until: int) -> None:
        """Move the partition's time and fire what is due by then, each timer with its own due time."""
        self._poison = NOTHING
        for view in self._partition_views:
            view.partition = partition
        part = self._state.partitions[partition]
        if until > part.time:
            part.time = until
        while (entry := part.timers.take(part.time)) is not None:
            due, state_key = entry
            name, _, _ = state_key.partition(b"/")
            runner = self._by_prefix[name + b"/"]
            raw = part.get(state_key)
            if raw is None:
                continue
            origin = Origin(None, partition, due)
            try:
                outcome = runner.flow.fire(runner.decode(raw), due, max(due, self._wall), self._tables)
                again = None if outcome.state is None else runner.flow.due(outcome.state)
            except SYSTEM:
                raise
            except Exception as exc:
                raise _failed(runner.name, exc, origin) from exc
            if again is not None and again <= due:
                raise SystemFailure(f"flow {runner.name} set a timer that is not later than the one that fired")
            self.ledger.flow(runner.name).fired += 1
            if self._apply(runner, outcome, state_key, True, origin) is not None:
                raise SystemFailure(f"flow {runner.name} made an event of a timer that cannot be written")

    # -- outputs ---------------------------------------------------------------------------------------------
    def _apply(
        self, runner: _Runner, outcome: Outcome[Any], state_key: bytes, existed: bool, origin: Origin
    ) -> Rejection | None:
        """Write outputs and state. Everything is encoded first, so that a refusal leaves no trace."""
        encoded: list[tuple[Event, bytes]] = []
        for event in outcome.events:
            try:
                value = self._schemas.latest(event.type).encode(event.value)
            except ValueError:
                return Rejection("encode", "invalid", f"an event of {event.type} does not fit its schema")
            if len(value) > MAX_RECORD:
                return Rejection("encode", "too-large", f"{len(value)} bytes, at most {MAX_RECORD}")
            encoded.append((event, value))
        if outcome.state is not None:
            try:
                state, due = self._encode_state(outcome.state), runner.flow.due(outcome.state)
            except Exception as exc:
                raise _failed(runner.name, exc, origin) from exc
            self._state.put(origin.partition, state_key, state, due)
        elif existed:
            self._state.put(origin.partition, state_key, None, None)
        for note in outcome.notes:
            self.ledger.flow(runner.name).notes[note] += 1
        for event, value in encoded:
            key = event.key.encode()
            self.produce(event.type, value, key, timestamp=origin.timestamp)
            if origin.message is not None:
                self.ledger.written.append(origin.timestamp)
            for view in self._views.get(event.type, ()):
                self._show(view, event, origin.timestamp)
            if event.type not in self._inputs:
                self._dispatch(event.type, event, key, value, origin)
        return None

    def _show(self, view: View, event: Event, timestamp: int) -> None:
        """A view fails closed: whatever goes wrong, the event is withheld and counted."""
        count = self.ledger.view(view.name)
        try:
            value = self._schemas.latest(view.name).encode(view.apply(event.value))
            key = view.key(event.value)
        except Withheld as exc:
            count.withheld[exc.reason] += 1
            return
        except SYSTEM:
            raise  # a view without a released schema would withhold everything
        except Exception:
            count.withheld["failed"] += 1
            return
        self.produce(view.name, value, key, timestamp=timestamp)
        count.delivered += 1

    def _row(self, topic: str) -> Callable[[bytes], Mapping[str, Any] | None]:
        def decode(value: bytes) -> Mapping[str, Any] | None:
            identity = schema_id(value)
            version = identity if isinstance(identity, Rejection) else self._schemas.find(identity, topic)
            if version is None:
                raise SystemFailure(f"{topic} has a row of schema id {identity}, unknown while the registry is away")
            try:
                return version.decode(value) if isinstance(version, Version) else None
            except ValueError:
                return None  # a row that nobody can read is a row that is not there

        return decode


def _failed(flow: str, exc: Exception, origin: Origin) -> Exception:
    """A flow raised: a fault of the record in hand, or in a timer a bug for which no record can be refused. The type
    only: a message may quote the state."""
    if origin.message is None:
        return SystemFailure(f"flow {flow} failed in a timer ({type(exc).__name__})")
    return FlowFailed(flow, "flow")
