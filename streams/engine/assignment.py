"""Where this worker stands in the partitions it owns: committed offsets, pauses, and how idle each one is.

`floor` is kept by us and not asked of the consumer: its `position()` is stale after a seek.
"""

import time
from collections.abc import Collection

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.engine.batch import TopicPart
from streams.engine.catch_up import CatchUp
from streams.engine.client import OPEN_TRANSACTION_S

HOLD_SECONDS = 1.0
"""How long a partition rests that waits for something outside Kafka (an unknown schema while the registry is away)."""


class Assignment:
    """Only used where the consumer may be used: never from two threads at once."""

    def __init__(self, unordered: Collection[str] = ()) -> None:
        """`unordered` as CatchUp has it."""
        self.catch_up = CatchUp(unordered)
        self.rested: dict[int, int] = {}
        """Partition to the time (ms) until which it is known to have been idle: its time may go on to there."""
        self.floor: dict[TopicPart, int] = {}
        self.seen: dict[int, float] = {}
        self.paused = False
        self._held: dict[TopicPart, float] = {}
        self._stopped: set[TopicPart] = set()
        self._focus: set[TopicPart] | None = None
        self._ended: dict[TopicPart, int] = {}

    def start_offsets(
        self, consumer: Consumer, parts: list[TopicPartition]
    ) -> tuple[dict[TopicPart, int], set[TopicPart]]:
        """Committed offsets, once they are stable, of `parts`; the log's start where there is none (returned as second
        value). Raises KafkaException."""
        offsets: dict[TopicPart, int] = {}
        unread: set[TopicPart] = set()
        asked = [TopicPartition(p.topic, p.partition) for p in parts]
        for part in consumer.committed(asked, OPEN_TRANSACTION_S):
            if part.error is not None:
                raise KafkaException(part.error)
            key = (part.topic, part.partition)
            if part.offset >= 0:
                offsets[key] = part.offset
            else:
                offsets[key] = consumer.get_watermark_offsets(TopicPartition(*key), 30.0)[0]
                unread.add(key)
        return offsets, unread

    def take(self, consumer: Consumer, offsets: dict[TopicPart, int]) -> None:
        """These partitions are ours from now on, from these offsets."""
        now = time.monotonic()
        self.floor.update(offsets)
        self.catch_up.begin(offsets)
        for _, partition in offsets:
            self.seen[partition] = now
        # The client keeps the pause of a partition over its reassignment: it would never be read again.
        consumer.resume([TopicPartition(*key) for key in offsets])
        self.settle(consumer)

    def drop(self, gone: set[TopicPart]) -> None:
        for key in gone:
            self.floor.pop(key, None)
            self._held.pop(key, None)
            self._ended.pop(key, None)
            self.rested.pop(key[1], None)
        self._stopped -= gone
        self._focus = None
        self.catch_up.drop(gone)
        kept = {partition for _, partition in self.floor}
        self.seen = {p: at for p, at in self.seen.items() if p in kept}

    def seek_floor(self, consumer: Consumer) -> None:
        """Read again from the last committed offsets."""
        self._ended.clear()
        self.catch_up.again()
        for (topic, partition), offset in self.floor.items():
            consumer.seek(TopicPartition(topic, partition, offset))

    def hold(self, consumer: Consumer, key: TopicPart, offset: int) -> None:
        """Leave the partition unread from this offset on, for HOLD_SECONDS."""
        self._held[key] = time.monotonic() + HOLD_SECONDS
        self._ended.pop(key, None)
        self.catch_up.again(key)
        consumer.seek(TopicPartition(*key, offset))
        self.settle(consumer)

    def focus(self, keys: set[TopicPart] | None) -> None:
        """Read these partitions only; None: all again. Takes effect with the next `settle`."""
        self._focus = keys

    def settle(self, consumer: Consumer) -> None:
        """Pause and resume what must be: everything while `paused`, otherwise what is held, out of focus, or read far
        enough ahead."""
        full = self.catch_up.full() if self._focus is None else set()
        if not (self.paused or self._held or self._stopped or self._focus or full):
            return
        now = time.monotonic()
        self._held = {key: until for key, until in self._held.items() if until > now}
        focus = self._focus
        stop = {
            k for k in self.floor if self.paused or k in self._held or (focus is not None and k not in focus)
        } | full
        if pause := stop - self._stopped:
            consumer.pause([TopicPartition(*key) for key in pause])
        if resume := (self._stopped - stop) & self.floor.keys():
            consumer.resume([TopicPartition(*key) for key in resume])
        self._stopped = stop

    def moved(self, key: TopicPart) -> None:
        """A record of this partition was read."""
        self.seen[key[1]] = time.monotonic()
        self._ended.pop(key, None)

    def ended(self, key: TopicPart, offset: int) -> None:
        """The consumer has reached the end of what it may read of this partition."""
        self._ended[key] = offset
        self.catch_up.ended(key)

    def at_end(self, consumer: Consumer, key: TopicPart) -> bool:
        """Whether nothing is left in the partition, as of the last fetch: an open transaction is something left."""
        _, high = consumer.get_watermark_offsets(TopicPartition(*key), cached=True)
        return self._ended.get(key, -1) >= high >= 0

    def idle(self, consumer: Consumer, grace: float) -> list[int]:
        """The partitions of which everything has been read, on every topic, and nothing came for `grace` seconds."""
        now = time.monotonic()
        quiet = {p for p, seen in self.seen.items() if now - seen > grace}
        busy = {key[1] for key in self.floor if key[1] in quiet and not self.at_end(consumer, key)}
        return sorted(quiet - busy - set(self.catch_up.partitions))

    def rest(self, consumer: Consumer, grace: float) -> None:
        """Note which partitions are idle now."""
        wall = int((time.time() - grace) * 1000)
        self.rested.update(dict.fromkeys(self.idle(consumer, grace), wall))

    def lag(self, consumer: Consumer) -> dict[TopicPart, int]:
        """Offsets between the last commit and the log's end. A partition read to its end has none: what is left are
        transaction markers, which take offsets."""
        lag: dict[TopicPart, int] = {}
        for key, offset in self.floor.items():
            _, high = consumer.get_watermark_offsets(TopicPartition(*key), cached=True)
            lag[key] = 0 if high < 0 or self.at_end(consumer, key) else max(0, high - offset)
        return lag
