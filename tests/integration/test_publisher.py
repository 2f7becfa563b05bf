"""A publisher in memory keeps the promises of one on Kafka: one suite over both."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from connectors.base import Publisher
from connectors.memory import MemoryLog, MemoryPublisher, MemorySource
from streams.engine.admin import Admin, TopicSpec
from streams.engine.partitioner import partition_of
from streams.engine.publisher import TopicPublisher
from streams.engine.reader import Reader
from streams.engine.record import Record
from streams.errors import SystemFailure, UserError
from tests.integration.frozen import FreezableKafka

PARTITIONS = 3


class Closing(Publisher, Protocol):
    def close(self) -> None: ...


class Log(Protocol):
    """A log that a test can publish to, read, and make silent."""

    def publisher(self, patience_s: float, max_waiting: int) -> Closing: ...
    def silent(self) -> AbstractContextManager[None]: ...
    def records(self) -> list[Record]: ...


class InMemory:
    def __init__(self) -> None:
        self._log = MemoryLog("memory", PARTITIONS)
        self._made: list[MemoryPublisher] = []

    def publisher(self, patience_s: float, max_waiting: int) -> Closing:
        self._made.append(MemoryPublisher(self._log, patience_s, max_waiting))
        return self._made[-1]

    @contextmanager
    def silent(self) -> Iterator[None]:
        for publisher in self._made:
            publisher.silent()
        yield
        for publisher in self._made:
            publisher.silent(False)

    def records(self) -> list[Record]:
        return list(MemorySource(self._log).read(10_000, 0))


class OnKafka:
    def __init__(self, kafka: FreezableKafka, topic: str) -> None:
        self._bootstrap, self._topic = kafka.bootstrap_servers, topic
        self.silent = kafka.frozen
        Admin(self._bootstrap).create([TopicSpec(topic, PARTITIONS)])

    def publisher(self, patience_s: float, max_waiting: int) -> Closing:
        return TopicPublisher(self._bootstrap, self._topic, patience_s=patience_s, max_waiting=max_waiting)

    def records(self) -> list[Record]:
        with Reader(self._bootstrap, [self._topic]) as reader:
            return list(reader.read_to_end(30))


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, unique: str) -> Log:
    return InMemory() if request.param == "memory" else OnKafka(request.getfixturevalue("freezable"), unique)


Open = Callable[..., Closing]


@pytest.fixture
def opened(log: Log) -> Iterator[Open]:
    publishers: list[Closing] = []

    def publisher(*, patience_s: float = 30.0, max_waiting: int = 1000) -> Closing:
        publishers.append(log.publisher(patience_s, max_waiting))
        return publishers[-1]

    yield publisher
    for one in publishers:
        one.close()


async def begun(publisher: Publisher) -> "asyncio.Task[None]":
    """A publish that has got as far as it can without the log."""
    task = asyncio.ensure_future(publisher.publish("k", b"v"))
    await asyncio.sleep(0)
    return task


async def test_what_was_acknowledged_is_in_the_log_in_the_partition_of_its_key(log: Log, opened: Open) -> None:
    publisher = opened()
    await publisher.publish("键", b"v")
    (record,) = log.records()
    assert (record.key, record.value) == ("键".encode(), b"v")
    assert record.partition == partition_of("键".encode(), PARTITIONS)


async def test_many_at_once_are_all_acknowledged_and_those_of_a_key_keep_their_order(log: Log, opened: Open) -> None:
    publisher = opened()
    await asyncio.gather(*(publisher.publish(f"k{n % 7}", b"%d" % n) for n in range(300)))
    seen: dict[bytes | None, list[int]] = {}
    for record in log.records():
        seen.setdefault(record.key, []).append(int(record.value or b""))
    assert sum(map(len, seen.values())) == 300
    assert all(numbers == sorted(numbers) for numbers in seen.values())


async def test_without_an_acknowledgement_in_time_it_fails_and_says_so(log: Log, opened: Open) -> None:
    publisher = opened(patience_s=0.5)
    with log.silent(), pytest.raises(SystemFailure, match=r"within 0\.5 s"):
        await publisher.publish("k", b"v")


async def test_once_the_log_answers_again_so_does_the_same_publisher(log: Log, opened: Open) -> None:
    """What failed may be there all the same; what is acknowledged is."""
    publisher = opened(patience_s=1)
    with log.silent(), pytest.raises(SystemFailure):
        await publisher.publish("k", b"first")
    async with asyncio.timeout(60):
        while True:
            try:
                await publisher.publish("k", b"again")
                break
            except SystemFailure:
                pass  # a broker that was frozen takes a moment
    values = [record.value for record in log.records()]
    assert b"again" in values
    assert set(values) <= {b"first", b"again"}


async def test_so_many_may_wait_and_the_next_is_refused_at_once(log: Log, opened: Open) -> None:
    publisher = opened(max_waiting=2)
    with log.silent():
        waiting = [await begun(publisher) for _ in range(2)]
        with pytest.raises(SystemFailure, match="2 records wait"):
            await publisher.publish("k", b"v")
    await asyncio.gather(*waiting)


async def test_a_caller_that_gives_up_leaves_its_place_to_another(log: Log, opened: Open) -> None:
    publisher = opened(max_waiting=1)
    with log.silent():
        gone = await begun(publisher)
        gone.cancel()
        await asyncio.wait([gone])
        other = await begun(publisher)
    await other


async def test_after_close_nothing_is_published(log: Log, opened: Open) -> None:
    publisher = opened()
    await publisher.publish("k", b"v")
    await asyncio.to_thread(publisher.close)
    with pytest.raises(SystemFailure):
        await publisher.publish("k", b"late")
    assert [record.value for record in log.records()] == [b"v"]


@pytest.mark.kafka
async def test_closing_waits_for_what_is_under_way(freezable: FreezableKafka, unique: str) -> None:
    log = OnKafka(freezable, unique)
    publisher = log.publisher(30, 1000)
    under_way = [await begun(publisher) for _ in range(20)]
    await asyncio.to_thread(publisher.close)
    await asyncio.gather(*under_way)
    assert len(log.records()) == 20


@pytest.mark.kafka
def test_a_topic_that_does_not_exist_is_the_callers_mistake(freezable: FreezableKafka, unique: str) -> None:
    with pytest.raises(UserError, match="does not exist"):
        TopicPublisher(freezable.bootstrap_servers, unique)


class Fatal(Producer):
    """A producer that has failed for good, as librdkafka says it of an idempotent one that lost its sequence."""

    def produce(self, *args: object, **more: object) -> None:
        raise KafkaException(KafkaError(KafkaError._FATAL, "out of sequence", fatal=True))


@pytest.mark.kafka
async def test_a_producer_that_failed_for_good_is_replaced(freezable: FreezableKafka, unique: str) -> None:
    log = OnKafka(freezable, unique)
    with TopicPublisher(freezable.bootstrap_servers, unique, patience_s=30) as publisher:
        publisher._producer = Fatal({"bootstrap.servers": freezable.bootstrap_servers})
        with pytest.raises(SystemFailure, match="out of sequence"):
            await publisher.publish("k", b"v")
        async with asyncio.timeout(30):
            while isinstance(publisher._producer, Fatal):  # noqa: ASYNC110  # the thread that replaces it tells nobody
                await asyncio.sleep(0.01)
        await publisher.publish("k", b"v")
    assert len(log.records()) == 1
