"""One version of one topic's schema: check, decode, encode."""

import copy
import json
from typing import Any

import fastavro
import pytest

from streams.contract.released import Released
from streams.contract.version import Version
from streams.contract.wire import HEADER, header, schema_id
from streams.errors import ConfigError, Rejection, SystemFailure
from tests.unit.contract.bus_of import CONTRACTS, DAY, DIVISIONS, positive, released
from tests.unit.contract.bytes_of import accepted_by_fastavro, record_of

TOPIC = "health.test.result"
SCHEMAS = released()
LATEST = SCHEMAS.latest(TOPIC)
EVENT = positive()
NOW = EVENT["occurred_at"]


@pytest.mark.parametrize(
    ("event_type", "number", "name"),
    [(t, number, name) for t, c in CONTRACTS.items() for number in c.versions for name in c.examples(number)],
)
def test_every_example_of_every_version_is_encoded_read_back_and_accepted(
    event_type: str, number: int, name: str
) -> None:
    """What an older version wrote is read in the shape of the latest."""
    contract = CONTRACTS[event_type]
    version = next(v for v in SCHEMAS.versions(event_type) if v.version == number)
    event = contract.examples(number)[name]
    value = version.encode(event)
    assert schema_id(value) == version.schema_id
    read = version.decode(value)
    assert {field: read[field] for field in event} == event
    assert list(read) == [field["name"] for field in contract.versions[contract.latest]["fields"]]
    assert accepted_by_fastavro(contract.versions[version.version], value)
    verdict = version.check(value, event.get("publisher") or "haihe", event.get("occurred_at") or 0)
    assert verdict == event[contract.key].encode()


@pytest.mark.parametrize("event_type", CONTRACTS)
def test_every_schema_of_the_city_is_compiled_whole(event_type: str) -> None:
    assert SCHEMAS.latest(event_type).is_compiled


@pytest.mark.parametrize(
    ("change", "step", "reason", "field"),
    [
        ({"person_id": "120101199001011230"}, "validate", "check-character", "person_id"),
        ({"division": "129999001"}, "validate", "unknown-division", "division"),
        ({"occurred_at": NOW + 6 * 60_000}, "validate", "in-the-future", "occurred_at"),
        ({"occurred_at": NOW - 401 * DAY}, "validate", "too-old", "occurred_at"),
        ({"laboratory": "  "}, "validate", "missing", "laboratory"),
        ({"publisher": "cdc"}, "validate", "publisher", "publisher"),
    ],
)
def test_an_event_that_breaks_a_rule_is_rejected_with_its_field(
    change: dict[str, Any], step: str, reason: str, field: str
) -> None:
    verdict = LATEST.check(LATEST.encode({**EVENT, **change}), "wjw", NOW)
    assert isinstance(verdict, Rejection)
    assert (verdict.step, verdict.reason) == (step, reason)
    assert field in verdict.detail


def test_a_rejection_never_quotes_the_record() -> None:
    wrong = {**EVENT, "person_id": "120101199001011230", "laboratory": "某实验室"}
    value = LATEST.encode(wrong)
    for bad in (value, value[:40], value + b"x", value[:20] + b"\xff" + value[21:]):
        verdict = LATEST.check(bad, "wjw", NOW)
        assert isinstance(verdict, Rejection)
        assert "1990" not in "".join(verdict)
        assert "某" not in "".join(verdict)


@pytest.mark.parametrize("end", range(HEADER, HEADER + 60, 7))
def test_a_truncated_record_is_rejected_at_decode(end: int) -> None:
    verdict = LATEST.check(LATEST.encode(EVENT)[:end], "wjw", NOW)
    assert isinstance(verdict, Rejection)
    assert (verdict.step, verdict.reason) == ("decode", "truncated")


def test_a_symbol_that_the_enum_does_not_have_is_rejected_at_decode() -> None:
    value = LATEST.encode(EVENT)
    at = LATEST.compiled.offsets(value)[LATEST.compiled.fields.index("result")]
    verdict = LATEST.check(value[:at] + b"\x10" + value[at + 1 :], "wjw", NOW)
    assert isinstance(verdict, Rejection)
    assert (verdict.step, verdict.reason) == ("decode", "bad-enum")
    assert "result" in verdict.detail


def test_a_row_without_publisher_counts_as_the_buss_own() -> None:
    version = SCHEMAS.latest("ref.roster")
    row = {"division": "12010100100101", "on_duty": "gw-000001"}
    assert version.check(version.encode(row), "haihe", 0) == b"12010100100101"
    assert isinstance(version.check(version.encode({**row, "publisher": "wjw"}), "haihe", 0), Rejection)


