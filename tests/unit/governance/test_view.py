"""A view gives what was granted and nothing else, and says no when in doubt."""

import datetime
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastavro
import pytest

from streams.errors import ConfigError
from streams.governance.grant import Approval, FieldGrant, Grant
from streams.governance.view import View, Withheld, compile_view, compile_views, load_views

ROOT = Path(__file__).resolve().parents[3]
SECRET = b"s" * 32
APPROVED = Approval("局", datetime.date(2026, 11, 1), datetime.date(2026, 12, 31))

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "CodeChanged",
    "namespace": "haihe.health",
    "doc": "A colour changed.",
    "fields": [
        {"name": "event_id", "type": {"type": "string", "logicalType": "uuid"}, "doc": "Id."},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "doc": "When."},
        {"name": "publisher", "type": "string", "doc": "Who."},
        {"name": "person_id", "type": "string", "doc": "GB 11643."},
        {"name": "person_name", "type": ["null", "string"], "default": None, "doc": "Name."},
        {
            "name": "colour",
            "type": {"type": "enum", "name": "Colour", "symbols": ["GREEN", "RED"], "default": "GREEN"},
            "doc": "Now.",
        },
        {"name": "previous", "type": "Colour", "doc": "Before."},
        {"name": "history", "type": {"type": "array", "items": "haihe.health.Colour"}, "doc": "All."},
        {"name": "note", "type": ["string", "null"], "default": "", "doc": "Note."},
        {"name": "visits", "type": "int", "doc": "Count."},
    ],
}
EVENT: dict[str, Any] = {
    "event_id": "018f4d2e-7c3a-4b5d-8e9f-00000000000d",
    "occurred_at": 1795000000000,
    "publisher": "haihe",
    "person_id": "120101199003071234",
    "person_name": "张三丰",
    "colour": "RED",
    "previous": "GREEN",
    "history": ["GREEN"],
    "note": None,
    "visits": 3,
}


def contract(**changes: Any) -> Any:
    sensitivity = {field["name"]: "none" for field in SCHEMA["fields"]}
    sensitivity |= {"person_id": "sensitive", "person_name": "personal"}
    said = {
        "event_type": "health.code.changed",
        "key": "person_id",
        "sharing": "conditional",
        "sensitivity": sensitivity,
        "versions": {1: {"fields": []}, 2: SCHEMA},
    }
    return SimpleNamespace(**{**said, **changes})


def grant(approval: Approval | None = APPROVED, **fields: FieldGrant) -> Grant:
    return Grant("app", "health.code.changed", "亮码", fields, approval)


APPROVED_END = 1798732800000
"""2027-01-01T00:00+08:00: the first moment after APPROVED."""


def view(**fields: FieldGrant) -> View:
    return compile_view(grant(**fields), contract(), SECRET)


GIVEN = FieldGrant()


def test_a_view_is_named_after_subscriber_and_event_type() -> None:
    made = view(colour=GIVEN)
    assert (made.name, made.source, made.subscriber) == ("to.app.health.code.changed", "health.code.changed", "app")


def test_only_granted_fields_and_the_metadata_are_given() -> None:
    assert view(colour=GIVEN).apply(EVENT) == {
        "event_id": EVENT["event_id"],
        "occurred_at": EVENT["occurred_at"],
        "publisher": "haihe",
        "colour": "RED",
    }


def test_masked_fields_are_given_masked_and_null_stays_null() -> None:
    made = view(person_id=FieldGrant("id"), person_name=FieldGrant("name"))
    seen = made.apply(EVENT)
    assert (seen["person_id"], seen["person_name"]) == ("120101********1234", "张**")
    assert made.apply({**EVENT, "person_name": None})["person_name"] is None


def test_a_clear_text_grant_gives_the_value_as_it_is() -> None:
    made = view(person_name=FieldGrant(clear=True, purpose="上门核实"))
    assert made.apply(EVENT)["person_name"] == "张三丰"


def test_a_personal_key_becomes_the_subscribers_pseudonym_also_as_a_field() -> None:
    made = view(person_id=FieldGrant("pseudonym"))
    assert made.key(EVENT) != EVENT["person_id"]
    assert made.apply(EVENT)["person_id"] == made.key(EVENT)


def test_a_key_that_is_not_personal_stays_as_it_is() -> None:
    made = compile_view(grant(colour=GIVEN), contract(key="event_id"), SECRET)
    assert made.key(EVENT) == EVENT["event_id"]


def test_the_key_stays_a_pseudonym_when_the_field_is_given_in_clear_text() -> None:
    made = view(person_id=FieldGrant(clear=True, purpose="亮码"))
    assert made.key(EVENT) != EVENT["person_id"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({k: v for k, v in EVENT.items() if k != "person_name"}, "missing"),
        ({**EVENT, "person_name": 7}, "unmaskable"),
        ({**EVENT, "person_name": b"x"}, "unmaskable"),
        ({**EVENT, "occurred_at": APPROVED_END}, "expired"),
        ({k: v for k, v in EVENT.items() if k != "occurred_at"}, "expired"),
    ],
)
def test_an_event_that_cannot_be_masked_or_is_past_the_approval_is_withheld(event: dict[str, Any], reason: str) -> None:
    with pytest.raises(Withheld) as caught:
        view(person_name=FieldGrant("name")).apply(event)
    assert caught.value.reason == reason


