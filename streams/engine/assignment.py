"""Where this worker stands in the partitions it owns: committed offsets, pauses, and how idle each one is.

`floor` is kept by us and not asked of the consumer: its `position()` is stale after a seek.
"""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.engine.batch import TopicPart

HOLD_SECONDS = 1.0
"""How long a partition rests that waits for something outside Kafka (an unknown schema while the registry is away)."""


class Assignment:
    """Only used where the consumer may be used: never from two threads at once."""

    def __init__(self) -> None:
        self.floor: dict[TopicPart, int] = {}
        self.seen: dict[int, float] = {}
        self._held: dict[TopicPart, float] = {}
        self.paused = False

    def start_offsets(
        self, consumer: Consumer, parts: list[TopicPartition]
    ) -> tuple[dict[TopicPart, int], set[TopicPart]]:
        """Committed offsets, once they are stable, of `parts`; the log's start where there is none (returned as second
        value). Raises KafkaException."""
        offsets: dict[TopicPart, int] = {}
        unread: set[TopicPart] = set()
        for part in consumer.committed([TopicPartition(p.topic, p.partition) for p in parts], 60.0):
            if part.error is not None:
                raise KafkaException(part.error)
            key = (part.topic, part.partition)
            if part.offset >= 0:
                offsets[key] = part.offset
            else:
                offsets[key] = consumer.get_watermark_offsets(TopicPartition(*key), 30.0)[0]
                unread.add(key)
        return offsets, unread

    def take(self, offsets: dict[TopicPart, int]) -> None:
        now = time.monotonic()
        self.floor.update(offsets)
        for _, partition in offsets:
            self.seen[partition] = now

    def drop(self, gone: set[TopicPart]) -> None:
        for key in gone:
            self.floor.pop(key, None)
            self._held.pop(key, None)
        kept = {partition for _, partition in self.floor}
        self.seen = {p: at for p, at in self.seen.items() if p in kept}

    def parts(self) -> list[TopicPartition]:
        return [TopicPartition(*key) for key in self.floor]

    def seek_floor(self, consumer: Consumer) -> None:
        """Read again from the last committed offsets."""
        for (topic, partition), offset in self.floor.items():
            consumer.seek(TopicPartition(topic, partition, offset))

    def hold(self, consumer: Consumer, key: TopicPart, offset: int) -> None:
        self._held[key] = time.monotonic() + HOLD_SECONDS
        consumer.seek(TopicPartition(*key, offset))
        consumer.pause([TopicPartition(*key)])

    def pause(self, consumer: Consumer) -> None:
        """Stop records, so that `poll` can keep the membership alive while a batch is being worked on."""
        consumer.pause(self.parts())
        self.paused = True

    def resume(self, consumer: Consumer) -> None:
        """End a pause, and the rest of partitions held long enough."""
        if not (self.paused or self._held):
            return
        now = time.monotonic()
        over = [key for key, until in self._held.items() if until <= now]
        for key in over:
            del self._held[key]
        if self.paused:
            over = [key for key in self.floor if key not in self._held]
            self.paused = False
        if over:
            consumer.resume([TopicPartition(*key) for key in over])

    def held(self) -> set[int]:
        return {partition for _, partition in self._held}
