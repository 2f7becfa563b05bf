"""Compiled validators: what they accept, what they refuse and say, and where they are stricter than fastavro."""

from typing import Any

import pytest

from streams.contract.compiler import FIRST_MILLIS, LAST_MILLIS, compile_schema
from streams.contract.varint import Invalid
from streams.contract.wire import HEADER, header
from tests.unit.contract.bytes_of import accepted_by_fastavro, record_of, varint, written

UUID = {"type": "string", "logicalType": "uuid"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}
AN_ID = "018f4d2e-7c3a-4b5d-8e9f-000000000001"


def refusal(schema: Any, value: bytes) -> Invalid:
    with pytest.raises(Invalid) as caught:
        compile_schema(schema).offsets(value)
    return caught.value


def test_offsets_say_where_each_field_starts_and_the_last_one_ends() -> None:
    schema = record_of("string", "long", ["null", "string"], "boolean")
    value = written(schema, {"a": "abc", "b": 300, "c": None, "d": True})
    assert compile_schema(schema).offsets(value) == (HEADER, HEADER + 4, HEADER + 6, HEADER + 7, HEADER + 8)


@pytest.mark.parametrize(
    ("type_", "item"),
    [
        ("null", None),
        ("boolean", True),
        ("int", -(2**31)),
        ("long", 2**63 - 1),
        ("long", -(2**63)),
        ("float", 1.5),
        ("double", -1e300),
        ("bytes", b"\xff" * 200),
        ("string", "海河" * 100),
        ({"type": "fixed", "name": "F", "size": 16}, b"0" * 16),
        (ENUM, "C"),
        ({"type": "enum", "name": "Big", "symbols": [f"S{i}" for i in range(500)]}, "S499"),
        (["null", "string", "long"], 70_000),
        ({"type": "array", "items": "string"}, ["a", "", "b" * 99]),
        ({"type": "map", "values": {"type": "array", "items": "long"}}, {"x": [1, 2], "": []}),
        (UUID, AN_ID),
        (MILLIS, FIRST_MILLIS),
        (MILLIS, LAST_MILLIS),
        (["null", MILLIS], 0),
        ({"type": "record", "name": "Inner", "fields": [{"name": "x", "type": ["null", ENUM]}]}, {"x": "B"}),
        ({"type": "string"}, "plain"),
        ({"type": "string", "logicalType": "no-such-type"}, "plain"),
    ],
)
def test_every_type_of_ours_is_compiled_and_accepted(type_: Any, item: Any) -> None:
    schema = record_of(type_, "string")
    compiled = compile_schema(schema)
    value = written(schema, {"a": item, "b": "after"})
    assert compiled.is_compiled
    assert compiled.offsets(value)[-1] == len(value)
    assert accepted_by_fastavro(schema, value)


def test_a_named_type_may_be_used_again_by_name() -> None:
    schema = record_of(ENUM, "E", ["null", "E"])
    value = written(schema, {"a": "A", "b": "B", "c": "C"})
    assert compile_schema(schema).offsets(value)[-1] == len(value)


@pytest.mark.parametrize(
    ("type_", "body", "reason"),
    [
        ("boolean", b"\2", "bad-boolean"),
        ("int", varint(2**31), "bad-number"),
        ("int", varint(1, at_least=6), "bad-number"),
        ("long", varint(1, at_least=11), "bad-number"),
        ("long", b"\xff" * 9 + b"\x02", "bad-number"),
        (MILLIS, b"\x80" * 9 + b"\x02", "bad-number"),
        (ENUM, varint(-1), "bad-enum"),
        (["null", "long"], varint(-2), "bad-union"),
        (UUID, varint(32) + AN_ID.replace("-", "").encode(), "bad-uuid"),
        (UUID, varint(38) + b"{" + AN_ID.encode() + b"}", "bad-uuid"),
        (UUID, varint(45) + b"urn:uuid:" + AN_ID.encode(), "bad-uuid"),
        ({"type": "array", "items": "boolean"}, varint(-1) + varint(9) + b"\1" + varint(0), "bad-block"),
        ({"type": "array", "items": "boolean"}, varint(-1) + varint(-1) + b"\1" + varint(0), "bad-block"),
    ],
)
def test_the_written_list_of_strictness_fastavro_accepts_and_we_refuse(type_: Any, body: bytes, reason: str) -> None:
    schema = record_of(type_)
    value = header(1) + body
    assert accepted_by_fastavro(schema, value)
    assert refusal(schema, value).reason == reason


