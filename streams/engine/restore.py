"""Rebuild what a worker keeps of a partition: a chain's state from its changelog, a reference table from its topic.

Both are read committed from the log's start to the HIGH watermark of now, waiting for an open transaction of the
previous owner, after its committed offsets are stable.
"""

import time

import structlog

from streams.engine.reader import Reader
from streams.engine.record import BEGINNING
from streams.engine.state import KeyedState

log = structlog.get_logger(__name__)


class PartitionedTable:
    """A reference table that is co-partitioned with the chain: this worker holds the partitions it reads."""

    def __init__(self, topic: str):
        self.topic = topic
        self.partitions: dict[int, dict[bytes, bytes]] = {}

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self.partitions[partition].get(key)

    def apply(self, partition: int, key: bytes, value: bytes | None) -> None:
        """A newer record of the table; null deletes. Applied at once: a repeat after an abort changes nothing."""
        if value is None:
            self.partitions[partition].pop(key, None)
        else:
            self.partitions[partition][key] = value

    def close(self, partition: int) -> None:
        self.partitions.pop(partition, None)


def replay(bootstrap: str, topic: str, partitions: set[int]) -> tuple[dict[int, dict[bytes, bytes]], dict[int, int]]:
    """The latest value of every key of these partitions, and the offset after the last record read of each.

    Blocks. Raises SystemFailure when the broker is away or an open transaction does not end.
    """
    started, count = time.monotonic(), 0
    entries: dict[int, dict[bytes, bytes]] = {p: {} for p in partitions}
    with Reader(bootstrap, [topic], {(topic, p): BEGINNING for p in partitions}, f"restore-{topic}") as reader:
        for record in reader.read_to_end():
            count += 1
            if record.key is None:
                continue
            if record.value is None:
                entries[record.partition].pop(record.key, None)
            else:
                entries[record.partition][record.key] = record.value
        ends = {p: reader.positions[(topic, p)] for p in partitions}
    log.info(
        "restored", topic=topic, partitions=len(partitions), records=count, seconds=round(time.monotonic() - started, 2)
    )
    return entries, ends


def restore_state(bootstrap: str, changelog: str, state: KeyedState, partitions: set[int]) -> set[int]:
    """Open these partitions of the state; the ones whose changelog was not empty."""
    entries, _ = replay(bootstrap, changelog, partitions)
    known = {p for p in partitions if entries[p]}
    for partition in partitions:
        state.open(partition, entries[partition])
    return known


def restore_table(bootstrap: str, table: PartitionedTable, partitions: set[int]) -> dict[int, int]:
    """Open these partitions of the table; the offset from which each must be followed."""
    entries, ends = replay(bootstrap, table.topic, partitions)
    table.partitions.update(entries)
    return ends
