"""What the consumer has handed over, taken apart: records in the order in which they are worked on, ends of partitions,
errors; and what is known meanwhile of lag and idleness.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException

from streams.engine.batch import Message, TopicPart, place
from streams.engine.faults import Way, way_of
from streams.engine.isolation import Isolation
from streams.engine.membership import Membership

log = structlog.get_logger(__name__)

IDLE_GRACE = 2.0
"""Seconds without a record before the wall clock may move a partition's time."""
MEASURE_EVERY = 1.0


class Part(NamedTuple):
    """`offsets`: the next of each topic partition; `ticks`: the time (ms) to which a partition's goes on before."""

    records: list[Message]
    offsets: dict[TopicPart, int]
    ticks: dict[int, int]


class Fetched:
    """`timed`: the chain has state, so the time of its partitions counts. `lagging` is told the lag now and then."""

    def __init__(
        self,
        group: Membership,
        isolation: Isolation,
        timed: bool,
        lagging: Callable[[Mapping[TopicPart, int]], None],
    ):
        self._group, self._isolation, self._timed, self._lagging = group, isolation, timed, lagging
        self._measured = time.monotonic()

    def sort(self, messages: list[Message]) -> Part:
        """What of `messages`, and of what was kept back, is to be worked on now. Raises KafkaException when fatal."""
        at = self._group.at
        records = [m for m in messages if m.error() is None]
        offsets = _next_offsets(records)
        for key in offsets:
            at.moved(key)
        if len(records) != len(messages):  # after the records: a partition's end comes behind them
            self.errors_of(messages)
        if at.catch_up.partitions and not self._isolation.active:
            records = at.catch_up.order(records)
            offsets = _next_offsets(records)
        # Known to have been idle, a partition's time was the wall clock's before these records came.
        ticks = {p: at.rested.pop(p) for _, p in offsets if p in at.rested} if at.rested else {}
        return Part(records, offsets, ticks)

    def errors_of(self, messages: list[Message]) -> int:
        """Handle what is no record: the end of a partition, or an error. How many there were; raises when fatal."""
        count = 0
        for message in messages:
            error = message.error()
            if error is None:
                continue
            count += 1
            if error.code() == KafkaError._PARTITION_EOF:
                topic, partition, offset = place(message)
                self._group.at.ended((topic, partition), offset)
            elif way_of(error) is Way.FATAL:
                raise KafkaException(error)
            else:
                log.warning("consumer", error=str(error))
        return count

    def nothing(self) -> None:
        """There was nothing to fetch: time to measure."""
        now = time.monotonic()
        if now - self._measured < MEASURE_EVERY:
            return
        self._measured = now
        at, consumer = self._group.at, self._group.consumer
        self._lagging(at.lag(consumer))
        if self._timed:
            at.rest(consumer, IDLE_GRACE)


def _next_offsets(records: list[Message]) -> dict[TopicPart, int]:
    """The offset after the last record of each topic partition."""
    return {(topic, partition): offset + 1 for topic, partition, offset in map(place, records)}