@pytest.mark.parametrize(
    ("type_", "body", "reason"),
    [
        ("string", b"", "truncated"),
        ("string", varint(4) + b"abc", "truncated"),
        ("string", varint(2**62) + b"abc", "truncated"),
        ("string", varint(-1), "bad-length"),
        ("string", varint(2) + b"\xff\xfe", "bad-text"),
        ("string", varint(1) + b"a" + b"b", "left-over"),
        ("double", b"1234567", "truncated"),
        ({"type": "fixed", "name": "F", "size": 3}, b"12", "truncated"),
        (ENUM, varint(3), "bad-enum"),
        (["null", "long"], varint(2), "bad-union"),
        (UUID, varint(36) + b"z" * 36, "bad-uuid"),
        (MILLIS, varint(LAST_MILLIS + 1), "bad-timestamp"),
        (MILLIS, varint(FIRST_MILLIS - 1), "bad-timestamp"),
        (MILLIS, varint(2**63 - 1), "bad-timestamp"),
        ({"type": "array", "items": "long"}, varint(2**60), "truncated"),
        ({"type": "array", "items": "long"}, varint(-(2**63)) + varint(0), "truncated"),
        ({"type": "map", "values": "long"}, varint(1) + varint(1) + b"\xff", "bad-text"),
    ],
)
def test_what_fastavro_refuses_is_refused_with_a_word(type_: Any, body: bytes, reason: str) -> None:
    schema = record_of(type_)
    value = header(1) + body
    assert not accepted_by_fastavro(schema, value)
    assert refusal(schema, value).reason == reason


@pytest.mark.parametrize("type_", ["long", "int", MILLIS, ENUM, ["null", "long"], "string", UUID])
def test_numbers_with_more_bytes_than_they_need_are_accepted_as_fastavro_accepts_them(type_: Any) -> None:
    schema = record_of(type_)
    bodies = {
        "string": varint(1, at_least=3) + b"x",
        str(UUID): varint(36, at_least=4) + AN_ID.encode(),
        str(["null", "long"]): varint(1, at_least=3) + varint(5, at_least=4),
    }
    value = header(1) + bodies.get(str(type_), varint(1, at_least=3))
    assert accepted_by_fastavro(schema, value)
    assert compile_schema(schema).offsets(value)[-1] == len(value)


def test_a_refusal_names_the_field_and_the_byte_and_no_value() -> None:
    schema = record_of("string", ["null", ENUM], "string")
    error = refusal(schema, header(1) + varint(1) + b"x" + b"\2" + b"\x0e" + varint(0))
    assert (error.reason, error.field, error.byte) == ("bad-enum", "b", HEADER + 3)
    assert refusal(schema, header(1) + varint(1) + b"x").field == "b"
    assert "secret" not in str(refusal(record_of("string"), header(1) + varint(3) + b"secret"))


@pytest.mark.parametrize(
    "type_",
    [
        {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
        {"type": "int", "logicalType": "date"},
        {"type": "long", "logicalType": "timestamp-micros"},
        ["null", {"type": "array", "items": {"type": "int", "logicalType": "time-millis"}}],
    ],
)
def test_a_type_that_is_not_compiled_takes_the_slow_path_for_its_field_alone(type_: Any) -> None:
    schema = record_of("string", type_, ENUM)
    compiled = compile_schema(schema)
    assert (compiled.is_compiled, compiled.slow) == (False, ("b",))
    item: Any = [1, 2] if isinstance(type_, list) else b"\x04\xd2" if type_["type"] == "bytes" else 12_345
    plain = record_of(
        "string", ["null", {"type": "array", "items": "int"}] if isinstance(type_, list) else type_["type"], ENUM
    )
    value = written(plain, {"a": "x", "b": item, "c": "C"})
    offsets = compiled.offsets(value)
    assert (offsets[1], offsets[-1]) == (HEADER + 2, len(value))
    with pytest.raises(Invalid, match="bad-enum at byte"):
        compiled.offsets(value[:-1] + b"\x0e")
    for end in range(HEADER, len(value)):
        with pytest.raises(Invalid):
            compiled.offsets(value[:end])


def test_a_slow_field_is_refused_where_fastavro_refuses_it() -> None:
    schema = record_of({"type": "int", "logicalType": "date"})
    value = header(1) + varint(2**30)
    assert not accepted_by_fastavro(schema, value)
    error = refusal(schema, value)
    assert (error.reason, error.field) == ("unreadable", "a")


def test_arrays_nested_deeper_than_python_allows_take_the_slow_path() -> None:
    deep: Any = "long"
    item: Any = 5
    for _ in range(12):
        deep, item = {"type": "array", "items": deep}, [item]
    schema = record_of(deep)
    compiled = compile_schema(schema)
    value = written(schema, {"a": item})
    assert not compiled.is_compiled
    assert compiled.offsets(value) == (HEADER, len(value))


def test_a_schema_that_is_no_record_does_not_compile() -> None:
    with pytest.raises(ValueError, match="must be a record"):
        compile_schema({"type": "array", "items": "long"})
