"""Keyed state of one chain, per partition, exactly-once with its changelog.

Writes stay in an overlay until the transaction commits, their changelog records go into that same transaction, an abort
drops the overlay. At assignment a partition is rebuilt from its changelog, read committed up to the HIGH watermark, so
that an open transaction of the previous owner is waited for.

Changelog record: key = `<flow>/<key>`, value = due time (8 bytes, ms, 0 for none) + state; null deletes. The
partition's time is kept under the key `/time`.
"""

import struct
from collections.abc import Callable, Iterator

from streams.engine.timers import NEVER, Timers

DUE = struct.Struct(">q")
TIME_KEY = b"/time"
CLOCK_STEP = 1000
"""Milliseconds that a partition's time may run ahead of its changelog while no state changes."""


class Partition:
    """State, timers and time of one partition. The time is the maximum record timestamp seen, in ms."""

    def __init__(self, entries: dict[bytes, bytes]):
        self.base = entries
        self.overlay: dict[bytes, bytes | None] = {}
        clock = entries.pop(TIME_KEY, None)
        self.time = self._written_time = self._committed_time = DUE.unpack(clock)[0] if clock else 0
        self.timers = Timers(self.due_of, ((due, key) for key, v in entries.items() if (due := DUE.unpack_from(v)[0])))

    def due_of(self, key: bytes) -> int:
        value = self.overlay[key] if key in self.overlay else self.base.get(key)
        return int(DUE.unpack_from(value)[0]) if value else 0

    def get(self, key: bytes) -> bytes | None:
        """The state under `key`, without its due time."""
        value = self.overlay[key] if key in self.overlay else self.base.get(key)
        return value[DUE.size :] if value else None

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Committed state, for read-only looks."""
        return ((key, value[DUE.size :]) for key, value in self.base.items())

    def clock(self) -> bytes | None:
        """The time to write with this transaction, if any: not for every record, since each partition touched costs the
        broker a marker; what a restart then loses of the time is less than CLOCK_STEP."""
        if self.time == self._written_time or (not self.overlay and self.time - self._written_time < CLOCK_STEP):
            return None
        self._written_time = self.time
        return DUE.pack(self.time)

    def commit(self) -> None:
        for key, value in self.overlay.items():
            if value is None:
                self.base.pop(key, None)
            else:
                self.base[key] = value
        self.overlay.clear()
        self.timers.commit()
        self._committed_time = self.time

    def rollback(self) -> None:
        self.overlay.clear()
        self.timers.rollback()
        self.time = self._committed_time
        self._written_time = 0


class KeyedState:
    """The partitions that this worker owns. `write(partition, key, value)` adds to the changelog in the transaction."""

    def __init__(self, write: Callable[[int, bytes, bytes | None], None]):
        self._write = write
        self.partitions: dict[int, Partition] = {}

    def open(self, partition: int, entries: dict[bytes, bytes]) -> None:
        """Take over a partition with what its changelog says."""
        self.partitions[partition] = Partition(entries)

    def close(self, partition: int) -> None:
        self.partitions.pop(partition, None)

    def put(self, partition: int, key: bytes, state: bytes | None, due: int | None) -> None:
        """Set the state (None deletes) and when to be woken (ms, None for never)."""
        part = self.partitions[partition]
        value = None if state is None else DUE.pack(due or 0) + state
        if value is None and part.get(key) is None:
            return
        previous = part.due_of(key)
        part.overlay[key] = value
        if value is not None and due and due != previous:
            part.timers.set(due, key)
        self._write(partition, key, value)

    def next_due(self, partition: int) -> int:
        part = self.partitions.get(partition)
        return part.timers.next_due() if part else NEVER

    def write_clocks(self) -> None:
        """Put the times that moved into the transaction: called right before the commit."""
        for number, part in self.partitions.items():
            if (clock := part.clock()) is not None:
                self._write(number, TIME_KEY, clock)

    def commit(self) -> None:
        for part in self.partitions.values():
            part.commit()

    def rollback(self) -> None:
        for part in self.partitions.values():
            part.rollback()
