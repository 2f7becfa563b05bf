"""Kafka without Kafka: topics in memory with the reader and writer that connectors and tools use.

Held to the same tests as the real reader and writer. What it does not have: transactions, retention, compaction (a
tombstone stays a record), and any failure of a broker.
"""

import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

from streams.engine.admin import Offsets
from streams.engine.client import MAX_TOPIC
from streams.engine.partitioner import partition_of
from streams.engine.reader import OutOfRange
from streams.engine.record import BEGINNING, END, Record, Start
from streams.errors import UserError


class MemoryLog:
    """A cluster's topics. Safe for several threads."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        """`topics`: number of partitions of each."""
        self._partitions: dict[tuple[str, int], list[Record]] = {
            (topic, p): [] for topic, count in topics.items() for p in range(count)
        }
        self._counts = dict(topics)
        self.changed = threading.Condition()

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        timestamp: int | None = None,
    ) -> Record:
        """Add a record in the partition of its key (any, without one) and wake the readers. Raises UserError for a
        topic that does not exist."""
        self.check([topic])
        count = self._counts[topic]
        partition = partition_of(key, count) if key is not None else random.randrange(count)
        with self.changed:
            log = self._partitions[topic, partition]
            at = timestamp if timestamp is not None else time.time_ns() // 1_000_000
            record = Record(topic, partition, len(log), at, key, value, tuple(headers))
            log.append(record)
            self.changed.notify_all()
        return record

    def ends(self, topics: Iterable[str]) -> Offsets:
        """One past the last offset of every partition."""
        wanted = set(topics)
        return {tp: len(log) for tp, log in self._partitions.items() if tp[0] in wanted}

    def slice(self, partition: tuple[str, int], offset: int, count: int) -> list[Record]:
        """Up to `count` records from `offset` on."""
        return self._partitions[partition][offset : offset + count]

    def check(self, topics: Iterable[str]) -> None:
        """Raise UserError for a topic that does not exist."""
        for topic in topics:
            if topic not in self._counts:
                raise UserError(f"topic {topic} does not exist")


class MemoryWriter:
    """writer.Writer over a MemoryLog: a record is there as soon as `write` returns."""

    def __init__(self, log: MemoryLog, *, max_bytes: int = MAX_TOPIC) -> None:
        self._log, self._max_bytes = log, max_bytes

    def write(
        self,
        topic: str,
        key: bytes | str | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] | None = None,
        timestamp: int | None = None,
    ) -> None:
        """As Writer.write."""
        raw = key.encode() if isinstance(key, str) else key
        self._log.check([topic])
        if len(value or b"") + len(raw or b"") > self._max_bytes:
            raise UserError(f"the record for {topic} is larger than this client may send")
        self._log.append(topic, raw, value, headers or (), timestamp)

    def flush(self, timeout: float = 60.0) -> None:
        """Nothing is ever queued."""

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class MemoryReader:
    """reader.Reader over a MemoryLog."""

    def __init__(self, log: MemoryLog, topics: Sequence[str], start: Start = "beginning") -> None:
        """As Reader."""
        log.check(topics)
        self._log, self._topics = log, list(topics)
        ends = log.ends(topics)
        if isinstance(start, str):
            wanted = dict.fromkeys(ends, BEGINNING if start == "beginning" else END)
        else:
            wanted = dict(start)
        self._positions: Offsets = {}
        for tp, offset in wanted.items():
            self._positions[tp] = {BEGINNING: 0, END: ends.get(tp, -1)}.get(offset, offset)
            if not 0 <= self._positions[tp] <= ends.get(tp, -1):
                raise OutOfRange(f"{tp[0]}[{tp[1]}] has no offset {offset}")

    @property
    def positions(self) -> Offsets:
        """As Reader.positions."""
        return dict(self._positions)

    def read(self, max_records: int = 1000, timeout: float = 1.0) -> list[Record]:
        """As Reader.read."""
        with self._log.changed:
            self._log.changed.wait_for(lambda: not self.caught_up(), timeout)
            return self._take(max_records)

    def read_to_end(self, timeout: float = 0.0) -> Iterator[Record]:
        """As Reader.read_to_end; there is never anything to wait for."""
        with self._log.changed:
            ends = self._log.ends(self._topics)
            records = [r for tp, at in self._positions.items() for r in self._log.slice(tp, at, max(0, ends[tp] - at))]
        for record in records:
            self._positions[record.topic, record.partition] = record.offset + 1
            yield record

    def caught_up(self) -> bool:
        """As Reader.caught_up."""
        ends = self._log.ends(self._topics)
        return all(position >= ends[tp] for tp, position in self._positions.items())

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _take(self, max_records: int) -> list[Record]:
        records: list[Record] = []
        for tp in self._positions:
            found = self._log.slice(tp, self._positions[tp], max_records - len(records))
            self._positions[tp] += len(found)
            records += found
        return records
