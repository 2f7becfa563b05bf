"""A chain of three toy flows in memory: each record says what each flow shall do with it, so that a test reads as one.

`do` of an event is `<flow>=<action>` words; a flow without a word keeps count and makes nothing.
Topics: flows `count` and `sibling` read a.thing.happened, `count` makes b.thing.made, `second` reads that and makes
c.thing.made; b.thing.made has a view.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from streams.chains.audited import Audit
from streams.chains.chain import Chain, Schemas
from streams.chains.ledger import Ledger
from streams.contract.released import Released
from streams.contract.wire import HEADER, header
from streams.engine.app import Parts
from streams.engine.restore import PartitionedTable
from streams.engine.state import KeyedState
from streams.errors import Rejection
from streams.flows.flow import Event, Flow, Outcome, derived_id
from streams.observe.health import Health
from tests.unit.contract.bus_of import CONTRACTS, DIVISIONS

A, B, C, VIEW = "a.thing.happened", "b.thing.made", "c.thing.made", "to.someone.b.thing.made"
REFUSED = Rejection("enrich", "no-such-cell", "field cell")
POLICY_VERSION = 7


class Message:
    """As much of a consumed record as a pass looks at."""

    def __init__(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = b"k",
        offset: int = 0,
        time: int = 0,
        partition: int = 0,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        self._place, self._key, self._value, self._time = (topic, partition, offset), key, value, time
        self._headers = headers

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._headers

    def topic(self) -> str:
        return self._place[0]

    def partition(self) -> int:
        return self._place[1]

    def offset(self) -> int:
        return self._place[2]

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 1, self._time


class Batch:
    """What a pass is given. `held` are the records that it left unread."""

    def __init__(self, messages: Iterable[Message], ticks: Mapping[int, int] | None = None) -> None:
        self.messages, self.ticks, self.held = list(messages), dict(ticks or {}), []

    def hold(self, message: Message) -> None:
        self.held.append(message)


class Written(NamedTuple):
    """One record that a pass produced."""

    topic: str
    value: bytes | None
    key: bytes | str | None
    timestamp: int
    headers: dict[str, str]


class Outputs(list[Written]):
    """Stands in for the transaction's produce."""

    def __call__(self, topic, value, key=None, partition=-1, timestamp=0, headers=()):
        self.append(Written(topic, value, key, timestamp, {name: v.decode() for name, v in headers}))

    def of(self, topic: str) -> list[Written]:
        return [record for record in self if record.topic == topic]


def _schema(name: str) -> dict[str, Any]:
    texts = ("event_id", "do", "text")
    fields = [{"name": field, "type": "string", "default": ""} for field in texts]
    return {"type": "record", "name": name, "fields": [*fields, {"name": "at", "type": "long", "default": 0}]}


def released() -> Released:
    """Every topic's schema, and bus.audit's."""
    schemas = Released(CONTRACTS, DIVISIONS)
    for number, topic in enumerate((A, B, C, VIEW), 1):
        schemas.apply(*Released.record(topic, 1, number, _schema(f"Thing{number}")))
    schemas.apply(*Released.record("bus.audit", 1, 9, CONTRACTS["bus.audit"].versions[1]))
    return schemas


class Count(msgspec.Struct):
    """A toy flow's state."""

    n: int
    wake: int | None = None


def toy_flow(name: str, reads: str, writes: tuple[str, ...]) -> Flow[Count]:
    def made(event: Event, source: str, **fields: Any) -> Event:
        return Event(writes[0], event.key, {"event_id": derived_id(name, source, 0), "do": event.value["do"], **fields})

    def step(state, event, now, tables):
        words = dict(word.split("=", 1) for word in event.value["do"].split())
        action, _, argument = words.get(name, "keep").partition(":")
        count = Count(state.n + 1 if state else 1, state.wake if state else None)
        match action:
            case "keep":
                return Outcome(count)
            case "make":
                row = tables["ref.thing"].get(event.key) if "ref.thing" in tables else None
                text = f"{name} {count.n} {now}" + (f" {row['text']}" if row else "")
                return Outcome(count, (made(event, event.value["event_id"], text=text, at=now),), notes=("made",))
            case "skip":
                return Outcome(state, filtered="no-change")
            case "refuse":
                return REFUSED
            case "raise":
                raise ValueError(f"a bug that quotes {event.key}")
            case "large":
                return Outcome(count, (made(event, "x", text="x" * 2_000_000),))
            case "unfit":
                return Outcome(count, (made(event, "x", no_such_field=1),))
            case "wake":
                return Outcome(Count(count.n, int(argument)))
            case "forget":
                return Outcome(None)
        raise AssertionError(action)

    def fire(state, due, now, tables):
        if state.n == 13:
            raise ValueError("a timer's bug")
        event = Event(reads, "k", {"do": "second=raise" if state.n == 12 else ""})
        return Outcome(Count(state.n), (made(event, f"k@{due}", text=f"{name} woken {due}", at=due),))

    return Flow(name, (reads,), writes, (), Count, step, lambda state: state.wake, fire)


