"""What the bus expects of a schema registry: the real one and the one in memory keep the same promises."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from streams.contract.registry import MemoryRegistry, Registry, RegistryAway, RegistryLike
from streams.contract.released import Released
from streams.errors import ConfigError
from streams.local import ports
from tests.unit.contract.bus_of import CONTRACTS, DIVISIONS

SCHEMA = CONTRACTS["health.test.result"].versions[1]


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.kafka)])
def registry(request: pytest.FixtureRequest) -> Iterator[RegistryLike]:
    if request.param == "memory":
        yield MemoryRegistry()
    else:
        yield Registry(request.getfixturevalue("registry_url"))


def extended(**field: Any) -> dict[str, Any]:
    schema = copy.deepcopy(SCHEMA)
    schema["fields"].append(field)
    return schema


COMPATIBLE = extended(name="device", type=["null", "string"], default=None, doc="Device.")
INCOMPATIBLE = extended(name="device", type="string", doc="Device.")


def test_it_answers(registry: RegistryLike) -> None:
    registry.ping()


def test_a_registered_schema_is_found_under_its_id(registry: RegistryLike, unique: str) -> None:
    schema_id = registry.register(f"{unique}-value", SCHEMA)
    assert registry.schema(schema_id) == SCHEMA


def test_registering_again_gives_the_same_id(registry: RegistryLike, unique: str) -> None:
    first = registry.register(f"{unique}-value", SCHEMA)
    second = registry.register(f"{unique}-value", COMPATIBLE)
    assert first != second
    assert registry.register(f"{unique}-value", SCHEMA) == first
    assert registry.register(f"{unique}-value", COMPATIBLE) == second


def test_an_id_that_does_not_exist_is_none(registry: RegistryLike) -> None:
    assert registry.schema(2_000_000_000) is None


def test_a_version_that_old_readers_cannot_read_is_refused_from_the_second_on(
    registry: RegistryLike, unique: str
) -> None:
    registry.register(f"{unique}-value", SCHEMA)
    with pytest.raises(ConfigError, match="refuses"):
        registry.register(f"{unique}-value", INCOMPATIBLE)
    registry.register(f"{unique}-value", SCHEMA)


def test_compatibility_holds_between_all_versions_not_only_neighbours(registry: RegistryLike, unique: str) -> None:
    subject = f"{unique}-value"
    registry.register(subject, SCHEMA)
    registry.register(subject, COMPATIBLE)
    dropped = copy.deepcopy(SCHEMA)
    with_default = copy.deepcopy(SCHEMA)
    with_default["fields"][5]["default"] = ""
    del dropped["fields"][5]
    registry.register(subject, with_default)
    with pytest.raises(ConfigError):  # the last one reads it, the first one does not
        registry.register(subject, dropped)


def test_a_new_symbol_is_compatible_where_the_enum_has_a_default(registry: RegistryLike, unique: str) -> None:
    registry.register(f"{unique}-value", SCHEMA)
    weak = copy.deepcopy(SCHEMA)
    weak["fields"][4]["type"]["symbols"].append("WEAK")
    registry.register(f"{unique}-value", weak)


def test_a_reformatted_text_is_recognised_whatever_id_it_has(registry: RegistryLike, unique: str) -> None:
    released = Released(CONTRACTS, DIVISIONS)
    first = registry.register(f"{unique}-value", SCHEMA)
    released.apply(*Released.record("health.test.result", 1, first, SCHEMA))
    bare = json.loads(json.dumps(SCHEMA))
    for field in bare["fields"]:
        del field["doc"]
    found = registry.schema(registry.register(f"{unique}-b-value", bare))
    assert found is not None
    assert released.same_as("health.test.result", found) is released.latest("health.test.result")


def _nobody() -> list[tuple[str, str]]:
    closed = f"http://127.0.0.1:{ports.any_free()}/apis/ccompat/v7"
    return [(closed, "does not answer"), ("", "no schema registry is known"), ("nonsense", "does not answer")]


@pytest.mark.parametrize(("url", "said"), _nobody())
def test_a_registry_that_is_away_is_one_sentence_whatever_is_asked(url: str, said: str) -> None:
    registry = Registry(url)
    for ask in (registry.ping, lambda: registry.schema(1), lambda: registry.register("x-value", SCHEMA)):
        with pytest.raises(RegistryAway, match=said) as caught:
            ask()
        assert "\n" not in str(caught.value)


@pytest.mark.kafka
def test_another_server_at_the_address_counts_as_away_not_as_an_unknown_schema(registry_url: str) -> None:
    registry = Registry(registry_url.rpartition("/apis")[0] + "/elsewhere")
    with pytest.raises(RegistryAway, match="HTTP 404"):
        registry.schema(1)


def test_the_registry_in_memory_can_go_away_and_come_back() -> None:
    registry = MemoryRegistry()
    schema_id = registry.register("x-value", SCHEMA)
    registry.away = True
    for ask in (registry.ping, lambda: registry.schema(schema_id), lambda: registry.register("x-value", SCHEMA)):
        with pytest.raises(RegistryAway):
            ask()
    registry.away = False
    assert registry.schema(schema_id) == SCHEMA
