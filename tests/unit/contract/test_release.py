"""Releasing schemas: what is registered, what bus.policy is told, and that doing it again changes nothing."""

import pytest

from streams.contract.registry import MemoryRegistry, RegistryAway
from streams.contract.release import release
from streams.contract.released import Released
from streams.errors import ConfigError
from tests.unit.contract.bus_of import CONTRACTS, DIVISIONS
from tests.unit.contract.bytes_of import record_of

VIEW = ("to.jinzhitong.grid.alert.changed", record_of(["null", "string"]))


def test_every_topic_that_carries_an_event_type_gets_its_subject() -> None:
    registry = MemoryRegistry()
    done = release(registry, [CONTRACTS["health.evidence.corrected"]], [VIEW], {})
    assert set(done.subjects) == {
        "health.evidence.corrected-value",
        "in.wjw.health.evidence.corrected-value",
        "in.cdc.health.evidence.corrected-value",
        "to.jinzhitong.grid.alert.changed-value",
    }
    assert registry.subjects() == sorted(done.subjects)


def test_what_was_released_makes_the_bus_accept_it() -> None:
    done = release(MemoryRegistry(), CONTRACTS.values(), [VIEW], {})
    schemas = Released(CONTRACTS, DIVISIONS)
    for key, value in done.records:
        schemas.apply(key, value)
    assert schemas.topics() == sorted([*CONTRACTS, VIEW[0]])


def test_releasing_again_writes_nothing() -> None:
    registry = MemoryRegistry()
    first = release(registry, CONTRACTS.values(), [VIEW], {})
    assert first.records
    assert release(registry, CONTRACTS.values(), [VIEW], dict(first.records)).records == ()


def test_a_changed_view_gets_the_next_version_and_an_old_one_its_own() -> None:
    registry = MemoryRegistry()
    changed = (VIEW[0], record_of(["null", "string"], ["null", "long"]))
    changed[1]["fields"][0]["default"] = changed[1]["fields"][1]["default"] = None
    before = (VIEW[0], record_of(["null", "string"]))
    before[1]["fields"][0]["default"] = None
    policy = dict(release(registry, [], [before], {}).records)
    second = release(registry, [], [changed], policy)
    assert [key.split("/")[2] for key, _ in second.records] == ["2"]
    assert release(registry, [], [before], policy | dict(second.records)).records == ()


def test_a_dangerous_schema_is_neither_registered_nor_released() -> None:
    registry = MemoryRegistry()
    with pytest.raises(ConfigError, match="without size"):
        release(registry, [], [("to.x.y", record_of({"type": "array", "items": "null"}))], {})
    assert registry.subjects() == []


def test_a_registry_that_is_away_is_one_clear_sentence() -> None:
    registry = MemoryRegistry()
    registry.away = True
    with pytest.raises(RegistryAway, match="away"):
        release(registry, CONTRACTS.values(), [], {})
