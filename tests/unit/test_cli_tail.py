"""`haihe tail`: what a person sees of a record, and above all what they do not see."""

import json
from typing import Any

import pytest

from streams.cli.tail import Decoder, Masker, event_type, line
from streams.contract.contracts import Contract, load_contracts
from streams.contract.division import Divisions
from streams.contract.released import Released
from streams.engine.record import Record
from streams.settings import load

SETTINGS = load({}, need_stack=False)
CONTRACTS = load_contracts(SETTINGS.schemas)
PERSONAL = ("personal", "sensitive")


@pytest.fixture(scope="module")
def released() -> Released:
    """Every contract's newest version, released under an id of its own."""
    found = Released(CONTRACTS, Divisions.load(SETTINGS.deploy / "divisions.csv"))
    for schema_id, (event_type_, contract) in enumerate(CONTRACTS.items(), start=100):
        found.apply(*Released.record(event_type_, contract.latest, schema_id, contract.versions[contract.latest]))
    return found


def record(topic: str, value: bytes | None, key: bytes = b"k", headers: Any = ()) -> Record:
    return Record(topic, 3, 42, 1_760_000_000_000, key, value, headers)


def examples() -> list[tuple[Contract, dict[str, Any]]]:
    found = [(c, event) for c in CONTRACTS.values() for event in c.examples(c.latest).values()]
    assert found, "no contract has an example"
    return found


def decoder(released: Released, clear: bool = False) -> Decoder:
    return Decoder(released, CONTRACTS, Masker(clear))


@pytest.mark.parametrize("zone", ["", "in.wjw.", "dead.", "dead.in.wjw.", "to.jinzhitong."])
def test_no_personal_value_of_any_contract_is_shown(released: Released, zone: str) -> None:
    """Whatever the topic's zone, neither the line nor the JSON holds a personal or sensitive field, key included."""
    hidden = 0
    for contract, event in examples():
        value = released.latest(contract.event_type).encode(event)
        key = str(event[contract.key]).encode()
        shown = decoder(released).show(record(zone + contract.event_type, value, key))
        text = line(shown) + json.dumps(shown, ensure_ascii=False)
        for name, tag in contract.sensitivity.items():
            if tag in PERSONAL and event.get(name):
                assert str(event[name]) not in text, f"{contract.event_type}.{name}"
                hidden += 1
    assert hidden > 5


def test_what_is_not_personal_is_shown(released: Released) -> None:
    """Fields tagged none or internal, and their key, are printed as they are."""
    for contract, event in examples():
        shown = decoder(released).show(record(contract.event_type, released.latest(contract.event_type).encode(event)))
        for name, tag in contract.sensitivity.items():
            if tag not in PERSONAL and name in event:
                assert shown["value"][name] == event[name]


def test_clear_shows_everything(released: Released) -> None:
    """`--clear` is the way to see a record as it is."""
    contract, event = next((c, e) for c, e in examples() if c.event_type == "ref.residence")
    value = released.latest(contract.event_type).encode(event)
    shown = decoder(released, clear=True).show(record(contract.event_type, value, b"key"))
    assert shown["value"] == event
    assert shown["key"] == "key"


def test_a_mark_tells_persons_apart_within_one_run_only() -> None:
    """The same value has the same mark, another value another, another run another; null stays null."""
    one, other = Masker(False), Masker(False)
    assert one.hide("张三") == one.hide("张三")
    assert one.hide("张三") != one.hide("李四")
    assert one.hide("张三") != other.hide("张三")
    assert one.hide(None) is None


@pytest.mark.parametrize(
    "value",
    [b"", b"\x00", b"\x00\x00\x00\x03\xe7secret", b"secret without a header", b"\x00\x00\x00\x00\x64secret"],
)
def test_bytes_that_no_schema_explains_are_hidden(released: Released, value: bytes) -> None:
    """A truncated, foreign or unreadable value is described by its size; its bytes may hold anything."""
    shown = decoder(released).show(record("dead.in.wjw.health.test.result", value, b"120101199001011234"))
    assert shown["size"] == len(value)
    assert b"secret".hex() not in line(shown)
    assert "secret" not in line(shown) + json.dumps(shown)
    assert "120101199001011234" not in json.dumps(shown)


@pytest.mark.parametrize("topic", ["bus.changelog.person", "somebody.elses.topic"])
def test_a_topic_without_a_contract_shows_places_only(released: Released, topic: str) -> None:
    """A changelog's keys are person ids: without a contract neither key nor value is shown."""
    shown = decoder(released).show(record(topic, b"state", b"120101199001011234"))
    assert "120101199001011234" not in line(shown) + json.dumps(shown)
    assert "state" not in json.dumps(shown)
    assert (shown["partition"], shown["offset"], shown["size"]) == (3, 42, 5)


def test_a_dead_letter_says_why_and_where_from(released: Released) -> None:
    """The headers of the bus are printed for dead letters; a publisher's own headers on its input are not."""
    headers = (("step", b"decode"), ("reason", b"truncated"), ("offset", b"7"))
    shown = decoder(released).show(record("dead.in.cdc.health.area.stayed", b"\x00", headers=headers))
    assert "(step=decode reason=truncated offset=7)" in line(shown)
    assert "headers" not in decoder(released).show(record("in.cdc.health.area.stayed", b"\x00", headers=headers))


def test_a_tombstone_is_a_deletion(released: Released) -> None:
    """A record without value says `deleted`, and the JSON has null."""
    shown = decoder(released).show(record("ref.roster", None, b"12010100100101"))
    assert line(shown).endswith("12010100100101  deleted")
    assert shown["value"] is None


def test_the_policy_topic_is_shown_as_it_is(released: Released) -> None:
    """bus.policy holds declarations, no persons: keys and JSON values are printed."""
    shown = decoder(released).show(record("bus.policy", b'{"kind":"schema","id":7}', b"schema/x/1/7"))
    assert "schema/x/1/7  kind=schema  id=7" in line(shown)


def test_terminal_escapes_in_a_publishers_text_are_shown_as_codes(released: Released) -> None:
    """A publisher cannot paint on the terminal of whoever tails its topic."""
    contract, event = next((c, e) for c, e in examples() if c.event_type == "health.test.result")
    value = released.latest(contract.event_type).encode({**event, "laboratory": "\x1b[2J\u009b1m实验室\n"})
    shown = line(decoder(released).show(record(contract.event_type, value)))
    assert shown.isprintable()
    assert "实验室" in shown


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("health.test.result", "health.test.result"),
        ("in.wjw.health.test.result", "health.test.result"),
        ("dead.health.test.result", "health.test.result"),
        ("dead.in.wjw.health.test.result", "health.test.result"),
        ("to.jinzhitong.grid.alert.changed", "grid.alert.changed"),
        ("ref.residence", "ref.residence"),
        ("bus.audit", "bus.audit"),
        ("in", ""),
    ],
)
def test_a_topics_contract_follows_from_its_name(topic: str, expected: str) -> None:
    """The zone, the publisher or subscriber, and `dead.` are taken off."""
    assert event_type(topic) == expected
