"""Topics followed in memory: complete at the start, current afterwards, and never silently stale."""

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from streams.engine.admin import Admin, TopicSpec
from streams.engine.record import Record
from streams.engine.table import Follower, GlobalTable
from streams.engine.writer import Writer
from streams.errors import SystemFailure, UserError

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(bootstrap_servers: str, unique: str) -> str:
    Admin(bootstrap_servers).create([TopicSpec(unique, 1, {"cleanup.policy": "compact"})])
    return unique


def put(bootstrap: str, topic: str, **rows: str | None) -> None:
    with Writer(bootstrap) as writer:
        for key, value in rows.items():
            writer.write(topic, key, None if value is None else json.dumps({"on_duty": value}).encode())


def decode(value: bytes) -> Mapping[str, Any]:
    row: dict[str, Any] = json.loads(value)
    return row


def test_what_the_topic_held_is_applied_before_start_returns(bootstrap_servers: str, topic: str) -> None:
    put(bootstrap_servers, topic, a="1", b="2")
    seen: list[Record] = []
    with Follower(bootstrap_servers, topic, seen.append) as follower:
        assert [r.key for r in seen] == [b"a", b"b"]
        assert follower.version == 2


def test_what_comes_later_is_applied_in_order_and_sync_waits_for_it(bootstrap_servers: str, topic: str) -> None:
    seen: list[bytes | None] = []
    with Follower(bootstrap_servers, topic, lambda record: seen.append(record.key)) as follower:
        for n in range(5):
            put(bootstrap_servers, topic, **{f"k{n}": "x"})
            follower.sync(30)
            assert seen == [f"k{i}".encode() for i in range(n + 1)]
            assert follower.version == n + 1


def test_sync_waits_until_the_apply_of_the_last_record_is_done(bootstrap_servers: str, topic: str) -> None:
    go, began, done = threading.Event(), threading.Event(), []

    def apply(record: Record) -> None:
        began.set()
        go.wait(30)
        done.append(record.key)

    with Follower(bootstrap_servers, topic, apply) as follower:
        put(bootstrap_servers, topic, a="1")
        assert began.wait(30)
        with pytest.raises(SystemFailure, match="could not be read to its end"):
            follower.sync(0.2)
        go.set()
        follower.sync(30)
        assert done == [b"a"]


def test_an_apply_that_raises_ends_the_following_and_everybody_is_told(bootstrap_servers: str, topic: str) -> None:
    told: list[SystemFailure] = []
    ended = threading.Event()

    def apply(record: Record) -> None:
        raise KeyError("张三")

    def on_failure(failure: SystemFailure) -> None:
        told.append(failure)
        ended.set()

    with Follower(bootstrap_servers, topic, apply, on_failure) as follower:
        put(bootstrap_servers, topic, a="1")
        assert ended.wait(30)
        assert told == [follower.failure]
        assert "KeyError" in str(told[0]) and "张三" not in str(told[0])
        with pytest.raises(SystemFailure, match="KeyError"):
            follower.sync(30)
        with pytest.raises(SystemFailure, match="KeyError"):
            follower.check()


def test_an_apply_that_raises_during_the_start_fails_the_start(bootstrap_servers: str, topic: str) -> None:
    put(bootstrap_servers, topic, a="1")

    def apply(record: Record) -> None:
        raise SystemFailure("no")

    with pytest.raises(SystemFailure, match="no"):
        Follower(bootstrap_servers, topic, apply).start()


def test_a_topic_that_does_not_exist_cannot_be_followed(bootstrap_servers: str, unique: str) -> None:
    with pytest.raises(UserError, match="does not exist"):
        Follower(bootstrap_servers, unique, print).start()


def test_sync_fails_when_the_topic_is_gone(bootstrap_servers: str, topic: str) -> None:
    with Follower(bootstrap_servers, topic, print) as follower:
        client = AdminClient({"bootstrap.servers": bootstrap_servers})
        client.delete_topics([topic])[topic].result(30)
        with pytest.raises((SystemFailure, UserError)):
            follower.sync(5)


def test_a_stopped_follower_applies_nothing_more(bootstrap_servers: str, topic: str) -> None:
    seen: list[Record] = []
    follower = Follower(bootstrap_servers, topic, seen.append).start()
    follower.stop()
    follower.stop()
    put(bootstrap_servers, topic, a="1")
    with pytest.raises(SystemFailure):
        follower.sync(0.2)
    assert seen == []


def test_a_table_holds_the_latest_row_of_each_key(bootstrap_servers: str, topic: str) -> None:
    put(bootstrap_servers, topic, a="1", b="2", c="3")
    put(bootstrap_servers, topic, b="4", c=None)
    with GlobalTable(bootstrap_servers, topic, decode) as table:
        assert (table.get("a"), table.get("b")) == ({"on_duty": "1"}, {"on_duty": "4"})
        assert table.get("c") is None and table.get("d") is None
        assert len(table) == 2


def test_a_table_follows_changes_and_deletions(bootstrap_servers: str, topic: str) -> None:
    with GlobalTable(bootstrap_servers, topic, decode) as table:
        put(bootstrap_servers, topic, a="1")
        table.sync(30)
        assert table.get("a") == {"on_duty": "1"}
        put(bootstrap_servers, topic, a=None)
        table.sync(30)
        assert table.get("a") is None and len(table) == 0


def test_a_row_that_cannot_be_decoded_is_counted_and_the_old_one_stays(bootstrap_servers: str, topic: str) -> None:
    put(bootstrap_servers, topic, a="1")
    with GlobalTable(bootstrap_servers, topic, decode) as table:
        with Writer(bootstrap_servers) as writer:
            writer.write(topic, "a", b"not json")
            writer.write(topic, "b", b'{"on_duty": "2"}')
        table.sync(30)
        assert (table.get("a"), table.get("b"), table.rejected) == ({"on_duty": "1"}, {"on_duty": "2"}, 1)


def test_a_table_whose_following_failed_answers_nothing_any_more(bootstrap_servers: str, topic: str) -> None:
    def broken(value: bytes) -> Mapping[str, Any]:
        raise RuntimeError

    ended = threading.Event()
    with GlobalTable(bootstrap_servers, topic, broken, lambda failure: ended.set()) as table:
        put(bootstrap_servers, topic, a="1")
        assert ended.wait(30)
        with pytest.raises(SystemFailure):
            table.get("a")
