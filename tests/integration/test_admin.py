"""Making topics and asking the cluster about them."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from streams.engine.admin import Admin, TopicSpec
from streams.engine.client import consumer_config, producer_config
from streams.engine.writer import Writer
from streams.errors import ConfigError, SystemFailure, UserError

pytestmark = pytest.mark.kafka


@pytest.fixture
def admin(bootstrap_servers: str) -> Admin:
    return Admin(bootstrap_servers)


def test_missing_topics_are_created_with_their_settings_and_can_be_written_at_once(
    admin: Admin, bootstrap_servers: str, unique: str
) -> None:
    specs = [TopicSpec(f"{unique}.{n}", n, {"cleanup.policy": "compact"}) for n in (1, 24)]
    assert admin.create(specs) == [f"{unique}.1", f"{unique}.24"]
    with Writer(bootstrap_servers) as writer:
        writer.write(f"{unique}.24", "k", b"v")
    assert admin.topics()[f"{unique}.24"] == 24
    resource = ConfigResource(ResourceType.TOPIC, f"{unique}.1")
    client = AdminClient({"bootstrap.servers": bootstrap_servers})
    found = client.describe_configs([resource])[resource].result(30)
    assert found["cleanup.policy"].value == "compact"


def test_creating_again_creates_nothing(admin: Admin, unique: str) -> None:
    assert admin.create([TopicSpec(unique, 2)]) == [unique]
    assert admin.create([TopicSpec(unique, 2)]) == []


def test_another_partition_count_is_refused_and_nothing_is_created(admin: Admin, unique: str) -> None:
    admin.create([TopicSpec(unique, 2)])
    with pytest.raises(ConfigError, match=f"topic {unique} has 2 partitions, the layout says 3"):
        admin.create([TopicSpec(f"{unique}.new", 1), TopicSpec(unique, 3)])
    assert f"{unique}.new" not in admin.topics()


def test_a_topic_that_kafka_will_not_have_is_named(admin: Admin, unique: str) -> None:
    with pytest.raises(SystemFailure, match=f"topic {unique} could not be created"):
        admin.create([TopicSpec(unique, 1, {"no.such.setting": "1"})])


def test_kafkas_own_topics_are_not_listed(admin: Admin) -> None:
    assert not [name for name in admin.topics() if name.startswith("__")]


def test_ends_are_high_watermarks_and_stable_ends_stop_at_an_open_transaction(
    admin: Admin, bootstrap_servers: str, unique: str
) -> None:
    admin.create([TopicSpec(unique, 1)])
    producer = Producer(producer_config(bootstrap_servers, transactional_id=unique))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(unique, b"v", b"k")
    producer.flush(30)
    assert admin.ends([unique]) == {(unique, 0): 1}
    assert admin.stable_ends([unique]) == {(unique, 0): 0}
    producer.commit_transaction(30)
    # The marker takes an offset; it is written after the commit was acknowledged.
    end = time.monotonic() + 30
    while admin.ends([unique]) != {(unique, 0): 2} and time.monotonic() < end:
        pass
    assert admin.ends([unique]) == admin.stable_ends([unique]) == {(unique, 0): 2}
    assert admin.starts([unique]) == {(unique, 0): 0}


def test_offsets_are_found_by_time(admin: Admin, bootstrap_servers: str, unique: str) -> None:
    admin.create([TopicSpec(unique, 1)])
    with Writer(bootstrap_servers) as writer:
        for n in range(5):
            writer.write(unique, "k", b"v", timestamp=1_700_000_000_000 + n)
    assert admin.offsets_at([unique], 1_700_000_000_003) == {(unique, 0): 3}
    assert admin.offsets_at([unique], 1_700_000_000_009) == {(unique, 0): 5}


@pytest.mark.parametrize("ask", [Admin.ends, Admin.starts, Admin.stable_ends, Admin.partitions])
def test_a_topic_that_does_not_exist_is_named_with_what_was_meant(
    admin: Admin, unique: str, ask: Callable[[Admin, list[str]], object]
) -> None:
    admin.create([TopicSpec(f"{unique}.event", 1)])
    with pytest.raises(UserError, match=rf"{unique}\.evnt does not exist; did you mean {unique}\.event\?"):
        ask(admin, [f"{unique}.evnt"])


def test_topics_may_be_given_as_any_iterable(admin: Admin, unique: str) -> None:
    admin.create([TopicSpec(unique, 2)])
    assert admin.partitions(t for t in [unique]) == [(unique, 0), (unique, 1)]


def test_a_topic_made_again_has_another_id(admin: Admin, bootstrap_servers: str, unique: str) -> None:
    admin.create([TopicSpec(unique, 1), TopicSpec(f"{unique}.other", 1)])
    assert admin.topic_id(unique) == admin.topic_id(unique) != admin.topic_id(f"{unique}.other")


def test_a_groups_offsets_and_lag_are_those_it_committed(admin: Admin, bootstrap_servers: str, unique: str) -> None:
    admin.create([TopicSpec(unique, 2)])
    with Writer(bootstrap_servers) as writer:
        for n in range(20):
            writer.write(unique, str(n), b"v")
    ends = admin.ends([unique])
    consumer = Consumer(consumer_config(bootstrap_servers, unique))
    consumer.commit(offsets=[TopicPartition(unique, 0, 3)], asynchronous=False)
    consumer.close()
    assert admin.committed(unique) == {(unique, 0): 3}
    assert admin.group_lag(unique) == {(unique, 0): ends[unique, 0] - 3}


def test_a_group_that_committed_nothing_has_no_lag(admin: Admin, unique: str) -> None:
    assert admin.committed(unique) == {} == admin.group_lag(unique)


def test_a_broker_that_is_away_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.admin.REQUEST_S", 1.0)
    with pytest.raises(SystemFailure, match="does not answer"):
        Admin("127.0.0.1:9").topics()
