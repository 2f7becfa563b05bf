"""One member of a consumer group: which partitions this worker owns, and what taking or losing them means.

The callbacks run inside `consume` and `poll`, on whichever thread calls those; that is never two at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.engine.assignment import Assignment
from streams.engine.faults import Fenced, Way, way_of
from streams.engine.restore import PartitionedTable, restore_state, restore_table
from streams.engine.state import KeyedState
from streams.errors import SystemFailure

log = structlog.get_logger(__name__)


@dataclass
class SourceConfig:
    """`topics` includes the partitioned tables; `changelog` is None for a chain without state."""

    bootstrap: str
    topics: tuple[str, ...]
    consumer: dict[str, Any]
    changelog: str | None = None
    max_batch: int = 2000
    tables: dict[str, PartitionedTable] = field(default_factory=dict)


class Membership:
    """`release(commit)` is called before partitions go: with True what is finished may still be committed, with False
    someone else owns them already. `placed` says whether partitions are owned. `epoch` grows when batches are taken
    back."""

    def __init__(
        self,
        config: SourceConfig,
        keyed: KeyedState,
        release: Callable[[bool], None],
        placed: Callable[[bool], None],
    ):
        self._config, self._keyed, self._release, self._placed = config, keyed, release, placed
        self.at = Assignment(config.tables if config.changelog else config.topics)
        self.epoch = 0
        self._member: str | None = None

    def join(self) -> None:
        self.consumer = Consumer(self._config.consumer)
        self.consumer.subscribe(
            list(self._config.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def metadata(self) -> Any:
        """What proves the membership to the broker when offsets are sent. Raises Fenced when it is gone."""
        metadata = self.consumer.consumer_group_metadata()
        # Thrown out, but the callback not yet served: the client has cleared the member id, and the broker does not
        # fence offsets without member id and generation. Checked after the metadata was taken.
        if not self._member or self.consumer.memberid() != self._member:
            raise Fenced
        return metadata

    def rewind(self) -> None:
        """Take every batch back and read again from the last committed offsets."""
        self.epoch += 1
        self.at.seek_floor(self.consumer)

    def _on_assign(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._member = consumer.memberid()
        offsets, unread = self.at.start_offsets(consumer, parts)
        numbers = {p for topic, p in offsets if topic not in self._config.tables}
        if self._config.changelog and numbers:
            known = restore_state(self._config.bootstrap, self._config.changelog, self._keyed, numbers)
            for topic, table in self._config.tables.items():
                for p, end in restore_table(self._config.bootstrap, table, numbers).items():
                    offsets[topic, p] = end
            lost = sorted(key for key in unread if key[1] in known and key[0] not in self._config.tables)
            if lost:
                raise SystemFailure(
                    f"state but no committed offset in {lost}: reading from anywhere would repeat events"
                )
        if unread:  # from now on a missing offset is a lost one
            try:
                consumer.commit(offsets=[TopicPartition(*key, offsets[key]) for key in unread], asynchronous=False)
            except KafkaException as exc:
                if way_of(exc.args[0]) is not Way.GROUP:
                    raise
                log.info("the group moved on during this assignment: the next one commits where it begins")
        self.epoch += 1
        consumer.assign([TopicPartition(*key, offset) for key, offset in offsets.items()])
        self.at.take(consumer, offsets)
        self._placed(bool(offsets))
        log.info("assigned", partitions=len(offsets))

    def _on_revoke(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._release(True)
        self._forget(consumer, parts)

    def _on_lost(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self._release(False)
        self._forget(consumer, parts)

    def _forget(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        self.epoch += 1
        self.at.drop({(p.topic, p.partition) for p in parts})
        for partition in {p.partition for p in parts}:
            self._keyed.close(partition)
            for table in self._config.tables.values():
                table.close(partition)
        consumer.unassign()
        self._placed(False)
        log.info("revoked", partitions=len(parts))
