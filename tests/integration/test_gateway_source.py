"""A source in memory keeps the promises of a Kafka topic: one suite over both."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from confluent_kafka import Producer

from connectors.base import Source
from connectors.memory import MemoryLog, MemorySource
from connectors.topic import TopicSource
from streams.engine.admin import Admin, TopicSpec
from streams.engine.client import producer_config
from streams.engine.record import Record
from streams.errors import UserError

PARTITIONS = 2


class Log(Protocol):
    """A log that the test can write to, and open as a source."""

    def append(self, partition: int, key: bytes | None, value: bytes | None, timestamp: int) -> None: ...
    def aborted(self, partition: int) -> None: ...
    def source(self) -> Source: ...


class InMemory:
    def __init__(self) -> None:
        self._log = MemoryLog("memory", PARTITIONS, uuid.uuid4().hex[:8])

    def append(self, partition: int, key: bytes | None, value: bytes | None, timestamp: int) -> None:
        self._log.append(partition, key, value, timestamp)
        self._log.marker(partition)

    def aborted(self, partition: int) -> None:
        self._log.marker(partition)
        self._log.marker(partition)

    def source(self) -> Source:
        return MemorySource(self._log)


class OnKafka:
    """Every record in a transaction of its own, so that markers lie between them as the bus's commits do."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._topic = f"gateway.source.{uuid.uuid4().hex[:8]}"
        Admin(bootstrap).create([TopicSpec(self._topic, PARTITIONS, {"cleanup.policy": "compact"})])
        self._producer = Producer(producer_config(bootstrap, transactional_id=self._topic))
        self._producer.init_transactions(30)

    def append(self, partition: int, key: bytes | None, value: bytes | None, timestamp: int) -> None:
        self._producer.begin_transaction()
        self._producer.produce(self._topic, value, key, partition, timestamp=timestamp)
        self._producer.commit_transaction(30)
        self._settled()

    def aborted(self, partition: int) -> None:
        self._producer.begin_transaction()
        self._producer.produce(self._topic, b"never", b"never", partition, timestamp=5000)
        self._producer.flush(30)
        self._producer.abort_transaction(30)
        self._settled()

    def _settled(self) -> None:
        """The coordinator answers before the markers are on the partitions."""
        admin = Admin(self._bootstrap)
        while admin.stable_ends([self._topic]) != admin.ends([self._topic]):
            time.sleep(0.01)

    def source(self) -> Source:
        return TopicSource(self._bootstrap, self._topic)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest) -> Log:
    if request.param == "memory":
        return InMemory()
    return OnKafka(request.getfixturevalue("bootstrap_servers"))


@pytest.fixture
def opened(log: Log) -> Iterator[Callable[[], Source]]:
    sources: list[Source] = []

    def source() -> Source:
        sources.append(log.source())
        return sources[-1]

    yield source
    for one in sources:
        one.close()


def read_to_end(source: Source) -> list[Record]:
    records: list[Record] = []
    end = source.readable_ends()
    while any(map(int.__lt__, source.positions(), end)):
        records += source.read(3, 0.2)
    return records


def test_records_come_from_the_beginning_in_order_within_a_partition(log: Log, opened: Callable[[], Source]) -> None:
    for number in range(5):
        log.append(number % 2, b"k%d" % number, b"v%d" % number, 5000 + number)
    records = read_to_end(opened())
    assert [r.value for r in records if r.partition == 0] == [b"v0", b"v2", b"v4"]
    assert [r.value for r in records if r.partition == 1] == [b"v1", b"v3"]
    assert [(r.key, r.timestamp) for r in records if r.value == b"v3"] == [(b"k3", 5003)]


def test_at_the_end_positions_are_the_ends_also_past_markers_and_aborted_records(
    log: Log, opened: Callable[[], Source]
) -> None:
    """A client's place taken from the ends is then one that the gateway has reached, however quiet the topic is."""
    log.append(0, b"k", b"v", 5000)
    log.aborted(1)
    source = opened()
    assert [r.value for r in read_to_end(source)] == [b"v"]
    assert source.positions() == source.ends() == (2, 2)


