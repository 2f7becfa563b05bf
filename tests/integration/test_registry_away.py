"""The registry away: at start-up a sentence and no more, for known schemas nothing, for an unknown one its partition's
wait, and a proper verdict when the registry is back.
"""

import json
from collections.abc import Iterator

import pytest

from streams.contract.registry import Registry
from streams.contract.wire import HEADER, header, schema_id
from streams.engine.admin import Admin
from streams.engine.partitioner import partition_of
from tests.integration.bus import IN_TESTS, TESTS, Bus, Watch, WorkerProcess, headers, sampled, workers
from tests.integration.door import Door

pytestmark = pytest.mark.kafka

DEAD = f"dead.{IN_TESTS}"
UNKNOWN = 2_000_000_000
WAITS = "a partition waits for an unknown schema"


@pytest.fixture(scope="module")
def door(bus: Bus) -> Iterator[Door]:
    with Door(bus.registry_url) as door:
        yield door


@pytest.fixture(scope="module")
def intake(bus: Bus, door: Door) -> Iterator[WorkerProcess]:
    """Started while the registry is away."""
    with workers(bus, "intake", HAIHE_REGISTRY_URL=door.url) as [started]:
        yield started


@pytest.fixture
def away(intake: WorkerProcess, door: Door) -> Iterator[Door]:
    """The registry away; a test may open the door."""
    door.shut()
    yield door
    door.shut()


def other_id(bus: Bus, word: str) -> int:
    """The id that the registry gives the tests' schema in another formatting."""
    registry = Registry(bus.registry_url)
    released = schema_id(bus.encode(TESTS, sampled(bus.person())))
    assert isinstance(released, int)
    schema = registry.schema(released)
    assert schema is not None
    found = registry.register(f"{word}-value", json.loads(json.dumps(schema)) | {"doc": f"As {word} writes it."})
    assert found != released
    return found


def negative(bus: Bus) -> bytes:
    return bus.encode(TESTS, sampled(bus.person(), "NEGATIVE"))


def keys_of_each_partition(bus: Bus) -> dict[int, bytes]:
    """A key for each partition of the input, as the test's client hashes it."""
    count = Admin(bus.bootstrap).topics()[IN_TESTS]
    return {partition_of(f"key {n}".encode(), count): f"key {n}".encode() for n in range(100)}


def test_at_start_up_it_is_one_sentence_that_says_what_goes_on(intake: WorkerProcess) -> None:
    said = intake.says("known schemas are used meanwhile, records with unknown ones wait")
    assert "does not answer" in said["reason"]
    assert len(intake.said(said["event"])) == 1
    assert "Traceback" not in intake.log.read_text()


def test_known_schemas_keep_the_bus_going(bus: Bus, away: Door) -> None:
    values = [negative(bus) for _ in range(10)]
    with Watch(bus, TESTS, DEAD) as watch:
        bus.publish(IN_TESTS, *values)
        assert sorted(record.value or b"" for record in watch.count(len(values))) == sorted(values)


def test_it_is_asked_again_until_it_answers(intake: WorkerProcess, away: Door) -> None:
    assert not intake.said("the registry answers")
    away.open()
    intake.says("the registry answers")


def test_only_the_partition_with_an_unknown_schema_waits_and_it_loses_nothing(
    bus: Bus, intake: WorkerProcess, away: Door, unique: str
) -> None:
    first, *others = keys_of_each_partition(bus).values()
    reformatted, unknown = other_id(bus, unique), negative(bus)
    waiting = negative(bus)
    before, behind, last = negative(bus), negative(bus), negative(bus)
    with Watch(bus, TESTS, DEAD) as watch:
        bus.publish(IN_TESTS, before, key=first)
        watch.count(1)
        bus.publish(IN_TESTS, header(reformatted) + waiting[HEADER:], behind, key=first)
        bus.publish(IN_TESTS, header(UNKNOWN) + unknown[HEADER:], last, key=first)
        intake.says(WAITS)
        flowing = [negative(bus) for _ in others for _ in range(2)]
        for number, value in enumerate(flowing):
            bus.publish(IN_TESTS, value, key=others[number % len(others)])
        arrived = {record.value for record in watch.count(1 + len(flowing))}
        assert arrived == {before, *flowing}
        assert intake.get("/readyz") is not None

        away.open()
        records = watch.count(1 + len(flowing) + 4)[1 + len(flowing) :]
    accepted = [record.value for record in records if record.topic == TESTS]
    [dead] = [record for record in records if record.topic == DEAD]
    assert sorted(accepted) == sorted([waiting, behind, last])  # the released id in place of the registry's other one
    assert (headers(dead)["step"], headers(dead)["reason"]) == ("decode", "unknown-schema")


def test_what_waits_is_told_once_and_without_what_is_in_it(intake: WorkerProcess) -> None:
    [said] = intake.said(WAITS)
    assert said["topic"] == TESTS
    assert set(said) <= {"event", "topic", "schema_id", "reason", "chain", "slot", "level", "timestamp", "logger"}


def test_while_a_partition_waits_a_restart_changes_nothing(
    bus: Bus, intake: WorkerProcess, away: Door, unique: str
) -> None:
    reformatted, waiting, behind = other_id(bus, unique), negative(bus), negative(bus)
    key = next(iter(keys_of_each_partition(bus).values()))

    with Watch(bus, TESTS, DEAD) as watch:
        bus.publish(IN_TESTS, header(reformatted) + waiting[HEADER:], behind, key=key)
        intake.says(WAITS, times=2)
        intake.kill()
        intake.start()
        intake.ready()
        away.open()
        assert sorted(record.value or b"" for record in watch.count(2)) == sorted([waiting, behind])
