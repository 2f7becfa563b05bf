"""Schemas that would let a few bytes stop a reader."""

from typing import Any

import pytest

from streams.contract.hazard import hazards
from tests.unit.contract.bytes_of import record_of

EMPTY = {"type": "record", "name": "Empty", "fields": []}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]},
        {"type": "record", "name": "R", "fields": [{"name": "children", "type": {"type": "array", "items": "R"}}]},
        {
            "type": "record",
            "name": "R",
            "namespace": "n",
            "fields": [{"name": "m", "type": {"type": "map", "values": "n.R"}}],
        },
        record_of(
            {
                "type": "record",
                "name": "A",
                "fields": [
                    {
                        "name": "b",
                        "type": [
                            "null",
                            {"type": "record", "name": "B", "fields": [{"name": "a", "type": ["null", "A"]}]},
                        ],
                    }
                ],
            }
        ),
    ],
)
def test_a_type_that_contains_itself_is_refused(schema: Any) -> None:
    assert "contains itself" in hazards(schema)[0]


@pytest.mark.parametrize(
    "items",
    [
        "null",
        EMPTY,
        {"type": "fixed", "name": "F", "size": 0},
        {"type": "record", "name": "N", "fields": [{"name": "x", "type": "null"}]},
    ],
)
def test_an_array_of_items_without_size_is_refused_at_any_depth(items: Any) -> None:
    array = {"type": "array", "items": items}
    for schema in (record_of(array), record_of(["null", array]), record_of({"type": "map", "values": array})):
        assert "without size" in hazards(schema)[0]


@pytest.mark.parametrize(
    "type_",
    [
        {"type": "array", "items": ["null", "long"]},
        {"type": "map", "values": "null"},
        {"type": "array", "items": {"type": "array", "items": "boolean"}},
        {
            "type": "array",
            "items": {
                "type": "record",
                "name": "X",
                "fields": [{"name": "e", "type": EMPTY}, {"name": "l", "type": "int"}],
            },
        },
        {"type": "fixed", "name": "Z", "size": 0},
    ],
)
def test_everything_else_is_safe(type_: Any) -> None:
    assert hazards(record_of(type_, "string")) == []


def test_a_type_used_twice_is_not_taken_for_recursion() -> None:
    assert hazards(record_of({"type": "enum", "name": "E", "symbols": ["A"]}, "E", ["null", "E"])) == []
