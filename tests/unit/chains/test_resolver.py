"""What an unknown schema id means, and whom a worker asks, in which order, how often."""

import threading

import pytest

from streams.chains.resolver import Resolver
from streams.contract.registry import MemoryRegistry
from streams.errors import Rejection
from tests.unit.chains.registries import OTHER, REFORMATTED, TOPIC, Counting, Offices


@pytest.fixture
def offices() -> Offices:
    return Offices()


@pytest.fixture
def resolver(offices: Offices) -> Resolver:
    return Resolver(offices.released, offices.policy, offices.registry)


def test_a_released_id_is_known_without_asking_anybody(offices: Offices, resolver: Resolver) -> None:
    schema_id = offices.release(TOPIC)
    assert resolver.find(schema_id, TOPIC).schema_id == schema_id
    assert (offices.policy.syncs, offices.registry.asked) == (0, [])


def test_the_policy_is_read_to_its_end_before_the_registry_is_asked(offices: Offices, resolver: Resolver) -> None:
    schema_id = offices.release(TOPIC, unread=True)
    offices.registry.away = True
    assert resolver.find(schema_id, TOPIC).schema_id == schema_id
    assert (offices.policy.syncs, offices.registry.asked) == (1, [])


def test_the_registrys_other_id_for_the_same_schema_is_the_released_version(
    offices: Offices, resolver: Resolver
) -> None:
    released = offices.release(TOPIC)
    other = offices.registry.register("someone-value", REFORMATTED)
    assert other != released
    assert resolver.find(other, TOPIC).schema_id == released


def test_an_id_that_the_registry_does_not_know_is_an_unknown_schema(offices: Offices, resolver: Resolver) -> None:
    offices.release(TOPIC)
    assert resolver.find(4711, TOPIC)[:2] == ("decode", "unknown-schema")


def test_another_topics_schema_is_a_wrong_schema_although_the_registry_is_away(
    offices: Offices, resolver: Resolver
) -> None:
    offices.release(TOPIC)
    other = offices.release(OTHER)
    offices.registry.away = True
    assert resolver.find(other, TOPIC)[:2] == ("decode", "wrong-schema")


def test_a_registered_schema_that_was_never_released_is_a_wrong_schema(offices: Offices, resolver: Resolver) -> None:
    offices.release(TOPIC)
    stray = offices.registry.register("stray-value", {"type": "record", "name": "Stray", "fields": []})
    assert resolver.find(stray, TOPIC)[:2] == ("decode", "wrong-schema")


def test_while_the_registry_is_away_an_unknown_id_waits(offices: Offices, resolver: Resolver) -> None:
    offices.registry.away = True
    assert resolver.find(4711, TOPIC) is None


def test_what_waited_is_judged_when_the_registry_is_back(offices: Offices, resolver: Resolver) -> None:
    offices.registry.away = True
    resolver.find(4711, TOPIC)
    offices.registry.away = False
    resolver.new_batch()
    assert isinstance(resolver.find(4711, TOPIC), Rejection)


def test_a_batch_asks_once_for_each_id_however_many_records_have_it(offices: Offices, resolver: Resolver) -> None:
    for _ in range(3):
        for schema_id in (4711, 4712):
            resolver.find(schema_id, TOPIC)
    assert (offices.policy.syncs, offices.registry.asked) == (1, [4711, 4712])


def test_a_registry_that_does_not_answer_is_asked_once_a_batch_for_it_may_take_seconds(
    offices: Offices, resolver: Resolver
) -> None:
    offices.registry.away = True
    assert [resolver.find(schema_id, TOPIC) for schema_id in (4711, 4712, 4713)] == [None] * 3
    assert offices.registry.asked == [4711]
    resolver.new_batch()
    resolver.find(4712, TOPIC)
    assert offices.registry.asked == [4711, 4712]


class Slow(Counting):
    """A registry that lets a question wait until `answers` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()

    def schema(self, schema_id: int):
        self.asked.append(schema_id)
        self.answers.wait(30)
        return MemoryRegistry.schema(self, schema_id)


def test_a_registry_that_hangs_holds_nobody_up_and_its_late_answer_counts(offices: Offices) -> None:
    offices.registry = Slow()
    released = offices.release(TOPIC)
    other = offices.registry.register("someone-value", REFORMATTED)
    resolver = Resolver(offices.released, offices.policy, offices.registry)
    assert resolver.find(other, TOPIC) is None  # and returns, although nobody has answered
    resolver.new_batch()
    assert resolver.find(other, TOPIC) is None
    assert resolver.find(released, TOPIC).schema_id == released
    offices.registry.answers.set()
    resolver.new_batch()
    assert resolver.find(other, TOPIC).schema_id == released
    assert offices.registry.asked == [other]


def test_what_the_registry_says_of_an_id_is_kept(offices: Offices, resolver: Resolver) -> None:
    released = offices.release(TOPIC)
    other = offices.registry.register("someone-value", REFORMATTED)
    for _ in range(3):
        resolver.new_batch()
        assert resolver.find(other, TOPIC).schema_id == released
    offices.registry.away = True
    resolver.new_batch()
    assert resolver.find(other, TOPIC).schema_id == released
    assert offices.registry.asked == [other]


def test_the_next_batch_sees_what_was_released_after_the_last(offices: Offices, resolver: Resolver) -> None:
    schema_id = 1
    assert isinstance(resolver.find(schema_id, TOPIC), Rejection)
    assert offices.release(TOPIC, unread=True) == schema_id
    assert isinstance(resolver.find(schema_id, TOPIC), Rejection)
    resolver.new_batch()
    assert resolver.find(schema_id, TOPIC).schema_id == schema_id