def test_decoded_timestamps_are_numbers_and_ids_are_text() -> None:
    record = LATEST.decode(LATEST.encode(EVENT))
    assert record["occurred_at"] == EVENT["occurred_at"]
    assert isinstance(record["event_id"], str)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labratory": "x"}, "unknown field labratory"),
        ({"division": None}, "field division does not fit its type"),
        ({"result": "MAYBE"}, "field result does not fit its type"),
        ({"occurred_at": "2026-01-01"}, "field occurred_at does not fit its type"),
        ({"occurred_at": 10**17}, "field occurred_at is wrong"),
        ({"occurred_at": 2**70}, "field occurred_at does not fit its type"),
        ({"event_id": "18f4d2e"}, "field event_id is wrong"),
        ({"laboratory": "\ud800"}, "field laboratory does not fit its type"),
    ],
)
def test_an_event_that_cannot_be_written_is_a_value_error_naming_the_field(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        LATEST.encode({**EVENT, **change})
    assert EVENT["person_id"] not in str(caught.value)


def test_a_field_left_out_takes_its_default_or_is_missed() -> None:
    national = SCHEMAS.latest("health.national.checked")
    event = CONTRACTS["health.national.checked"].examples(1)["no-end"]
    del event["valid_until"]
    assert national.decode(national.encode(event))["valid_until"] is None
    del event["source"]
    with pytest.raises(ValueError, match="field source is missing"):
        national.encode(event)


@pytest.mark.parametrize("cut", [slice(0, 20), slice(0, HEADER), slice(0, -1)])
def test_bytes_that_cannot_be_read_are_a_value_error(cut: slice) -> None:
    with pytest.raises(ValueError, match="unreadable record"):
        LATEST.decode(LATEST.encode(EVENT)[cut])


def test_bytes_left_over_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="left over"):
        LATEST.decode(LATEST.encode(EVENT) + b"\0")


def _second_version() -> dict[str, Any]:
    schema = copy.deepcopy(CONTRACTS[TOPIC].versions[1])
    schema["fields"][4]["type"]["symbols"].append("WEAK")
    schema["fields"].append({"name": "device", "type": ["null", "string"], "default": None, "doc": "Which device."})
    return schema


def test_an_older_version_is_read_in_the_shape_of_the_latest() -> None:
    schemas = released()
    old = schemas.latest(TOPIC)
    schemas.apply(*Released.record(TOPIC, 2, 900, _second_version()))
    assert schemas.latest(TOPIC).version == 2
    assert old.decode(old.encode(EVENT)) == {**EVENT, "device": None}


def test_a_newer_version_is_read_by_a_bus_that_knows_only_the_older_with_the_enums_default() -> None:
    new = Version(TOPIC, 2, 900, _second_version(), CONTRACTS[TOPIC], DIVISIONS)
    new.read_as(CONTRACTS[TOPIC].versions[1])
    value = new.encode({**EVENT, "result": "WEAK", "device": "x"})
    assert new.decode(value) == {**EVENT, "result": "UNKNOWN"}
    assert new.check(value, "wjw", NOW) == EVENT["person_id"].encode()


def test_a_topic_without_contract_can_be_written_and_read_but_not_checked() -> None:
    view = Version("to.someone.some.event", 1, 5, record_of(["null", "string"]))
    value = view.encode({"a": "x"})
    assert view.decode(value) == {"a": "x"}
    with pytest.raises(SystemFailure, match="has no contract"):
        view.check(value, "haihe", 0)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, "not an Avro record schema"),
        ({"type": "record", "name": "R"}, "not an Avro record schema"),
        ({"type": "record", "name": "R", "fields": [{"name": "x", "type": "nothing"}]}, "not an Avro record schema"),
        ({"type": "record", "name": "R", "fields": [{"name": "x", "type": {"type": {"type": "int"}}}]}, "not an Avro"),
        (record_of({"type": "array", "items": "null"}), "without size"),
        ({"type": "record", "name": "R", "fields": [{"name": "x", "type": ["null", "R"]}]}, "contains itself"),
    ],
)
def test_a_schema_that_is_none_or_dangerous_is_a_config_error(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Version("some.topic", 1, 1, schema)


def test_a_version_with_a_slow_field_gives_the_same_verdicts() -> None:
    schema = copy.deepcopy(CONTRACTS[TOPIC].versions[1])
    schema["fields"].insert(3, {"name": "day", "type": {"type": "int", "logicalType": "date"}, "doc": "Day."})
    slow = Version(TOPIC, 2, 901, schema, CONTRACTS[TOPIC], DIVISIONS)
    assert not slow.is_compiled
    value = slow.encode({**EVENT, "day": 20_000})
    assert slow.check(value, "wjw", NOW) == EVENT["person_id"].encode()
    assert isinstance(slow.check(value[:-1], "wjw", NOW), Rejection)
    wrong = slow.encode({**EVENT, "day": 20_000, "division": "99"})
    assert slow.check(wrong, "wjw", NOW) == Rejection("validate", "unknown-division", "field division")


def test_what_the_usual_avro_library_wrote_is_accepted_unchanged() -> None:
    import io
    from datetime import UTC, datetime

    out = io.BytesIO(header(LATEST.schema_id))
    out.seek(HEADER)
    event = {**EVENT, "occurred_at": datetime.fromtimestamp(NOW / 1000, UTC)}
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(LATEST.schema))), event)
    assert out.getvalue() == LATEST.encode(EVENT)
