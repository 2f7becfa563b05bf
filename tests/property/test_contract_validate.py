"""Compiled validators against their judge: over random schemas, records and damage, the verdict is fastavro's, except
for the written list of strictness."""

import random
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.contract.compiler import FIRST_MILLIS, LAST_MILLIS, compile_schema
from streams.contract.released import Released
from streams.contract.slow import inlined
from streams.contract.varint import Invalid
from streams.contract.wire import HEADER
from streams.errors import Rejection
from tests.unit.contract.bus_of import CONTRACTS, DAY, released
from tests.unit.contract.bytes_of import accepted_by_fastavro, record_of, varint, written

STRICTER = {"bad-number", "bad-enum", "bad-union", "bad-boolean", "bad-uuid", "bad-block"}
"""Words under which a record may be refused that fastavro reads; the list is in compiler.py, its tests beside it."""

UUID = {"type": "string", "logicalType": "uuid"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
DATE = {"type": "int", "logicalType": "date"}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}

PLAIN: dict[str, Any] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=90),
    "string": st.text(max_size=90),
}
names = (f"T{i}" for i in range(10**9))


@st.composite
def types(draw: st.DrawFn, depth: int = 3) -> tuple[Any, st.SearchStrategy[Any]]:
    """An Avro type, and records' values of it as fastavro's writer takes them (logical types as their plain values)."""
    kinds = [*PLAIN, "uuid", "millis", "date", "decimal", "fixed", "enum"]
    if depth:
        kinds += ["union", "array", "map", "record"]
    kind = draw(st.sampled_from(kinds))
    if kind in PLAIN:
        return kind, PLAIN[kind]
    if kind == "uuid":
        return UUID, st.uuids().map(str)
    if kind == "millis":
        return MILLIS, st.integers(FIRST_MILLIS, LAST_MILLIS)
    if kind == "date":
        return DATE, st.integers(-719_162, 2_932_896)
    if kind == "decimal":
        return DECIMAL, st.binary(min_size=1, max_size=2)
    if kind == "fixed":
        size = draw(st.integers(1, 20))
        return {"type": "fixed", "name": next(names), "size": size}, st.binary(min_size=size, max_size=size)
    if kind == "enum":
        symbols = [f"S{i}" for i in range(draw(st.sampled_from([1, 3, 63, 64, 65, 300])))]
        return {"type": "enum", "name": next(names), "symbols": symbols}, st.sampled_from(symbols)
    inner, items = draw(types(depth - 1))
    if kind == "union":
        if inner == "null" or isinstance(inner, list):
            return inner, items
        return ["null", inner], st.none() | items
    if kind == "array":
        if inner == "null":
            return inner, items
        return {"type": "array", "items": inner}, st.lists(items, max_size=4)
    if kind == "map":
        return {"type": "map", "values": inner}, st.dictionaries(st.text(max_size=5), items, max_size=3)
    fields = [{"name": "x", "type": inner}, {"name": "y", "type": "boolean"}]
    return {"type": "record", "name": next(names), "fields": fields}, st.fixed_dictionaries(
        {"x": items, "y": st.booleans()}
    )