def test_an_event_of_the_last_approved_day_is_given() -> None:
    end = grant().ends_ms
    assert end is not None
    assert view(colour=GIVEN).apply({**EVENT, "occurred_at": end - 1})["colour"] == "RED"


def test_an_event_without_its_key_is_withheld() -> None:
    with pytest.raises(Withheld):
        view(colour=GIVEN).key({**EVENT, "person_id": None})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"colur": GIVEN}, "to.app.health.code.changed.*no field colur.*colour"),
        ({"person_name": GIVEN}, "person_name is personal and needs a mask"),
        ({"person_id": GIVEN}, "person_id is sensitive and needs a mask"),
        ({"person_name": FieldGrant(clear=True)}, "person_name.*without a purpose"),
        ({"person_name": FieldGrant(clear=True, purpose=" ")}, "person_name.*without a purpose"),
        ({"person_name": FieldGrant("name", clear=True, purpose="x")}, "person_name.*clear and masked"),
        ({"visits": FieldGrant("name")}, "visits is not text"),
        ({"colour": FieldGrant("name")}, "colour is not text"),
    ],
)
def test_a_grant_that_is_not_in_order_does_not_compile(fields: dict[str, FieldGrant], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        view(**fields)


def test_a_field_that_nobody_classified_counts_as_sensitive() -> None:
    with pytest.raises(ConfigError, match="visits is sensitive"):
        compile_view(grant(visits=GIVEN), contract(sensitivity={"person_id": "sensitive"}), SECRET)


def test_withheld_data_cannot_be_granted_and_conditional_data_needs_an_approval() -> None:
    with pytest.raises(ConfigError, match="withheld"):
        compile_view(grant(colour=GIVEN), contract(sharing="withheld"), SECRET)
    with pytest.raises(ConfigError, match="approval"):
        compile_view(grant(None, colour=GIVEN), contract(), SECRET)
    assert compile_view(grant(None, colour=GIVEN), contract(sharing="unconditional"), SECRET)


def test_an_event_type_that_does_not_exist_is_named_with_what_was_meant() -> None:
    with pytest.raises(ConfigError, match=r"no event type health\.code\.changed.*health\.code\.change"):
        compile_views([grant(colour=GIVEN)], {"health.code.change": contract()}, SECRET)


def test_every_granted_field_is_nullable_and_the_metadata_is_not() -> None:
    schema = view(colour=GIVEN, previous=GIVEN, note=GIVEN, visits=GIVEN, person_name=FieldGrant("name")).schema
    fields = {field["name"]: field for field in schema["fields"]}
    assert schema["name"] == "CodeChangedView"
    assert list(fields) == [
        *("event_id", "occurred_at", "publisher"),
        *("person_name", "colour", "previous", "note", "visits"),
    ]
    for name in ("event_id", "occurred_at", "publisher"):
        assert "default" not in fields[name]
        assert fields[name]["type"] == SCHEMA["fields"][list(fields).index(name)]["type"]
    for name in ("person_name", "colour", "previous", "note", "visits"):
        assert fields[name]["type"][0] == "null" and fields[name]["default"] is None
    assert fields["note"]["type"] == ["null", "string"]
    assert all(field["doc"] for field in schema["fields"])


@pytest.mark.parametrize(
    "names", [["colour", "previous", "history"], ["previous", "history"], ["history"], ["previous"]]
)
def test_a_named_type_is_defined_where_it_is_first_used_and_once(names: list[str]) -> None:
    made = view(**dict.fromkeys(names, GIVEN))
    parsed = fastavro.parse_schema(json.loads(json.dumps(made.schema)))
    out = io.BytesIO()
    seen = made.apply(EVENT)
    fastavro.schemaless_writer(out, parsed, {**seen, "event_id": seen["event_id"]})
    out.seek(0)
    back = fastavro.schemaless_reader(out, parsed, None)
    assert isinstance(back, dict)
    assert {name: back[name] for name in names} == {name: EVENT[name] for name in names}
    assert json.dumps(made.schema).count('"symbols"') == 1


def test_a_masked_id_is_plain_text_in_the_schema() -> None:
    schema = view(event_id=GIVEN, person_id=FieldGrant("pseudonym")).schema
    field = next(field for field in schema["fields"] if field["name"] == "person_id")
    assert field["type"] == ["null", "string"]


def test_compiling_changes_nothing_in_the_contract() -> None:
    before = json.dumps(SCHEMA)
    view(colour=GIVEN, history=GIVEN, person_name=FieldGrant("name"))
    assert json.dumps(SCHEMA) == before


def test_the_citys_grants_compile_and_give_no_person_in_clear_text_but_phone_and_address(tmp_path: Path) -> None:
    from streams.contract.contracts import load_contracts

    contracts = load_contracts(ROOT / "schemas" / "avro")
    views = {v.name: v for v in load_views(ROOT / "deploy/tianjin/grants.yaml", tmp_path / "secret", contracts)}
    assert set(views) == {"to.jinzhitong.grid.alert.changed", "to.jinxinban.health.code.changed"}
    for made in views.values():
        fastavro.parse_schema(json.loads(json.dumps(made.schema)))
        examples = contracts[made.source].examples(contracts[made.source].latest)
        assert examples
        for event in examples.values():
            seen, personal = made.apply(event), contracts[made.source].sensitivity
            clear = {n for n, v in seen.items() if v and personal[n] in ("personal", "sensitive") and v == event[n]}
            assert clear <= {"phone", "address"}
            assert event["person_id"] not in json.dumps([made.key(event), seen])