def test_an_empty_log_is_at_its_end(opened: Callable[[], Source]) -> None:
    source = opened()
    assert read_to_end(source) == []
    assert source.positions() == source.ends() == (0, 0)


def test_reading_goes_on_with_what_is_appended_later(log: Log, opened: Callable[[], Source]) -> None:
    source = opened()
    read_to_end(source)
    log.append(1, b"k", b"later", 5000)
    assert [r.value for r in read_to_end(source)] == [b"later"]


def test_a_tombstone_is_a_record_without_a_value(log: Log, opened: Callable[[], Source]) -> None:
    log.append(0, b"k", None, 5000)
    assert [(r.key, r.value) for r in read_to_end(opened())] == [(b"k", None)]


def test_it_is_complete_from_the_first_record_that_is_young_enough(log: Log, opened: Callable[[], Source]) -> None:
    """Behind the last record that is too old, and no further than the first that is not. What lies between are markers,
    which have timestamps of their own (and keep their segment from being compacted)."""
    for timestamp in (1000, 2000, 3000):
        log.append(0, b"k", b"v", timestamp)
    log.append(1, b"k", b"v", 1000)
    source = opened()
    offsets = [record.offset for record in read_to_end(source) if record.partition == 0]
    assert source.complete_from(0) == (0, 0)
    assert offsets[0] < source.complete_from(2000)[0] <= offsets[1]
    assert 0 < source.complete_from(2000)[1] <= source.ends()[1]


def test_two_sources_of_one_log_have_the_same_identity_and_another_log_another(
    log: Log, opened: Callable[[], Source], request: pytest.FixtureRequest
) -> None:
    other = InMemory() if isinstance(log, InMemory) else OnKafka(request.getfixturevalue("bootstrap_servers"))
    source = other.source()
    assert opened().identity == opened().identity != source.identity
    assert len(source.identity) == 8
    source.close()


@pytest.mark.kafka
def test_a_topic_that_does_not_exist_is_the_users_mistake(bootstrap_servers: str) -> None:
    with pytest.raises(UserError, match="does not exist"):
        TopicSource(bootstrap_servers, "to.nobody.nothing")


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("config", "keeps"),
    [
        ({"cleanup.policy": "compact", "min.compaction.lag.ms": "86400000"}, 86_400_000),
        ({"cleanup.policy": "compact"}, 0),
        ({"cleanup.policy": "delete", "retention.ms": "1000"}, 1000),
        ({"cleanup.policy": "delete", "retention.ms": "-1"}, None),
    ],
)
def test_how_long_a_topic_keeps_everything_follows_from_its_settings(
    bootstrap_servers: str, unique: str, config: dict[str, str], keeps: int | None
) -> None:
    Admin(bootstrap_servers).create([TopicSpec(unique, 1, config)])
    source = TopicSource(bootstrap_servers, unique)
    assert source.keeps_ms() == keeps
    source.close()


@pytest.mark.kafka
def test_an_open_transaction_ends_what_can_be_read_but_not_what_there_is(bootstrap_servers: str, unique: str) -> None:
    """A worker that was killed in the middle must not keep a gateway from being ready."""
    Admin(bootstrap_servers).create([TopicSpec(unique, 1)])
    producer = Producer(producer_config(bootstrap_servers, transactional_id=unique))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(unique, b"maybe", b"k")
    producer.flush(30)
    source = TopicSource(bootstrap_servers, unique)
    assert (source.readable_ends(), source.ends()) == ((0,), (1,))
    producer.commit_transaction(30)
    records: list[Record] = []
    while not records:
        records += source.read(10, 1)
    assert [record.value for record in records] == [b"maybe"]
    source.close()
