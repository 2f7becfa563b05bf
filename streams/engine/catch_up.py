"""Time order between the topics of a partition, for as long as a worker catches up.

Kafka orders the records of one topic only. After a standstill one topic may be read hours ahead of another; since a
partition's time is the greatest timestamp read, timers would then fire before records that came in time, and whoever
answered an alert would be told to be late. So until each topic of a newly assigned partition has been read to its end
once, the partition's records are given out by timestamp, oldest first. From then on they are given out as they come:
a bus that keeps up pays nothing.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator

from streams.engine.batch import Message, TopicPart, place

MAX_AHEAD = 1_000
"""Records read ahead of one topic partition, while another of the same partition is waited for, before it is paused."""

PATIENCE = 5.0
"""Seconds without a record of a partition after which a topic that has not said that it ended is no longer waited for:
a paused partition may swallow its end."""


class CatchUp:
    """`unordered` are topics whose records are given out at once: reference tables, all topics of a chain without
    state. `clock` in seconds."""

    def __init__(self, unordered: Collection[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._unordered, self._clock = frozenset(unordered), clock
        self._topics: dict[int, frozenset[str]] = {}
        self._unread: dict[int, set[str]] = {}
        self._ahead: dict[TopicPart, deque[Message]] = {}
        self._since: dict[int, float] = {}

    @property
    def partitions(self) -> Collection[int]:
        """Those that are catching up."""
        return self._topics.keys()

    def begin(self, parts: Iterable[TopicPart]) -> None:
        """These topic partitions were assigned; all of a partition come together."""
        topics: dict[int, set[str]] = {}
        for topic, partition in parts:
            if topic not in self._unordered:
                topics.setdefault(partition, set()).add(topic)
        for partition, those in topics.items():
            if len(those) > 1:
                self._topics[partition] = frozenset(those)
                self._unread[partition] = set(those)
                self._since[partition] = self._clock()

    def drop(self, parts: Collection[TopicPart]) -> None:
        """These topic partitions are ours no more."""
        for topic, partition in parts:
            self._ahead.pop((topic, partition), None)
            self._topics.pop(partition, None)
            self._unread.pop(partition, None)
            self._since.pop(partition, None)

    def ended(self, key: TopicPart) -> None:
        """The topic partition was read to its end, as of the records that `order` is given next."""
        if key[1] in self._unread:
            self._unread[key[1]].discard(key[0])

    def again(self, key: TopicPart | None = None) -> None:
        """What was read of one topic partition, or of all, will be read again, and then come to its end again."""
        for partition, topics in self._topics.items():
            for topic in topics:
                if key in (None, (topic, partition)):
                    self._ahead.pop((topic, partition), None)
                    self._unread[partition].add(topic)

    def full(self) -> set[TopicPart]:
        """The topic partitions of which enough was read ahead."""
        return {key for key, held in self._ahead.items() if len(held) >= MAX_AHEAD}

    def order(self, messages: list[Message]) -> list[Message]:
        """What may be given out now: all of `messages` when nothing catches up, otherwise what is next in time, with
        what earlier calls kept back. Keeps the order within each topic partition."""
        if not self._topics:
            return messages
        given, now = [], self._clock()
        for message in messages:
            topic, partition, _ = place(message)
            if partition in self._topics and topic not in self._unordered:
                self._since[partition] = now
                self._ahead.setdefault((topic, partition), deque()).append(message)
            else:
                given.append(message)
        for partition in list(self._topics):
            given += self._next(partition, now)
        return given

    def _next(self, partition: int, now: float) -> Iterator[Message]:
        """By timestamp, as long as nothing older may yet come of another topic."""
        topics, unread = self._topics[partition], self._unread[partition]
        if now - self._since[partition] > PATIENCE:
            unread.clear()
        while True:
            heads = {t: held[0] for t in topics if (held := self._ahead.get((t, partition)))}
            if not heads or any(t not in heads for t in unread):
                break
            topic = min(heads, key=lambda t: heads[t].timestamp()[1])
            yield self._ahead[topic, partition].popleft()
        if not heads and not unread:
            self.drop([(topic, partition) for topic in topics])
