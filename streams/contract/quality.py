"""Quality rules: what a field must be beyond its Avro type, judged on slices of the encoded record.

A rule is a word in event.yaml, alone (`check-character`) or with an argument (`{not-older-than-days: 400}`). RULES is
the whole vocabulary. A rule says nothing about null: a nullable field that is null passes all its rules.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from streams.contract.division import CELL, Divisions
from streams.contract.identity import valid_organisation_id, valid_person_id
from streams.contract.varint import number, text
from streams.declaration import suggestion
from streams.errors import ConfigError

CLOCK_SKEW_MS = 5 * 60_000
"""How far a publisher's clock may run ahead of the broker's before its events come from the future."""
DAY_MS = 86_400_000

Check = Callable[[bytes, int, int, int], str | None]
"""`check(value, start, stop, received_ms)`: the reason for refusing the field between the two offsets, or None."""

Judge = Callable[[Any, int], str | None]
"""What a rule does: `judge(item, received_ms)`, the item being a string's UTF-8 bytes or a number; reason or None."""


class Rule(NamedTuple):
    """A rule as event.yaml has it. `argument` is None for a rule that takes none."""

    name: str
    argument: Any = None


class Kind(NamedTuple):
    """What RULES knows of a rule: the Avro type it is for, whether its argument is right, how its check is made."""

    type: str
    takes: Callable[[Any], bool]
    make: Callable[[Any, Divisions], Judge]


def _nothing(argument: Any) -> bool:
    return argument is None


def _days(argument: Any) -> bool:
    return isinstance(argument, int) and not isinstance(argument, bool) and argument > 0


def _bounds(argument: Any) -> bool:
    return isinstance(argument, list) and len(argument) == 2 and all(isinstance(x, int) for x in argument)


def _words(argument: Any) -> bool:
    return isinstance(argument, list) and bool(argument) and all(isinstance(x, str) for x in argument)


def _person(_: Any, __: Divisions) -> Judge:
    def judge(item: Any, received_ms: int) -> str | None:
        return None if valid_person_id(item) else "check-character"

    return judge


def _organisation(_: Any, __: Divisions) -> Judge:
    def judge(item: Any, received_ms: int) -> str | None:
        return None if valid_organisation_id(item) else "check-character"

    return judge


def _division(_: Any, divisions: Divisions) -> Judge:
    codes = divisions.codes

    def judge(item: Any, received_ms: int) -> str | None:
        return None if item in codes else "unknown-division"

    return judge


def _cell(_: Any, divisions: Divisions) -> Judge:
    codes = divisions.codes

    def judge(item: Any, received_ms: int) -> str | None:
        known = len(item) == CELL and item[12:].isdigit() and item[:12] in codes
        return None if known else "unknown-division"

    return judge


def _division_or_cell(argument: Any, divisions: Divisions) -> Judge:
    division, cell = _division(argument, divisions), _cell(argument, divisions)

    def judge(item: Any, received_ms: int) -> str | None:
        return division(item, received_ms) and cell(item, received_ms)

    return judge


def _not_in_the_future(_: Any, __: Divisions) -> Judge:
    def judge(item: Any, received_ms: int) -> str | None:
        return "in-the-future" if item > received_ms + CLOCK_SKEW_MS else None

    return judge


def _not_older_than(days: Any, _: Divisions) -> Judge:
    span = days * DAY_MS

    def judge(item: Any, received_ms: int) -> str | None:
        return "too-old" if item < received_ms - span else None

    return judge


def _not_empty(_: Any, __: Divisions) -> Judge:
    def judge(item: Any, received_ms: int) -> str | None:
        return None if item.strip() else "missing"

    return judge


def _range(bounds: Any, _: Divisions) -> Judge:
    least, most = bounds

    def judge(item: Any, received_ms: int) -> str | None:
        return None if least <= item <= most else "range"

    return judge


def _one_of(words: Any, _: Divisions) -> Judge:
    allowed = frozenset(word.encode() for word in words)

    def judge(item: Any, received_ms: int) -> str | None:
        return None if item in allowed else "range"

    return judge