FLOWS = (toy_flow("count", A, (B,)), toy_flow("sibling", A, (B,)), toy_flow("second", B, (C,)))


class View:
    """Shows b.thing.made, unless its text is `hide`; `fail` as a bug in a mask would."""

    name, source = VIEW, B

    def __init__(self, breaks: str = "") -> None:
        self.breaks = breaks

    def apply(self, event: Mapping[str, Any]) -> dict[str, Any]:
        from streams.governance.view import Withheld

        if self.breaks == "withhold":
            raise Withheld("expired")
        if self.breaks == "fail":
            raise RuntimeError(event["text"])
        return {"text": event["text"], **({"unknown": 1} if self.breaks == "unfit" else {})}

    def key(self, event: Mapping[str, Any]) -> str:
        return "pseudonym"


class Toy:
    """The chain with its outputs, changelog and state; one partition, number 0."""

    def __init__(self, flows=FLOWS, view: View | None = None, entries: dict[bytes, bytes] | None = None) -> None:
        self.released, self.outputs, self.changelog = released(), Outputs(), []
        self.state = KeyedState(lambda *entry: self.changelog.append(entry))
        self.state.open(0, entries or {})
        self.table = PartitionedTable("ref.thing")
        self.table.partitions[0] = {}
        self.ledger = Ledger("toy", 0)
        self.chain = Chain(
            flows,
            [view or View()],
            Schemas(self.find, self.released.latest),
            {},
            Parts(self.outputs, self.state, {"ref.thing": self.table}),
            self.ledger,
            Audit(self.released.latest("bus.audit"), lambda: POLICY_VERSION),
            Health(),
        )
        self._offset = 0

    def find(self, schema_id: int, topic: str):
        if topic == "ref.thing":
            topic = A
        return self.released.find(schema_id, topic) or Rejection("decode", "unknown-schema")

    def message(self, do: str, time: int = 1000, key: bytes = b"k") -> Message:
        """The next record of a.thing.happened."""
        value = self.released.latest(A).encode({"event_id": f"e{self._offset}", "do": do})
        return self.raw(value, time, key)

    def raw(self, value: bytes | None, time: int = 1000, key: bytes = b"k", topic: str = A) -> Message:
        self._offset += 1
        return Message(topic, value, key, self._offset - 1, time)

    def run(self, *messages: Message, ticks: Mapping[int, int] | None = None) -> Batch:
        """One batch."""
        batch = Batch(messages, ticks)
        for _ in self.chain.run(batch):
            pass
        return batch

    def do(self, *words: str, time: int = 1000) -> None:
        """One batch of one record for each."""
        self.run(*(self.message(word, time) for word in words))

    def commit(self) -> dict[str, Any]:
        """As the engine commits; the audit record."""
        self.chain.closing({(A, 0): (0, self._offset)})
        self.state.write_clocks()
        self.state.commit()
        self.chain.committed()
        return self.released.latest("bus.audit").decode(self.outputs.of("bus.audit")[-1].value)

    def abort(self) -> None:
        self.outputs.clear()
        self.state.rollback()
        self.chain.aborted()

    def texts(self, topic: str) -> list[str]:
        return [self.released.latest(topic).decode(record.value)["text"] for record in self.outputs.of(topic)]

    def count(self, flow: str) -> Count | None:
        raw = self.state.partitions[0].get(f"{flow}/k".encode())
        return msgspec.msgpack.decode(raw, type=Count) if raw else None


def reidentified(value: bytes, schema_id: int) -> bytes:
    """The same body under another schema id."""
    return header(schema_id) + value[HEADER:]


def flows_of(audit: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The flows of an audit record, by name."""
    return ((flow["flow"], flow) for flow in audit["flows"])
