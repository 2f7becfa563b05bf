"""What bus.policy has released: ids, topics, versions."""

import copy
import json
from typing import Any

import pytest

from streams.contract.released import Released
from streams.errors import ConfigError
from tests.unit.contract.bus_of import CONTRACTS, DIVISIONS, released
from tests.unit.contract.bytes_of import record_of

TOPIC = "health.test.result"
SCHEMA = CONTRACTS[TOPIC].versions[1]


def only(*records: tuple[str, bytes]) -> Released:
    schemas = Released(CONTRACTS, DIVISIONS)
    for record in records:
        schemas.apply(*record)
    return schemas


def test_an_id_means_a_version_on_its_own_topic_alone() -> None:
    schemas = released()
    version = schemas.latest(TOPIC)
    assert schemas.find(version.schema_id, TOPIC) is version
    assert schemas.find(version.schema_id, "health.code.changed") is None
    assert schemas.by_id(version.schema_id) is version
    assert schemas.by_id(4711) is None
    assert schemas.topics() == sorted(CONTRACTS)


def test_the_record_of_a_release_has_its_key_and_a_json_value() -> None:
    key, value = Released.record(TOPIC, 1, 17, SCHEMA)
    assert key == "schema/health.test.result/1/17"
    assert json.loads(value) == {"kind": "schema", "topic": TOPIC, "version": 1, "id": 17, "schema": SCHEMA}


def test_one_schema_may_be_released_under_two_ids_and_for_two_topics() -> None:
    schemas = only(
        Released.record(TOPIC, 1, 7, SCHEMA),
        Released.record(TOPIC, 1, 5, SCHEMA),
        Released.record("to.x.y", 1, 7, SCHEMA),
    )
    for topic in (TOPIC, "to.x.y"):
        version = schemas.find(7, topic)
        assert version is not None
        assert version.topic == topic
    assert schemas.latest(TOPIC).schema_id == 5  # always the same of the two, whatever their order
    assert [version.schema_id for version in schemas.versions(TOPIC)] == [5, 7]


def test_the_latest_is_the_highest_version_whatever_the_order_of_the_records() -> None:
    second = copy.deepcopy(SCHEMA)
    second["fields"].append({"name": "device", "type": ["null", "string"], "default": None, "doc": "Device."})
    records = [Released.record(TOPIC, 2, 3, second), Released.record(TOPIC, 1, 9, SCHEMA)]
    for order in (records, records[::-1]):
        schemas = only(*order)
        assert schemas.latest(TOPIC).version == 2
        old = schemas.find(9, TOPIC)
        assert old is not None
        event = CONTRACTS[TOPIC].examples(1)["positive"]
        assert old.decode(old.encode(event))["device"] is None


def test_a_release_may_be_taken_back() -> None:
    record = Released.record(TOPIC, 1, 7, SCHEMA)
    schemas = only(record, (record[0], None), ("schema/never/1/1", None))  # type: ignore[arg-type]  # a tombstone
    assert schemas.find(7, TOPIC) is None
    assert schemas.topics() == []
    with pytest.raises(ConfigError, match="no schema is released"):
        schemas.latest(TOPIC)


def test_records_of_other_kinds_are_passed_over() -> None:
    assert only(("grant/jinzhitong", b"{}"), ("layout", b"not json")).topics() == []


def test_applying_a_record_again_keeps_the_compiled_version() -> None:
    record = Released.record(TOPIC, 1, 7, SCHEMA)
    schemas = only(record)
    version = schemas.latest(TOPIC)
    schemas.apply(*record)
    assert schemas.latest(TOPIC) is version


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b'{"kind":"grant"}',
        Released.record(TOPIC, 1, 1, {"type": "record", "name": "R"})[1],
        Released.record(TOPIC, 1, 1, record_of({"type": "array", "items": "null"}))[1],
    ],
)
def test_a_malformed_or_dangerous_release_is_a_config_error(value: bytes) -> None:
    with pytest.raises(ConfigError):
        only(("schema/health.test.result/1/1", value))


def reformatted() -> dict[str, Any]:
    """As a registry or another language's generator gives it: no docs, no defaults, other order of keys."""

    def strip(node: Any) -> Any:
        if isinstance(node, dict):
            return {k: strip(node[k]) for k in sorted(node) if k not in ("doc", "default", "logicalType")}
        return [strip(x) for x in node] if isinstance(node, list) else node

    schema = strip(SCHEMA)
    schema["name"] = f"{schema.pop('namespace')}.{schema['name']}"
    schema["fields"][0]["type"] = {"type": "string", "avro.java.string": "String"}
    return schema  # type: ignore[no-any-return]  # built from Any


def test_a_reformatted_text_is_recognised_as_the_released_version() -> None:
    schemas = released()
    assert schemas.same_as(TOPIC, reformatted()) is schemas.latest(TOPIC)


@pytest.mark.parametrize(
    "schema",
    [
        CONTRACTS["health.code.changed"].versions[1],
        {"type": "record"},
        {},
        {"type": "record", "name": "R", "fields": []},
    ],
)
def test_another_schema_is_not_recognised(schema: dict[str, Any]) -> None:
    assert released().same_as(TOPIC, schema) is None
