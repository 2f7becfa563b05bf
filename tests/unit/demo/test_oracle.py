"""The oracle against cases worked out by hand: one line of evidence, one colour, one alert."""

import ast
import uuid
from pathlib import Path
from typing import Any

import pytest

from streams.demo import oracle as module
from streams.demo.oracle import DAY, HOUR, Oracle

NOW = 1_670_000_000_000
HOMES = {"anna": "12010100100101", "ben": "12010200100101", "carl": "12010300100101", "dora": "12010400100101"}
ROSTER = {
    "12010100100101": "gw-000001",
    "120102001": "desk-120102001",
    "120103": "desk-120103",
    "12": "desk-12",
    "120105001": "desk-120105001",
    "120101001001": "desk-120101001001",
    "120101": "desk-120101",
}
BACKUP = {"12010100100101": "gw-000002", "12010200100101": "gw-000003"}


@pytest.fixture
def oracle() -> Oracle:
    return Oracle(HOMES.get, ROSTER.get, BACKUP.get)


def event(event_id: str, person: str = "anna", at: int = NOW, **fields: Any) -> dict[str, Any]:
    return {"event_id": event_id, "person_id": person, "occurred_at": at, "division": "120105001002"} | fields


def contact(event_id: str, degree: str = "CLOSE", **kw: Any) -> tuple[str, dict[str, Any]]:
    return "health.contact.identified", event(event_id, degree=degree, **kw)


def sample(event_id: str, result: str, at: int) -> tuple[str, dict[str, Any]]:
    return "health.test.result", event(event_id, at=at, result=result)


def colours(oracle: Oracle) -> list[tuple[str, str, str]]:
    return [(c.previous, c.colour, c.cause) for c in oracle.changes.values()]


def alerts(oracle: Oracle) -> list[tuple[str, str, str]]:
    return [(a.state, a.colour, a.addressee) for a in oracle.alerts.values()]


def test_a_close_contact_is_red_and_its_grid_worker_is_told(oracle: Oracle) -> None:
    oracle.accept(*contact("e1"), at=NOW)
    assert colours(oracle) == [("GREEN", "RED", "EVIDENCE")]
    assert alerts(oracle) == [("RAISED", "RED", "gw-000001")]


def test_derived_ids_are_uuid_5_of_flow_source_and_number(oracle: Oracle) -> None:
    namespace = uuid.UUID("6b5a6f0e-3f0d-5c6e-9a6d-0c7f6f3c1a20")
    (change,) = oracle.accept(*contact("e1"), at=NOW)
    assert change.event_id == str(uuid.uuid5(namespace, "health-code/e1/0"))
    (raised,) = oracle.alerts.values()
    assert raised.alert_id == str(uuid.uuid5(namespace, f"grid-alert/{change.event_id}/0"))
    assert raised.event_id == str(uuid.uuid5(namespace, f"grid-alert/{change.event_id}/1"))
    (change,) = oracle.accept("health.evidence.corrected", event("c1", corrects="e1"), at=NOW)
    retracted = list(oracle.alerts.values())[-1]
    assert retracted.event_id == str(uuid.uuid5(namespace, f"grid-alert/{change.event_id}/2"))


@pytest.mark.parametrize(
    ("person", "told"),
    [
        ("ben", "desk-120102001"),
        ("carl", "desk-120103"),
        ("dora", "desk-12"),
        ("nobody knows where", "desk-120105001"),
    ],
)
def test_without_grid_worker_the_street_then_the_district_then_the_city_is_told(
    oracle: Oracle, person: str, told: str
) -> None:
    oracle.accept(*contact("e1", person=person), at=NOW)
    assert alerts(oracle) == [("RAISED", "RED", told)]


def test_who_may_be_told_later_are_the_levels_above_that_have_somebody(oracle: Oracle) -> None:
    assert oracle.ladder("anna", None) == (
        ("GRID_WORKER", "gw-000001"),
        ("BACKUP", "gw-000002"),
        ("COMMUNITY", "desk-120101001001"),
        ("DISTRICT", "desk-120101"),
        ("CITY", "desk-12"),
    )
    assert oracle.ladder("ben", None) == (("STREET", "desk-120102001"), ("CITY", "desk-12")), "nobody's backup"
    assert oracle.ladder("nobody knows where", "120101001001") == (("DISTRICT", "desk-120101"), ("CITY", "desk-12"))
    assert oracle.ladder("dora", None) == (("CITY", "desk-12"),)


def test_the_very_one_who_has_it_is_not_told_again_one_level_up() -> None:
    alone = Oracle(HOMES.get, ROSTER.get, {"12010100100101": "gw-000001"}.get)
    assert [rung.level for rung in alone.ladder("anna", None)] == ["GRID_WORKER", "COMMUNITY", "DISTRICT", "CITY"]