RULES: dict[str, Kind] = {
    "check-character": Kind("string", _nothing, _person),  # citizen id, GB 11643
    "organisation-check-character": Kind("string", _nothing, _organisation),  # social credit code, GB 32100
    "division": Kind("string", _nothing, _division),  # code of any level exists
    "cell": Kind("string", _nothing, _cell),  # 14 digits in a community that exists
    "division-or-cell": Kind("string", _nothing, _division_or_cell),
    "not-empty": Kind("string", _nothing, _not_empty),  # something beside white space
    "one-of": Kind("string", _words, _one_of),  # {one-of: [a, b]}
    "not-in-the-future": Kind("timestamp-millis", _nothing, _not_in_the_future),  # by CLOCK_SKEW_MS at most
    "not-older-than-days": Kind("timestamp-millis", _days, _not_older_than),  # {not-older-than-days: 400}
    "range": Kind("number", _bounds, _range),  # {range: [least, most]}, int or long
}


def parse_rule(raw: str | Mapping[str, Any], where: str) -> Rule:
    """A rule as written in event.yaml. Raises ConfigError naming `where`, the rule and what was probably meant."""
    if isinstance(raw, str):
        rule = Rule(raw)
    elif len(raw) == 1:
        rule = Rule(*next(iter(raw.items())))
    else:
        raise ConfigError(f"{where}: a rule is one word, or one word with its argument")
    if rule.name not in RULES:
        raise ConfigError(f"{where}: unknown rule `{rule.name}`{suggestion(rule.name, tuple(RULES))}")
    if not RULES[rule.name].takes(rule.argument):
        raise ConfigError(f"{where}: rule `{rule.name}` does not take this argument")
    return rule


def fits(rule: Rule, field_type: Any) -> bool:
    """Can `rule` judge a field of this Avro type (nullable or not)?"""
    kind, _ = _payload(field_type)
    name = kind["type"] if isinstance(kind, dict) else kind
    wanted = RULES[rule.name].type
    if wanted == "timestamp-millis":
        return isinstance(kind, dict) and kind.get("logicalType") == wanted
    return bool(name in ("int", "long") if wanted == "number" else name == wanted)


def compile_check(rules: Sequence[Rule], field_type: Any, divisions: Divisions) -> Check:
    """One check for all of a field's rules; null passes. The field's type must fit them (`fits`)."""
    judges = [RULES[rule.name].make(rule.argument, divisions) for rule in rules]
    payload_type, branch = _payload(field_type)
    is_text = (payload_type["type"] if isinstance(payload_type, dict) else payload_type) == "string"
    only = judges[0] if len(judges) == 1 else _every(judges)

    def text_check(v: bytes, start: int, stop: int, received_ms: int) -> str | None:
        return only(text(v, start, stop), received_ms)

    def number_check(v: bytes, start: int, stop: int, received_ms: int) -> str | None:
        return only(number(v, start), received_ms)

    inner = text_check if is_text else number_check
    if branch is None:
        return inner

    def nullable(v: bytes, start: int, stop: int, received_ms: int) -> str | None:
        payload = payload_start(v, start, branch)
        return None if payload is None else inner(v, payload, stop, received_ms)

    return nullable


def _every(judges: Sequence[Judge]) -> Judge:
    def judge(item: Any, received_ms: int) -> str | None:
        for one in judges:
            if reason := one(item, received_ms):
                return reason
        return None

    return judge


def payload_start(v: bytes, start: int, branch: int) -> int | None:
    """Where the value of a nullable field begins, None when it is null. `branch` is the branch that is not null."""
    if v[start] < 128:
        return start + 1 if v[start] == 2 * branch else None
    end = start  # an index written with more bytes than it needs: legal, and nobody does it
    while v[end] > 127:
        end += 1
    return end + 1 if number(v, start) == branch else None


def _payload(field_type: Any) -> tuple[Any, int | None]:
    """The type that is not null, and its branch; no branch for a type that is no nullable union."""
    if isinstance(field_type, list) and len(field_type) == 2 and "null" in field_type:
        branch = 1 - field_type.index("null")
        return field_type[branch], branch
    return field_type, None
