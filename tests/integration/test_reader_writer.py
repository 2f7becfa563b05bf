"""Reading and writing topics whole: the same promises from Kafka and from the log in memory, then Kafka's own."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.engine.admin import Admin, TopicSpec
from streams.engine.client import MAX_INPUT, MIB, producer_config
from streams.engine.memory import MemoryLog, MemoryReader, MemoryWriter
from streams.engine.partitioner import partition_of
from streams.engine.reader import OutOfRange, Reader
from streams.engine.record import BEGINNING, END, Record, RecordReader, RecordWriter, Start
from streams.engine.writer import Writer
from streams.errors import SystemFailure, UserError

pytestmark = pytest.mark.kafka


class Cluster(Protocol):
    topic: str
    other: str

    def writer(self) -> RecordWriter: ...
    def reader(self, *topics: str, start: Start = "beginning") -> RecordReader: ...


class InKafka:
    def __init__(self, bootstrap: str, word: str) -> None:
        self.topic, self.other, self._bootstrap = f"{word}.a", f"{word}.b", bootstrap
        Admin(bootstrap).create([TopicSpec(self.topic, 3), TopicSpec(self.other, 1)])

    def writer(self) -> RecordWriter:
        return Writer(self._bootstrap)

    def reader(self, *topics: str, start: Start = "beginning") -> RecordReader:
        return Reader(self._bootstrap, topics or [self.topic], start)


class InMemory:
    def __init__(self, word: str) -> None:
        self.topic, self.other = f"{word}.a", f"{word}.b"
        self._log = MemoryLog({self.topic: 3, self.other: 1})

    def writer(self) -> RecordWriter:
        return MemoryWriter(self._log)

    def reader(self, *topics: str, start: Start = "beginning") -> RecordReader:
        return MemoryReader(self._log, topics or [self.topic], start)


@pytest.fixture(params=["kafka", "memory"])
def cluster(request: pytest.FixtureRequest, unique: str) -> Cluster:
    return (
        InKafka(request.getfixturevalue("bootstrap_servers"), unique) if request.param == "kafka" else InMemory(unique)
    )


def publish(cluster: Cluster, count: int, topic: str = "", prefix: str = "k") -> None:
    with cluster.writer() as writer:
        for n in range(count):
            writer.write(topic or cluster.topic, f"{prefix}{n % 10}", str(n).encode())


def all_of(reader: RecordReader) -> list[Record]:
    with reader:
        return list(reader.read_to_end(30))


# -- Kafka and memory alike ------------------------------------------------------------------------------------------


def test_a_record_is_read_as_it_was_written(cluster: Cluster) -> None:
    with cluster.writer() as writer:
        writer.write(cluster.other, "键", "值".encode(), [("step", b"decode"), ("step", b"mask")], 1_700_000_000_123)
    (record,) = all_of(cluster.reader(cluster.other))
    assert record == Record(
        cluster.other, 0, 0, 1_700_000_000_123, "键".encode(), "值".encode(), (("step", b"decode"), ("step", b"mask"))
    )
    assert record.header("step") == b"mask" and record.header("flow") is None


def test_a_tombstone_and_a_record_without_key_keep_their_nothing(cluster: Cluster) -> None:
    with cluster.writer() as writer:
        writer.write(cluster.other, b"k", None)
        writer.write(cluster.other, None, b"v")
    assert [(r.key, r.value) for r in all_of(cluster.reader(cluster.other))] == [(b"k", None), (None, b"v")]


def test_a_record_without_a_timestamp_gets_the_time_of_writing(cluster: Cluster) -> None:
    before = time.time_ns() // 1_000_000
    publish(cluster, 1)
    (record,) = all_of(cluster.reader())
    assert before - 1 <= record.timestamp <= time.time_ns() // 1_000_000 + 1


def test_a_key_goes_to_the_partition_that_javas_clients_choose(cluster: Cluster) -> None:
    publish(cluster, 100)
    records = all_of(cluster.reader())
    assert len(records) == 100
    assert all(r.partition == partition_of(r.key or b"", 3) for r in records)


def test_records_of_a_key_keep_their_order(cluster: Cluster) -> None:
    publish(cluster, 200)
    seen: dict[bytes | None, list[int]] = {}
    for record in all_of(cluster.reader()):
        seen.setdefault(record.key, []).append(int(record.value or b""))
    assert len(seen) == 10 and all(values == sorted(values) for values in seen.values())


def test_reading_to_the_end_stops_there_and_goes_on_from_there(cluster: Cluster) -> None:
    publish(cluster, 10)
    with cluster.reader() as reader:
        assert len(list(reader.read_to_end(30))) == 10
        assert reader.caught_up()
        assert list(reader.read_to_end(30)) == []
        publish(cluster, 5)
        assert not reader.caught_up()
        assert len(list(reader.read_to_end(30))) == 5


def test_a_reader_from_the_end_sees_only_what_comes_later(cluster: Cluster) -> None:
    publish(cluster, 10)
    with cluster.reader(start="end") as reader:
        assert reader.caught_up()
        publish(cluster, 3)
        assert len(list(reader.read_to_end(30))) == 3


def test_positions_resume_where_another_reader_stopped(cluster: Cluster) -> None:
    publish(cluster, 50)
    with cluster.reader() as reader:
        first = reader.read(20, 30)
        stopped = reader.positions
    rest = all_of(cluster.reader(start=stopped))
    assert 0 < len(first) <= 20
    assert sorted([*first, *rest]) == sorted(all_of(cluster.reader()))


def test_positions_are_those_of_what_was_returned(cluster: Cluster) -> None:
    publish(cluster, 50)
    with cluster.reader() as reader:
        seen: dict[tuple[str, int], int] = dict.fromkeys(reader.positions, 0)
        for record in reader.read(7, 30):
            seen[record.topic, record.partition] = record.offset + 1
        assert reader.positions == seen


def test_only_the_partitions_named_are_read(cluster: Cluster) -> None:
    publish(cluster, 50)
    with cluster.reader(start={(cluster.topic, 1): BEGINNING}) as reader:
        records = list(reader.read_to_end(30))
        assert set(reader.positions) == {(cluster.topic, 1)}
    assert records and {r.partition for r in records} == {1}


def test_each_partition_may_begin_elsewhere(cluster: Cluster) -> None:
    publish(cluster, 50)
    whole = all_of(cluster.reader())
    start = {(cluster.topic, 0): BEGINNING, (cluster.topic, 1): END, (cluster.topic, 2): 3}
    expected = [r for r in whole if r.partition == 0 or (r.partition == 2 and r.offset >= 3)]
    assert sorted(all_of(cluster.reader(start=start))) == sorted(expected)


def test_several_topics_are_read_together(cluster: Cluster) -> None:
    publish(cluster, 5)
    publish(cluster, 7, cluster.other)
    topics = [r.topic for r in all_of(cluster.reader(cluster.topic, cluster.other))]
    assert (topics.count(cluster.topic), topics.count(cluster.other)) == (5, 7)


@pytest.mark.parametrize("offset", [5, 99])
def test_an_offset_beyond_the_end_is_refused(cluster: Cluster, offset: int) -> None:
    publish(cluster, 4, cluster.other)
    with pytest.raises(OutOfRange, match=r"\[0\] has no offset"):
        cluster.reader(cluster.other, start={(cluster.other, 0): offset})


def test_a_partition_that_does_not_exist_is_refused(cluster: Cluster) -> None:
    with pytest.raises(OutOfRange):
        cluster.reader(cluster.other, start={(cluster.other, 1): BEGINNING})


def test_an_empty_topic_is_at_its_end(cluster: Cluster) -> None:
    with cluster.reader() as reader:
        assert list(reader.read_to_end(30)) == []
        assert reader.caught_up()
        assert reader.read(timeout=0.0) == []


def test_a_topic_that_does_not_exist_is_the_callers_mistake(cluster: Cluster) -> None:
    with pytest.raises(UserError, match="does not exist"):
        cluster.reader(f"{cluster.topic}x")
    with pytest.raises(UserError, match="does not exist"):
        cluster.writer().write(f"{cluster.topic}x", "k", b"v")


def test_a_record_over_the_limit_is_refused_and_its_neighbours_are_written(cluster: Cluster) -> None:
    with cluster.writer() as writer:
        writer.write(cluster.other, "a", b"1")
        with pytest.raises(UserError, match="larger"):
            writer.write(cluster.other, "b", b"x" * 5 * MIB)
        writer.write(cluster.other, "c", b"2")
    assert [r.value for r in all_of(cluster.reader(cluster.other))] == [b"1", b"2"]


# -- Kafka only ------------------------------------------------------------------------------------------------------


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