def test_the_worst_evidence_wins_and_each_colour_is_an_alert_of_its_own(oracle: Oracle) -> None:
    oracle.accept(*contact("e1", "SECONDARY"), at=NOW)
    oracle.accept(*contact("e2", "CLOSE"), at=NOW + 1)
    oracle.accept(*contact("e3", "SECONDARY"), at=NOW + 2)
    assert colours(oracle) == [("GREEN", "ORANGE", "EVIDENCE"), ("ORANGE", "RED", "EVIDENCE")]
    first, retracted, second = oracle.alerts.values()
    assert alerts(oracle) == [(state, colour, "gw-000001") for state, colour in _WORSE]
    assert first.alert_id == retracted.alert_id != second.alert_id
    assert retracted.change_id == second.change_id
    assert {id_: raised.colour for id_, raised in oracle.raised.items()} == {
        first.alert_id: "ORANGE",
        second.alert_id: "RED",
    }


_WORSE = (("RAISED", "ORANGE"), ("RETRACTED", "RED"), ("RAISED", "RED"))


def test_two_negatives_a_day_apart_from_day_7_on_release(oracle: Oracle) -> None:
    oracle.accept(*sample("p", "POSITIVE", NOW - 10 * DAY), at=NOW)
    oracle.accept(*sample("too early", "NEGATIVE", NOW - 5 * DAY), at=NOW)
    oracle.accept(*sample("n1", "NEGATIVE", NOW - 2 * DAY), at=NOW)
    oracle.accept(*sample("too close", "NEGATIVE", NOW - 2 * DAY + 23 * HOUR), at=NOW)
    assert colours(oracle) == [("GREEN", "RED", "EVIDENCE")]
    oracle.accept(*sample("n2", "NEGATIVE", NOW - DAY), at=NOW)
    assert colours(oracle)[1:] == [("RED", "GREEN", "RELEASE")]
    assert alerts(oracle)[1:] == [("RETRACTED", "GREEN", "gw-000001")]


def test_withdrawing_the_negative_that_released_brings_red_back_with_a_new_alert(oracle: Oracle) -> None:
    oracle.accept(*sample("p", "POSITIVE", NOW - 10 * DAY), at=NOW)
    oracle.accept(*sample("n1", "NEGATIVE", NOW - 2 * DAY), at=NOW)
    oracle.accept(*sample("n2", "NEGATIVE", NOW - DAY), at=NOW)
    oracle.accept("health.evidence.corrected", event("c", corrects="n2"), at=NOW)
    assert colours(oracle)[2:] == [("GREEN", "RED", "CORRECTION")]
    assert len({a.alert_id for a in oracle.alerts.values()}) == 2


def test_a_correction_retracts_and_one_that_comes_first_annuls(oracle: Oracle) -> None:
    oracle.accept(*contact("e1"), at=NOW)
    oracle.accept("health.evidence.corrected", event("c2", corrects="e2"), at=NOW)
    oracle.accept("health.evidence.corrected", event("c1", corrects="e1"), at=NOW)
    oracle.accept(*contact("e2"), at=NOW)
    assert colours(oracle) == [("GREEN", "RED", "EVIDENCE"), ("RED", "GREEN", "CORRECTION")]


def test_time_alone_turns_a_code_to_what_is_left_and_then_green(oracle: Oracle) -> None:
    oracle.accept(*contact("e1", "CLOSE", at=NOW - 14 * DAY + 1000), at=NOW)
    oracle.accept(*contact("e2", "SECONDARY", at=NOW - 7 * DAY + 2000), at=NOW)
    assert oracle.next_expiry(NOW) == NOW + 1000
    assert oracle.pass_time(NOW + 999) == []
    first = oracle.pass_time(NOW + 1000)
    second = oracle.pass_time(NOW + 5000)
    assert [(c.previous, c.colour, c.cause) for c in first + second] == [
        ("RED", "ORANGE", "EXPIRY"),
        ("ORANGE", "GREEN", "EXPIRY"),
    ]
    assert alerts(oracle)[1:] == [
        ("RETRACTED", "ORANGE", "gw-000001"),
        ("RAISED", "ORANGE", "gw-000001"),
        ("RETRACTED", "GREEN", "gw-000001"),
    ]


@pytest.mark.parametrize(
    "evidence",
    [
        contact("e", "UNKNOWN"),
        contact("e", "SECONDARY", at=NOW - 8 * DAY),
        ("health.area.stayed", event("e", risk="LOW")),
        ("health.national.checked", event("e", colour="GREEN", valid_until=None)),
        ("health.national.checked", event("e", colour="RED", valid_until=NOW - 1, at=NOW - DAY)),
        ("health.test.result", event("e", result="UNKNOWN")),
    ],
)
def test_what_says_nothing_or_is_over_changes_nothing(oracle: Oracle, evidence: tuple[str, dict[str, Any]]) -> None:
    assert oracle.accept(*evidence, at=NOW) == []
    assert oracle.accepted == 1


def test_the_same_event_twice_counts_as_two_inputs_and_one_change(oracle: Oracle) -> None:
    for _ in range(2):
        oracle.accept(*contact("e1"), at=NOW)
    assert (oracle.accepted, len(oracle.changes)) == (2, 1)


def test_the_oracle_imports_nothing_of_the_bus() -> None:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    names |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert not any(name.startswith(("streams", "connectors")) for name in names)
