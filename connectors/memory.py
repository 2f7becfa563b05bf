"""Connectors without a broker: a log in memory that behaves like a compacted topic, its Source, its Publisher, and a
Sink that keeps what it was given. Held to the same tests as Kafka, so that what is tested with them is true of the real
thing.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Generic, TypeVar

from connectors.base import Positions
from streams.engine.partitioner import partition_of
from streams.engine.record import Record
from streams.errors import SystemFailure

T = TypeVar("T")


class MemoryLog:
    """A topic in memory. Any thread may append."""

    def __init__(self, topic: str = "memory", partitions: int = 1, identity: str = "memory00") -> None:
        self.topic = topic
        self.keeps_ms: int | None = None
        self.identity = identity
        self.broken: str | None = None
        self._partitions: list[list[Record]] = [[] for _ in range(partitions)]
        self._ends = [0] * partitions
        self._changed = threading.Condition()

    def append(self, partition: int, key: bytes | None, value: bytes | None, timestamp: int = 0) -> int:
        """Adds a record and returns its offset. `timestamp` in ms since 1970."""
        with self._changed:
            offset = self._ends[partition]
            self._ends[partition] += 1
            self._partitions[partition].append(Record(self.topic, partition, offset, timestamp, key, value))
            self._changed.notify_all()
            return offset

    def marker(self, partition: int) -> None:
        """Takes an offset that no reader gets a record for, as the end of a transaction does."""
        with self._changed:
            self._ends[partition] += 1
            self._changed.notify_all()

    def compact(self, before_ms: int) -> None:
        """Keeps, of the records before the first one that is at least as young as `before_ms`, the last of each key."""
        with self._changed:
            for partition, records in enumerate(self._partitions):
                first = next((i for i, r in enumerate(records) if r.timestamp >= before_ms), len(records))
                last = {r.key: r for r in records[:first]}
                kept = [r for r in records[:first] if last[r.key] is r]
                self._partitions[partition] = kept + records[first:]

    def fail(self, message: str) -> None:
        """Makes every later use raise SystemFailure, as a broker that is gone for good does."""
        with self._changed:
            self.broken = message
            self._changed.notify_all()

    def ends(self) -> Positions:
        """See Source.ends."""
        with self._changed:
            self._check()
            return tuple(self._ends)

    def offsets_at(self, since_ms: int) -> Positions:
        """See Source.complete_from."""
        with self._changed:
            self._check()
            return tuple(
                next((r.offset for r in records if r.timestamp >= since_ms), end)
                for records, end in zip(self._partitions, self._ends, strict=True)
            )

    def take(self, positions: Positions, max_records: int, timeout: float) -> tuple[list[Record], Positions]:
        """Up to `max_records` records from `positions` on, and the positions after them."""
        with self._changed:
            self._changed.wait_for(lambda: self.broken or tuple(self._ends) != positions, timeout)
            self._check()
            found: list[Record] = []
            after = list(positions)
            for partition, records in enumerate(self._partitions):
                fresh = [r for r in records if r.offset >= positions[partition]]
                taken = fresh[: max_records - len(found)]
                found += taken
                if len(taken) == len(fresh):
                    after[partition] = self._ends[partition]
                elif taken:
                    after[partition] = taken[-1].offset + 1
            return found, tuple(after)

    def _check(self) -> None:
        if self.broken is not None:
            raise SystemFailure(self.broken)


class MemorySource:
    """Reads a MemoryLog; see Source."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._positions: Positions = (0,) * len(log.ends())

    @property
    def identity(self) -> str:
        return self._log.identity

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        records, self._positions = self._log.take(self._positions, max_records, timeout)
        return records

    def positions(self) -> Positions:
        return self._positions

    def ends(self) -> Positions:
        return self._log.ends()

    def readable_ends(self) -> Positions:
        return self._log.ends()

    def keeps_ms(self) -> int | None:
        return self._log.keeps_ms

    def complete_from(self, since_ms: int) -> Positions:
        return self._log.offsets_at(since_ms)

    def close(self) -> None:
        pass


class MemorySink(Generic[T]):
    """Keeps what it takes, in order; see Sink."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self.positions: Positions = ()

    def take(self, items: Sequence[T], positions: Positions) -> None:
        self.items += items
        self.positions = positions


class MemoryPublisher:
    """Publishes to a MemoryLog; see Publisher. `patience_s`: how long a record waits while `silent`."""

    def __init__(self, log: MemoryLog, patience_s: float = 10.0, max_waiting: int = 1000) -> None:
        self.patience_s = patience_s
        self._log, self._max_waiting = log, max_waiting
        self.waiting = 0
        self._closed = False
        self._answers = asyncio.Event()
        self._answers.set()

    def silent(self, silent: bool = True) -> None:
        """Acknowledges nothing from now on, as a broker that is away does; or again everything."""
        if silent:
            self._answers.clear()
        else:
            self._answers.set()

    async def publish(self, key: str, value: bytes) -> None:
        if self._closed:
            raise SystemFailure(f"{self._log.topic}: closed")
        if self.waiting >= self._max_waiting:
            raise SystemFailure(f"{self._log.topic}: {self.waiting} records wait already")
        self.waiting += 1
        try:
            async with asyncio.timeout(self.patience_s):
                await self._answers.wait()
        except TimeoutError:
            raise SystemFailure(f"{self._log.topic}: no acknowledgement within {self.patience_s:g} s") from None
        finally:
            self.waiting -= 1
        partition = partition_of(key.encode(), len(self._log.ends()))
        self._log.append(partition, key.encode(), value, time.time_ns() // 1_000_000)

    def close(self) -> None:
        self._closed = True
