"""What only Kafka does to a reader and a writer: transactions, retention, limits, and being away."""

import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.engine.admin import Admin, TopicSpec
from streams.engine.client import MAX_INPUT, MIB, producer_config
from streams.engine.reader import OutOfRange, Reader
from streams.engine.writer import Writer
from streams.errors import SystemFailure
from tests.integration.cluster import InKafka, publish

pytestmark = pytest.mark.kafka


@pytest.fixture
def kafka(bootstrap_servers: str, unique: str) -> InKafka:
    return InKafka(bootstrap_servers, unique)


@pytest.fixture
def transaction(bootstrap_servers: str, unique: str) -> Iterator[Callable[[str, int], Producer]]:
    """Writes records into a transaction and leaves it open."""
    producer = Producer(producer_config(bootstrap_servers, transactional_id=unique))
    producer.init_transactions(30)

    def begin(topic: str, count: int) -> Producer:
        producer.begin_transaction()
        for n in range(count):
            producer.produce(topic, str(n), "k")
        producer.flush(30)
        return producer

    yield begin
    producer.purge()


Begin = Callable[[str, int], Producer]


def test_the_end_of_a_log_that_ends_in_a_transaction_marker_is_reached(
    kafka: InKafka, bootstrap_servers: str, transaction: Begin
) -> None:
    transaction(kafka.other, 3).commit_transaction(30)
    await_end(bootstrap_servers, kafka.other, 4)
    with Reader(bootstrap_servers, [kafka.other]) as reader:
        assert len(list(reader.read_to_end(30))) == 3
        assert reader.positions == {(kafka.other, 0): 4}
        assert reader.caught_up()


def test_records_of_an_aborted_transaction_are_never_seen(
    kafka: InKafka, bootstrap_servers: str, transaction: Begin
) -> None:
    transaction(kafka.other, 3).abort_transaction(30)
    transaction(kafka.other, 2).commit_transaction(30)
    await_end(bootstrap_servers, kafka.other, 7)
    with Reader(bootstrap_servers, [kafka.other]) as reader:
        assert [r.offset for r in reader.read_to_end(30)] == [4, 5]
        assert reader.positions == {(kafka.other, 0): 7}


def test_an_open_transaction_is_waited_for(kafka: InKafka, bootstrap_servers: str, transaction: Begin) -> None:
    producer = transaction(kafka.other, 3)
    publish(kafka, 1, kafka.other)  # behind it, not in it
    with Reader(bootstrap_servers, [kafka.other]) as reader:
        steps = reader.read_to_end(60)
        assert reader.read(timeout=0.2) == []
        producer.commit_transaction(30)
        assert len(list(steps)) == 4


def test_a_transaction_that_stays_open_is_a_failure_that_names_the_partition(
    kafka: InKafka, bootstrap_servers: str, transaction: Begin
) -> None:
    producer = transaction(kafka.other, 3)
    with Reader(bootstrap_servers, [kafka.other]) as reader:
        with pytest.raises(SystemFailure, match=rf"{kafka.other}\[0\] cannot be read to its end: offset 0 of 3"):
            list(reader.read_to_end(1))
        producer.abort_transaction(30)
        assert list(reader.read_to_end(30)) == []  # and the reader is still good


def test_an_input_of_8_mib_can_be_read(bootstrap_servers: str, unique: str) -> None:
    topic = f"in.{unique}.large"
    Admin(bootstrap_servers).create([TopicSpec(topic, 1, {"max.message.bytes": str(MAX_INPUT)})])
    with Writer(bootstrap_servers, max_bytes=MAX_INPUT) as writer:
        writer.write(topic, "a", b"x" * 8 * MIB)
        writer.write(topic, "b", b"y")
    with Reader(bootstrap_servers, [topic]) as reader:
        assert [len(r.value or b"") for r in reader.read_to_end(30)] == [8 * MIB, 1]


def test_a_record_that_the_broker_refuses_fails_the_flush_that_names_its_topic(
    bootstrap_servers: str, unique: str
) -> None:
    Admin(bootstrap_servers).create([TopicSpec(unique, 1, {"max.message.bytes": "1000"})])
    writer = Writer(bootstrap_servers)
    writer.write(unique, "k", b"x" * 10_000)
    with pytest.raises(SystemFailure, match=f"1 records were not written, the first to {unique}"):
        writer.flush(30)
    writer.write(unique, "k", b"x")
    writer.flush(30)  # the failure was told once and the writer is still good


def test_an_offset_that_retention_has_passed_is_refused(kafka: InKafka, bootstrap_servers: str) -> None:
    publish(kafka, 10, kafka.other)
    cut(bootstrap_servers, kafka.other, 6)
    with pytest.raises(OutOfRange):
        Reader(bootstrap_servers, [kafka.other], {(kafka.other, 0): 5})
    with Reader(bootstrap_servers, [kafka.other], {(kafka.other, 0): 6}) as reader:
        assert len(list(reader.read_to_end(30))) == 4
    with Reader(bootstrap_servers, [kafka.other]) as reader:
        assert reader.positions == {(kafka.other, 0): 6}
        assert len(list(reader.read_to_end(30))) == 4


def test_a_reader_that_retention_overtakes_fails_instead_of_skipping(kafka: InKafka, bootstrap_servers: str) -> None:
    with Reader(bootstrap_servers, [kafka.other], {(kafka.other, 0): 0}) as reader:
        assert reader.read(timeout=1.0) == []
        reader._consumer.pause([TopicPartition(kafka.other, 0)])  # a slow reader, without the waiting
        publish(kafka, 10, kafka.other)
        cut(bootstrap_servers, kafka.other, 6)
        reader._consumer.resume([TopicPartition(kafka.other, 0)])
        with pytest.raises(OutOfRange, match="retention has passed"):
            list(reader.read_to_end(30))


def test_retention_that_moves_the_start_between_asking_and_reading_is_followed(
    kafka: InKafka, bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(kafka, 10, kafka.other)
    cut(bootstrap_servers, kafka.other, 6)
    with monkeypatch.context() as stale:
        stale.setattr(Admin, "starts", lambda self, topics: {(kafka.other, 0): 0})
        reader = Reader(bootstrap_servers, [kafka.other])
    with reader:
        assert [r.offset for r in reader.read_to_end(30)] == [6, 7, 8, 9]


def test_a_broker_that_is_away_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.admin.REQUEST_S", 1.0)
    with pytest.raises(SystemFailure, match=r"127\.0\.0\.1:9 does not answer"):
        Reader("127.0.0.1:9", ["t"])


def await_end(bootstrap: str, topic: str, offset: int) -> None:
    """Markers are written after the commit or abort was acknowledged: wait until the log is that long."""
    admin, end = Admin(bootstrap), time.monotonic() + 30
    while admin.ends([topic])[topic, 0] < offset:
        assert time.monotonic() < end


def cut(bootstrap: str, topic: str, offset: int) -> None:
    """Delete what lies before `offset`, as retention does."""
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.delete_records([TopicPartition(topic, 0, offset)]).values():
        future.result(30)
