"""Quality rules, each judged on the bytes of a field."""

from typing import Any

import pytest

from streams.contract.compiler import compile_schema
from streams.contract.quality import CLOCK_SKEW_MS, DAY_MS, RULES, Rule, compile_check, fits, parse_rule
from streams.errors import ConfigError
from tests.unit.contract.bus_of import DIVISIONS
from tests.unit.contract.bytes_of import record_of, varint, written

MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
NOW = 1_800_000_000_000


def verdict(rule: Rule, type_: Any, item: Any) -> str | None:
    schema = record_of("string", type_, "string")
    # Written without logical types, so that a timestamp is given as the number it is.
    plain = record_of("string", type_["type"] if isinstance(type_, dict) else type_, "string")
    value = written(plain, {"a": "before", "b": item, "c": "after"})
    at = compile_schema(schema).offsets(value)
    return compile_check([rule], type_, DIVISIONS)(value, at[1], at[2], NOW)


@pytest.mark.parametrize(
    ("rule", "type_", "item", "reason"),
    [
        (Rule("check-character"), "string", "11010519491231002X", None),
        (Rule("check-character"), "string", "110105194912310021", "check-character"),
        (Rule("check-character"), "string", "", "check-character"),
        (Rule("organisation-check-character"), "string", "91350100M000100Y43", None),
        (Rule("organisation-check-character"), "string", "91350100M000100Y44", "check-character"),
        (Rule("division"), "string", "120101001001", None),
        (Rule("division"), "string", "12", None),
        (Rule("division"), "string", "120199", "unknown-division"),
        (Rule("division"), "string", "12010100100101", "unknown-division"),
        (Rule("cell"), "string", "12010100100101", None),
        (Rule("cell"), "string", "120101001001", "unknown-division"),
        (Rule("cell"), "string", "120101001001x1", "unknown-division"),
        (Rule("cell"), "string", "12019900100101", "unknown-division"),
        (Rule("division-or-cell"), "string", "12010100100101", None),
        (Rule("division-or-cell"), "string", "120101", None),
        (Rule("division-or-cell"), "string", "99", "unknown-division"),
        (Rule("not-empty"), "string", "x", None),
        (Rule("not-empty"), "string", " \n", "missing"),
        (Rule("one-of", ["a", "b"]), "string", "b", None),
        (Rule("one-of", ["a", "b"]), "string", "c", "range"),
        (Rule("not-in-the-future"), MILLIS, NOW + CLOCK_SKEW_MS, None),
        (Rule("not-in-the-future"), MILLIS, NOW + CLOCK_SKEW_MS + 1, "in-the-future"),
        (Rule("not-older-than-days", 400), MILLIS, NOW - 400 * DAY_MS, None),
        (Rule("not-older-than-days", 400), MILLIS, NOW - 400 * DAY_MS - 1, "too-old"),
        (Rule("range", [-5, 5]), "int", -5, None),
        (Rule("range", [-5, 5]), "long", 6, "range"),
    ],
)
def test_a_rule_accepts_and_refuses_with_its_word(rule: Rule, type_: Any, item: Any, reason: str | None) -> None:
    assert fits(rule, type_)
    assert verdict(rule, type_, item) == reason


def test_the_table_above_tries_every_rule_there_is() -> None:
    cases = test_a_rule_accepts_and_refuses_with_its_word.pytestmark[0].args[1]
    assert {case[0].name for case in cases} == set(RULES)


@pytest.mark.parametrize("type_", [["null", "string"], ["string", "null"]])
def test_null_passes_and_a_value_is_judged(type_: Any) -> None:
    assert verdict(Rule("division"), type_, None) is None
    assert verdict(Rule("division"), type_, "120101") is None
    assert verdict(Rule("division"), type_, "129999") == "unknown-division"


def test_a_branch_number_with_more_bytes_than_it_needs_is_understood() -> None:
    check = compile_check([Rule("division")], ["null", "string"], DIVISIONS)
    for branch, body, reason in (
        (0, b"", None),
        (1, varint(2) + b"99", "unknown-division"),
        (1, varint(2) + b"12", None),
    ):
        value = varint(branch, at_least=3) + body
        assert check(value, 0, len(value), NOW) == reason


def test_the_first_rule_that_refuses_gives_the_reason() -> None:
    check = compile_check([Rule("not-empty"), Rule("division")], "string", DIVISIONS)
    assert check(varint(1) + b" ", 0, 2, NOW) == "missing"
    assert check(varint(1) + b"9", 0, 2, NOW) == "unknown-division"
    assert check(varint(2) + b"12", 0, 3, NOW) is None


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("check-charakter", "did you mean `check-character`"),
        ({"not-older-than-days": 0}, "does not take this argument"),
        ({"not-older-than-days": True}, "does not take this argument"),
        ({"not-older-than-days": "400"}, "does not take this argument"),
        ("not-older-than-days", "does not take this argument"),
        ({"division": 9}, "does not take this argument"),
        ({"range": [1]}, "does not take this argument"),
        ({"one-of": []}, "does not take this argument"),
        ({"range": [1, 2], "division": None}, "a rule is one word"),
    ],
)
def test_a_rule_that_is_written_wrong_is_a_config_error(raw: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_rule(raw, "event.yaml: field `x`")
    assert "field `x`" in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "type_"),
    [(Rule("division"), "long"), (Rule("not-in-the-future"), "long"), (Rule("range", [1, 2]), "string")],
)
def test_a_rule_does_not_fit_a_type_it_cannot_judge(rule: Rule, type_: Any) -> None:
    assert not fits(rule, type_)
