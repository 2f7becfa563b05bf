"""Settings that must hold together: sizes below each other, nothing committed by accident, one hash for every key."""

import pytest
from confluent_kafka import Consumer, Producer

from streams.engine.client import MAX_INPUT, MAX_RECORD, MAX_TOPIC, admin_config, consumer_config, producer_config


def test_librdkafka_knows_every_setting() -> None:
    Consumer(consumer_config("127.0.0.1:9", "g", instance="g-0")).close()
    Consumer(consumer_config("127.0.0.1:9", "g", protocol="consumer")).close()
    Producer(producer_config("127.0.0.1:9"))
    Producer(producer_config("127.0.0.1:9", transactional_id="g-0"))
    Producer(admin_config("127.0.0.1:9"))


def test_limits_lie_below_each_other() -> None:
    config = producer_config("b")
    assert MAX_RECORD <= config["batch.size"] <= config["message.max.bytes"] <= MAX_TOPIC < MAX_INPUT
    reading = consumer_config("b", "g")
    assert MAX_INPUT <= reading["message.max.bytes"] <= reading["fetch.max.bytes"]
    assert reading["receive.message.max.bytes"] >= reading["fetch.max.bytes"] + 512


def test_a_consumer_never_commits_or_jumps_by_itself() -> None:
    config = consumer_config("b", "g")
    assert config["enable.auto.commit"] is config["enable.auto.offset.store"] is False
    assert config["auto.offset.reset"] == "error"
    assert config["isolation.level"] == "read_committed"


def test_both_protocols_assign_by_range() -> None:
    assert consumer_config("b", "g")["partition.assignment.strategy"] == "range"
    config = consumer_config("b", "g", protocol="consumer")
    assert config["group.remote.assignor"] == "range"
    assert not {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} & set(config)


def test_only_a_transactional_producer_has_a_transactional_id_and_the_short_back_off() -> None:
    assert "transactional.id" not in producer_config("b")
    config = producer_config("b", transactional_id="person-0")
    assert config["transactional.id"] == "person-0" and config["retry.backoff.ms"] == 5


def test_every_producer_is_idempotent_and_hashes_keys_as_java_does() -> None:
    for config in (producer_config("b"), producer_config("b", transactional_id="x")):
        assert config["enable.idempotence"] is True and config["partitioner"] == "murmur2_random"


@pytest.mark.parametrize("override", [{"linger_ms": 0}, {"linger.ms": 0}])
def test_an_override_may_have_dots_or_underscores(override: dict[str, int]) -> None:
    assert producer_config("b", **override)["linger.ms"] == 0  # type: ignore[arg-type]  # as keywords of any name


def test_callbacks_keep_their_names() -> None:
    config = producer_config("b", on_delivery=print, error_cb=print)
    assert config["on_delivery"] is print and config["error_cb"] is print
