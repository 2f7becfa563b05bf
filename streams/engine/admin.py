"""Questions about the cluster and the making of topics: what start-up checks, the command line and readers need.

Every method blocks, at most client.REQUEST_S seconds, and may be called from any thread. All raise SystemFailure when
the broker cannot be asked, and UserError for a topic that does not exist.
"""

import difflib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from streams.engine.client import REQUEST_S, admin_config
from streams.errors import ConfigError, SystemFailure, UserError

_log = logging.getLogger(__name__)

PATIENCE_S = 3.0
"""Seconds without an answer after which a person is told what is waited for."""

Offsets = dict[tuple[str, int], int]
"""An offset for each (topic, partition)."""


_LEADERLESS = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
}
"""Passing answers of a broker to whom a partition has just come."""


class TopicSpec(NamedTuple):
    """A topic as it must be. `config` holds topic settings by Kafka's names (`cleanup.policy` ...), values as text.
    The replication factor is the cluster's default."""

    name: str
    partitions: int
    config: Mapping[str, str] = {}


class Admin:
    """One administrative client."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client = AdminClient(admin_config(bootstrap))

    def create(self, specs: Sequence[TopicSpec]) -> list[str]:
        """Create the topics that are missing and return their names; usable (with leaders) when this returns.

        Raises ConfigError when an existing topic has another number of partitions: keys would move between them, and
        with them a person's state, so that is never mended silently.
        """
        existing = self.topics()
        for spec in specs:
            found = existing.get(spec.name)
            if found is not None and found != spec.partitions:
                raise ConfigError(
                    f"topic {spec.name} has {found} partitions, the layout says {spec.partitions}: "
                    "changing the count would move keys, so the topic must be migrated"
                )
        missing = [spec for spec in specs if spec.name not in existing]
        if not missing:
            return []
        futures = self._client.create_topics(
            [NewTopic(s.name, num_partitions=s.partitions, config=dict(s.config)) for s in missing],
            operation_timeout=REQUEST_S,
            request_timeout=REQUEST_S,
        )
        for name, future in futures.items():
            try:
                future.result()
            except KafkaException as exc:
                # Two processes may start at once: the other's topic is as good as ours.
                if exc.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise SystemFailure(f"topic {name} could not be created: {exc.args[0].str()}") from exc
        self._await_leaders({spec.name: spec.partitions for spec in missing})
        return [spec.name for spec in missing]

    def topics(self) -> dict[str, int]:
        """Number of partitions of each topic, Kafka's internal ones left out."""
        return {name: len(topic.partitions) for name, topic in self._metadata().items() if not name.startswith("__")}

    def partitions(self, topics: Iterable[str]) -> list[tuple[str, int]]:
        """Every (topic, partition) of the topics named. Raises UserError for one that does not exist."""
        topics, known = list(topics), self.topics()
        for topic in topics:
            if topic not in known:
                near = difflib.get_close_matches(topic, known, 1)
                raise UserError(f"topic {topic} does not exist" + (f"; did you mean {near[0]}?" if near else ""))
        return [(topic, p) for topic in topics for p in range(known[topic])]

    def ends(self, topics: Iterable[str]) -> Offsets:
        """HIGH watermark of every partition: one past its last record or transaction marker, committed or not."""
        return self._offsets(topics, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # unannotated in confluent_kafka

    def starts(self, topics: Iterable[str]) -> Offsets:
        """First offset that retention has kept, for every partition."""
        return self._offsets(topics, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # unannotated in confluent_kafka

    def stable_ends(self, topics: Iterable[str]) -> Offsets:
        """As `ends`, but no further than the oldest open transaction: what a reader can get to now."""
        return self._offsets(topics, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)  # type: ignore[no-untyped-call]  # unannotated in confluent_kafka

    def offsets_at(self, topics: Iterable[str], timestamp_ms: int) -> Offsets:
        """First offset of every partition with a timestamp of at least `timestamp_ms`, or its end when it has none."""
        # The ends first: a record that comes in between must not be taken for an old one.
        topics = list(topics)
        ends = self.ends(topics)
        found = self._offsets(topics, OffsetSpec.for_timestamp(timestamp_ms))
        return {tp: offset if offset >= 0 else ends[tp] for tp, offset in found.items()}

    def config(self, topic: str) -> dict[str, str]:
        """The topic's settings as they are in force, by Kafka's names."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        futures = self._client.describe_configs([resource], request_timeout=REQUEST_S)
        found = self._result(futures[resource], f"settings of topic {topic}")
        return {name: entry.value for name, entry in found.items() if entry.value is not None}

    def topic_id(self, topic: str) -> str:
        """The id that Kafka gave the topic when it was made: another one of the same name has another (KIP-516)."""
        futures = self._client.describe_topics(TopicCollection([topic]), request_timeout=REQUEST_S)
        return str(self._result(futures[topic], f"topic {topic}").topic_id)

    def committed(self, group: str) -> Offsets:
        """Committed offsets of a group, where it has any; an offset in an open transaction is waited for."""
        futures = self._client.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group)], require_stable=True, request_timeout=REQUEST_S
        )
        found = self._result(futures[group], f"offsets of group {group}").topic_partitions
        return {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}

    def group_lag(self, group: str) -> Offsets:
        """How far the group is behind in every partition it has committed, in offsets. An idle partition whose last
        write was a transaction shows 1: the commit marker takes an offset that no consumer commits."""
        committed = self.committed(group)
        ends = self.ends({topic for topic, _ in committed})
        return {tp: max(0, ends[tp] - offset) for tp, offset in committed.items()}

    def _offsets(
        self, topics: Iterable[str], spec: OffsetSpec, isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> Offsets:
        wanted = self.partitions(topics)
        if not wanted:
            return {}
        left = {TopicPartition(t, p): spec for t, p in wanted}
        found: Offsets = {}
        end = time.monotonic() + REQUEST_S
        while left:
            futures = self._client.list_offsets(left, isolation_level=isolation, request_timeout=REQUEST_S)
            left = {}
            for tp, future in futures.items():
                try:
                    found[tp.topic, tp.partition] = future.result().offset
                except KafkaException as exc:
                    if exc.args[0].code() not in _LEADERLESS or time.monotonic() > end:
                        raise SystemFailure(f"offsets of {tp.topic}[{tp.partition}]: {exc.args[0].str()}") from exc
                    left[TopicPartition(tp.topic, tp.partition)] = spec
            if left:
                time.sleep(0.05)  # a leader's change has no event to wait for
        return found

    def _metadata(self) -> dict[str, Any]:
        try:
            return dict(self._client.list_topics(timeout=PATIENCE_S).topics)
        except KafkaException:
            _log.warning("Kafka at %s does not answer: waiting up to %.0f s for it", self._bootstrap, REQUEST_S)
        try:
            return dict(self._client.list_topics(timeout=REQUEST_S).topics)
        except KafkaException as exc:
            raise SystemFailure(f"Kafka at {self._bootstrap} does not answer: {exc.args[0].str()}") from exc

    def _await_leaders(self, wanted: Mapping[str, int]) -> None:
        """The controller has made the topics; a broker learns of them a moment later."""
        end = time.monotonic() + REQUEST_S
        while True:
            known = self._metadata()
            waiting = [
                name
                for name, count in wanted.items()
                if name not in known
                or len(known[name].partitions) != count
                or any(p.leader < 0 for p in known[name].partitions.values())
            ]
            if not waiting:
                return
            if time.monotonic() > end:
                raise SystemFailure(f"topic {waiting[0]} was created but has no leader after {REQUEST_S:.0f} s")
            time.sleep(0.02)  # metadata has no event to wait for

    def _result(self, future: "Future[Any]", what: str) -> Any:
        try:
            return future.result()
        except KafkaException as exc:
            raise SystemFailure(f"{what}: {exc.args[0].str()}") from exc
