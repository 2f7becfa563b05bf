"""What `encode` wrote, `decode` reads back and `check` accepts, for every contract and any fitting values."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contract.canonical import canonical, without_logical_types
from streams.contract.identity import person_id_check, valid_person_id
from tests.unit.contract.bus_of import CONTRACTS, DIVISIONS, released
from tests.unit.contract.bytes_of import accepted_by_fastavro

NOW = 1_767_225_600_000
SCHEMAS = released()

person_ids = st.text("0123456789", min_size=17, max_size=17).map(lambda digits: digits + person_id_check(digits))
divisions = st.sampled_from(sorted(DIVISIONS.names))
cells = st.tuples(st.sampled_from(DIVISIONS.communities), st.integers(0, 99)).map(lambda c: f"{c[0]}{c[1]:02}")
words = st.text(min_size=1, max_size=40).filter(lambda text: text.strip() != "")
by_rule = {
    "check-character": person_ids,
    "division": divisions,
    "cell": cells,
    "division-or-cell": divisions | cells,
    "not-empty": words,
}


def values(type_: Any, named: dict[str, Any], rules: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Values of an Avro type that keep the field's rules."""
    if isinstance(type_, list):
        return st.one_of(*(values(branch, named, rules) for branch in type_))
    if isinstance(type_, str) and type_ in named:
        return values(named[type_], named)
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "null":
        return st.none()
    if rules and kind == "long":
        days = min((rule.argument for rule in rules if rule.name == "not-older-than-days"), default=300)
        return st.integers(NOW - (days * 86_400_000 - 1), NOW)
    if rules:
        return by_rule[rules[0].name]
    match kind:
        case "string":
            return st.uuids().map(str) if isinstance(type_, dict) else words
        case "int":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return st.integers(0, 4_000_000_000_000)
        case "enum":
            named[type_["name"]] = type_
            return st.sampled_from(type_["symbols"])
        case "array":
            return st.lists(values(type_["items"], named), max_size=3)
        case "map":
            return st.dictionaries(words, values(type_["values"], named), max_size=3)
        case "record":
            return st.fixed_dictionaries({f["name"]: values(f["type"], named) for f in type_["fields"]})
    raise AssertionError(f"no strategy for {type_}")


def events(event_type: str) -> st.SearchStrategy[dict[str, Any]]:
    contract = CONTRACTS[event_type]
    named: dict[str, Any] = {}
    return st.fixed_dictionaries(
        {
            field["name"]: st.sampled_from(contract.publishers)
            if field["name"] == "publisher"
            else values(field["type"], named, contract.rules.get(field["name"], ()))
            for field in contract.versions[contract.latest]["fields"]
        }
    )


@pytest.mark.parametrize("event_type", CONTRACTS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_event_that_keeps_the_rules_comes_through_whole(event_type: str, data: st.DataObject) -> None:
    event = data.draw(events(event_type))
    version = SCHEMAS.latest(event_type)
    value = version.encode(event)
    assert version.decode(value) == event
    assert accepted_by_fastavro(version.schema, value)
    assert version.check(value, event["publisher"], NOW) == event[CONTRACTS[event_type].key].encode()


@pytest.mark.parametrize("event_type", CONTRACTS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_event_with_one_wrong_value_is_a_value_error_or_a_rejection(event_type: str, data: st.DataObject) -> None:
    event = data.draw(events(event_type))
    field = data.draw(st.sampled_from(sorted(event)))
    event[field] = data.draw(
        st.sampled_from([None, 1.5, -(2**80), b"\xff", "\ud800", [], {}, object(), True, "", 10**18])
    )
    version = SCHEMAS.latest(event_type)
    try:
        value = version.encode(event)
    except ValueError:
        return
    assert accepted_by_fastavro(version.schema, value)
    version.check(value, CONTRACTS[event_type].publishers[0], NOW)


@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 16), st.integers(1, 9))
def test_one_changed_digit_makes_a_citizen_id_invalid(first17: str, place: int, step: int) -> None:
    right = first17 + person_id_check(first17)
    assert valid_person_id(right)
    digit = str((int(right[place]) + step) % 10)
    assert not valid_person_id(right[:place] + digit + right[place + 1 :])


@pytest.mark.parametrize("event_type", CONTRACTS)
def test_the_canonical_form_ignores_what_only_annotates(event_type: str) -> None:
    schema = CONTRACTS[event_type].versions[1]
    assert canonical(schema) == canonical(without_logical_types(schema))