@st.composite
def records(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """A record schema and bytes that fastavro wrote with it."""
    drawn = draw(st.lists(types(), min_size=1, max_size=5))
    schema = record_of(*(type_ for type_, _ in drawn))
    event = {field["name"]: draw(items) for field, (_, items) in zip(schema["fields"], drawn, strict=True)}
    return schema, written(without_logical(schema), event)


def without_logical(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: without_logical(v) for k, v in node.items() if k != "logicalType"}
    return [without_logical(x) for x in node] if isinstance(node, list) else node


def damaged(value: bytes, rnd: random.Random) -> bytes:
    """The value cut, or with bytes changed, put in, taken out or doubled, anywhere behind the header."""
    body = bytearray(value[HEADER:])
    if rnd.random() < 0.25:
        return value[: HEADER + rnd.randrange(len(body) + 1)]
    for _ in range(rnd.randint(1, 3)):
        at = rnd.randrange(len(body) + 1)
        match rnd.randrange(5):
            case 0 if body:
                body[at % len(body)] = rnd.randrange(256)
            case 1 if body:
                body[at % len(body)] ^= 1 << rnd.randrange(8)
            case 2:
                body[at:at] = varint(rnd.choice([0, 1, -1, 2**31, -(2**31) - 1, 2**62, LAST_MILLIS + 1]))
            case 3:
                del body[at : at + rnd.randint(1, 4)]
            case _:
                body[at:at] = body[at : at + rnd.randint(1, 9)]
    return value[:HEADER] + bytes(body)


def agree(schema: dict[str, Any], value: bytes, offsets: Any) -> bool:
    """Check both verdicts against each other; was the record accepted?"""
    theirs = accepted_by_fastavro(schema, value)
    try:
        at = offsets(value)
    except Invalid as error:
        assert not theirs or error.reason in STRICTER, error
        return False
    assert theirs
    assert at[0] == HEADER
    assert at[-1] == len(value)
    assert list(at) == sorted(at)
    return True


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(records(), st.integers(0, 2**32))
def test_the_verdict_on_any_schema_is_fastavros_but_for_the_list(
    record: tuple[dict[str, Any], bytes], seed: int
) -> None:
    schema, value = record
    offsets = compile_schema(schema).offsets
    if accepted_by_fastavro(schema, value):  # a decimal's bytes may be too many for its precision
        assert agree(schema, value, offsets)
    rnd = random.Random(seed)
    for _ in range(20):
        agree(schema, damaged(value, rnd), offsets)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(records())
def test_what_lies_between_two_offsets_is_that_field(record: tuple[dict[str, Any], bytes]) -> None:
    schema, value = record
    compiled = compile_schema(schema)
    if not accepted_by_fastavro(schema, value):
        return
    at = compiled.offsets(value)
    named: dict[str, Any] = {}
    parsed: Any = fastavro.parse_schema(schema, named)
    for i, field in enumerate(parsed["fields"]):
        alone = record_of(inlined(field["type"], named))
        assert accepted_by_fastavro(alone, b"\0" * HEADER + value[at[i] : at[i + 1]])


def examples() -> Iterator[tuple[str, bytes]]:
    schemas = released()
    for event_type, contract in CONTRACTS.items():
        for number in contract.versions:
            for event in contract.examples(number).values():
                yield event_type, schemas.latest(event_type).encode(event)


@pytest.mark.parametrize("event_type", CONTRACTS)
def test_damaged_records_of_every_contract_get_fastavros_verdict(event_type: str) -> None:
    rnd = random.Random(event_type)
    version = released().latest(event_type)
    values = [value for t, value in examples() if t == event_type]
    accepted = 0
    for n in range(3_000):
        accepted += agree(version.schema, damaged(values[n % len(values)], rnd), version.compiled.offsets)
    assert 0 < accepted < 3_000  # the damage reaches both verdicts, or this test shows nothing


@pytest.mark.parametrize("event_type", CONTRACTS)
def test_no_bytes_make_a_check_raise(event_type: str) -> None:
    rnd = random.Random(event_type)
    schemas: Released = released()
    version = schemas.latest(event_type)
    values = [value for _, value in examples()]  # also those of other event types
    seen: set[bool] = set()
    for n in range(3_000):
        value = damaged(values[n % len(values)], rnd) if n % 3 else rnd.randbytes(rnd.randrange(300))
        publisher = rnd.choice(CONTRACTS[event_type].publishers)
        verdict = version.check(value, publisher, rnd.choice([0, 1_767_225_600_000 + DAY]))
        assert isinstance(verdict, bytes | Rejection)
        seen.add(isinstance(verdict, Rejection))
    assert True in seen


@given(st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_bytes_at_all_are_judged_or_decoded_without_surprise(value: bytes) -> None:
    version = LATEST
    verdict = version.check(value, "wjw", 0)
    try:
        version.decode(value)
        readable = True
    except ValueError:
        readable = False
    assert readable or isinstance(verdict, Rejection)


LATEST = released().latest("health.test.result")
