"""Reading and writing topics whole: the same promises from Kafka and from the log in memory."""

import time

import pytest

from streams.engine.client import MIB
from streams.engine.partitioner import partition_of
from streams.engine.reader import OutOfRange
from streams.engine.record import BEGINNING, END, Record
from streams.errors import UserError
from tests.integration.cluster import Cluster, InKafka, InMemory, all_of, publish

pytestmark = pytest.mark.kafka


@pytest.fixture(params=["kafka", "memory"])
def cluster(request: pytest.FixtureRequest, unique: str) -> Cluster:
    return (
        InKafka(request.getfixturevalue("bootstrap_servers"), unique) if request.param == "kafka" else InMemory(unique)
    )


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
