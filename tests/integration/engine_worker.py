"""A worker process for the engine's tests: counts per key, copies each record, and wakes each key up once.

argv: bootstrap chain slot input output. The handler is the engine's contract alone: no schemas, no flows.
State of a key: how many records it had. Every record is copied to the output with its count; a key whose record says
`wake:<ms>` is woken at that time and writes `woken`. A record `boom` makes the handler raise, `huge` makes it write a
record over the topic's limit.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from streams.engine.app import Parts, WorkerSpec, work
from streams.engine.batch import Batch, Message, TopicPart, place
from streams.observe import log


class Counting:
    def __init__(self, parts: Parts, output: str):
        self.parts, self.output, self.bad = parts, output, {}
        self.gate = Path(tempfile.gettempdir()) / output  # records `wait` are held until this file exists

    def run(self, batch: Batch) -> Iterator[None]:
        for partition, wall in batch.ticks.items():
            self._advance(partition, wall)
            yield
        held = set()
        for message in batch.messages:
            batch.at = message
            topic, partition, _ = place(message)
            if message.value() == b"wait" and not self.gate.exists():
                held.add((topic, partition))
                batch.hold(message)
            if (topic, partition) not in held:
                self._take(message)
            yield

    def _take(self, message: Message) -> None:
        _, partition, _ = place(message)
        key, value = message.key(), message.value()
        self._advance(partition, message.timestamp()[1])
        if place(message) in self.bad:
            self.parts.produce(f"dead.{self.output}", value, key)
            return
        state = self.parts.state
        count = int(state.partitions[partition].get(key) or b"0") + 1
        due = int(value.removeprefix(b"wake:")) if value.startswith(b"wake:") else None
        state.put(partition, key, str(count).encode(), due)
        self.parts.produce(self.output, b"%b %d" % (value, count), key, timestamp=message.timestamp()[1])
        if value == b"boom":
            raise RuntimeError("a record that the handler cannot bear")
        if value == b"huge":
            self.parts.produce(self.output, b"x" * 2_000_000, key)

    def _advance(self, partition: int, until: int) -> None:
        part = self.parts.state.partitions[partition]
        part.time = max(part.time, until)
        while (entry := part.timers.take(part.time)) is not None:
            due, key = entry
            self.parts.state.put(partition, key, part.get(key), None)
            self.parts.produce(self.output, b"woken %d" % due, key)

    def poison(self, message: Message, reason: str, error: BaseException) -> None:
        self.bad[place(message)] = reason

    def closing(self, read: Mapping[TopicPart, tuple[int, int]]) -> None: ...

    def placed(self, ready: bool) -> None:
        print("ready" if ready else "waiting", flush=True)

    def lagging(self, lag: Mapping[TopicPart, int]) -> None: ...
    def committed(self) -> None: ...
    def aborted(self) -> None: ...


if __name__ == "__main__":
    log.configure()
    bootstrap, chain, slot, source, output = sys.argv[1:]
    spec = WorkerSpec(bootstrap, chain, int(slot), (source,), f"changelog.{chain}")
    raise SystemExit(work(spec, lambda parts: Counting(parts, output)))
