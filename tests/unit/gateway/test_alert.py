"""What the gateway takes from an alert's event: who was told, who has it, where it stands; and what it pushes."""

import json
from typing import Any

import pytest

from connectors.gateway.alert import Alert, Decoder
from streams.contract.contracts import load_contracts
from streams.contract.division import Divisions
from streams.contract.released import Released
from streams.contract.wire import header
from streams.engine.record import Record
from streams.governance.grant import load_grants
from streams.governance.view import compile_views
from streams.settings import ROOT
from tests.unit.gateway.in_memory import SCHEMA_ID, JsonVersion, event

MINUTE = 60_000


def decode(fields: dict[str, Any], timestamp: int = 5) -> Alert:
    value = header(SCHEMA_ID) + json.dumps(fields).encode()
    alert = Decoder(lambda schema_id: JsonVersion(), lambda: None).decode(Record("t", 0, 0, timestamp, b"a1", value))
    assert isinstance(alert, Alert)
    return alert


def step(addressee: str, cause: str = "COLOUR", **times: int) -> dict[str, Any]:
    return {"addressee": addressee, "cause": cause, "seen_at": None, "acted_at": None, "relieved_at": None, **times}


def people(state: str = "SEEN", **fields: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    alert = decode(event(1, state=state, addressee="gw-000002") | fields)
    return alert.told, alert.holders


def test_everybody_told_is_told_once_and_who_was_relieved_no_longer_has_it() -> None:
    told = [step("gw-000001", relieved_at=3), step("gw-000002"), step("desk-12"), step("desk-12")]
    assert people(told=told) == (("gw-000001", "gw-000002", "desk-12"), ("gw-000002", "desk-12"))


def test_who_was_relieved_and_is_on_duty_again_has_it() -> None:
    told = [step("gw-000002", relieved_at=3), step("gw-000001", relieved_at=4), step("gw-000002")]
    assert people(told=told) == (("gw-000002", "gw-000001"), ("gw-000002",))


@pytest.mark.parametrize("told", [{}, {"told": None}, {"told": []}])
def test_an_open_alert_that_names_nobody_as_told_is_its_addressees(told: dict[str, Any]) -> None:
    """As in version 1, whose events have no `told`."""
    assert people(**told) == (("gw-000002",), ("gw-000002",))


@pytest.mark.parametrize("state", ["RETRACTED", "CLOSED"])
def test_nobody_has_an_alert_that_has_ended(state: str) -> None:
    assert people(state, told=[step("gw-000001"), step("gw-000002")]) == (("gw-000001", "gw-000002"), ())
    assert people(state, told=[]) == people(state) == ((), ())


def test_where_an_alert_stands_is_said_without_who_it_is_about() -> None:
    told = [step("gw-000001", seen_at=4 * MINUTE), step("desk-12", "NOT_ACTED", seen_at=3 * MINUTE)]
    fields = {"opened_at": MINUTE, "due_at": 9 * MINUTE, "division": "12", "addressee_level": "CITY", "told": told}
    stands = decode(event(1, addressee="desk-12") | fields | {"person_name": "张**", "phone": "138"}).standing
    assert stands is not None
    assert (stands.at, stands.state, stands.colour, stands.division) == (5, "RAISED", "RED", "12")
    assert (stands.addressee, stands.level) == ("desk-12", "CITY")
    assert (stands.opened_at, stands.due_at) == (MINUTE, 9 * MINUTE)
    assert (stands.seen, stands.missed, stands.retracted, stands.final) == (True, True, False, False)
    assert (stands.seen_s, stands.acted_s) == (120, None)
    assert "张" not in repr(stands)
    assert "138" not in repr(stands)


def test_seen_is_by_whom_it_was_told_last() -> None:
    stands = decode(event(1) | {"told": [step("gw-000001", seen_at=7000), step("desk-12", "UNSEEN")]}).standing
    assert stands is not None
    assert not stands.seen
    assert stands.seen_s == 7


@pytest.mark.parametrize(
    ("state", "cause", "retracted"),
    [("RETRACTED", "COLOUR", True), ("CLOSED", "RETRACTED", True), ("CLOSED", "ACTED", False), ("CLOSED", None, False)],
)
def test_an_alert_ends_by_somebody_who_acted_or_because_the_colour_is_over(
    state: str, cause: str | None, retracted: bool
) -> None:
    stands = decode(event(1, state=state) | {"cause": cause}).standing
    assert stands is not None
    assert stands.final
    assert stands.retracted is retracted


def test_a_view_of_which_everything_was_withdrawn_but_what_is_needed_to_push_still_stands_somewhere() -> None:
    fields = dict.fromkeys(("colour", "division", "addressee_level", "opened_at", "due_at", "cause", "told"))
    stands = decode(event(1) | fields).standing
    assert stands is not None
    assert (stands.colour, stands.division, stands.opened_at, stands.due_at) == ("", "", 0, None)


def test_the_contracts_examples_come_through_the_granted_view() -> None:
    """The view as the deployed grant makes it, in Avro: who was told in each, and all of it in what is pushed."""
    contracts = load_contracts(ROOT / "schemas/avro")
    contract = contracts["grid.alert.changed"]
    grants = [g for g in load_grants(ROOT / "deploy/tianjin/grants.yaml") if g.event_type == contract.event_type]
    (view,) = compile_views(grants, contracts, b"x" * 32)
    released = Released(contracts, Divisions.load(ROOT / "deploy/tianjin/divisions.csv"))
    released.apply(*Released.record(view.name, 1, SCHEMA_ID, view.schema))
    decoder = Decoder(lambda schema_id: released.find(schema_id, view.name), lambda: None)
    examples = contract.examples(2)
    assert examples
    for example in examples.values():
        value = released.latest(view.name).encode(view.apply(example))
        alert = decoder.decode(Record("t", 0, 0, 5, b"a1", value))
        assert isinstance(alert, Alert)
        assert list(alert.told) == [step["addressee"] for step in example["told"]]
        assert alert.standing is not None
        assert (alert.standing.division, alert.standing.due_at) == (example["division"], example["due_at"])
        pushed = json.loads(alert.frame.partition(b"data: ")[2])
        assert pushed["told"] == example["told"]
        assert pushed["recorded_at"] == 5
