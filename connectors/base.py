"""The contract of a connector: what carries events into the bus or out of it.

Delivery across this edge is at-least-once, never called exactly-once: whatever takes events tells repeats by their
`event_id`. A Source is read by one thread; a Sink is given what lies between two positions, and when it raises it is
given the same again; a Publisher says of each record that it is written, or that it may not be. The real thing and the
fake in memory.py pass the same tests.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from streams.engine.record import Record

T_contra = TypeVar("T_contra", contravariant=True)

Positions = tuple[int, ...]
"""The next offset of every partition, by partition number: everything below has been taken, nothing from there on."""


class Source(Protocol):
    """A log of ordered partitions (a Kafka topic, or a list in memory), read from its beginning.

    Used by one thread at a time. Every method raises SystemFailure when the log cannot be read.
    """

    @property
    def identity(self) -> str:
        """8 characters of A-Z a-z 0-9 _ - that are different for another log of the same name (a topic deleted and made
        again)."""
        ...

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        """Up to `max_records` records, in order within a partition; waits at most `timeout` seconds for the first."""
        ...

    def positions(self) -> Positions:
        """Where the next read goes on. Also moves past offsets that hold no record (transaction markers, gaps)."""
        ...

    def ends(self) -> Positions:
        """The offset after the last of each partition, asked of the log now. May be called from any thread."""
        ...

    def readable_ends(self) -> Positions:
        """As `ends`, but no further than the oldest open transaction: what read() can get to by now."""
        ...

    def keeps_ms(self) -> int | None:
        """For how long the log keeps every record whole, in ms; None: for ever."""
        ...

    def complete_from(self, since_ms: int) -> Positions:
        """The first offset of each partition with a timestamp (ms since 1970) of at least `since_ms`, or its end.

        Compaction stops at the first segment that holds anything, record or marker, younger than the topic's compaction
        lag (KIP-58), so nothing is missing from there on as long as `since_ms` is not further back than keeps_ms.
        """
        ...

    def close(self) -> None: ...


class Sink(Protocol[T_contra]):
    """What takes decoded events out of the bus."""

    def take(self, items: Sequence[T_contra], positions: Positions) -> None:
        """`items` is all that lies below `positions` and was not taken before, in order within each partition.

        Must not block. An exception means that nothing was taken.
        """
        ...


class Publisher(Protocol):
    """What brings single records into the bus for somebody who waits for the answer. Belongs to one event loop."""

    async def publish(self, key: str, value: bytes) -> None:
        """Returns when the log has the record for certain; records of one key keep the order of the calls.

        Raises SystemFailure when that did not happen in time. The record may be in the log all the same, now or later,
        so the same event is published again, with the same id.
        """
        ...
