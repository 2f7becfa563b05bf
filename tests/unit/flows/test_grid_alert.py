"""The grid alert: who is told, by which path, and that whoever was told is told when it is over."""

from collections.abc import Mapping
from typing import Any

import pytest

from streams.flows.flow import Event, Outcome, derived_id
from streams.flows.grid_alert import FLOW, AlertState
from streams.flows.memory import MemoryRunner

PERSON = "120101199003070011"
CELL = "12010100100101"
OTHER = "12010500200301"
HOME = {
    "person_id": PERSON,
    "person_name": "张三丰",
    "phone": "13800001234",
    "address": "和平区某路1号",
    "cell": CELL,
}


def roster(**on_duty: str | None) -> dict[str, Mapping[str, Any]]:
    return {f"{d[1:]}": {"division": d[1:], "on_duty": who, "backup": None} for d, who in on_duty.items()}


FULL = roster(
    _12010100100101="gw-000001",
    _12010500200301="gw-000002",
    _120101001="desk-120101001",
    _120101="desk-120101",
    _12="desk-12",
)


class City:
    """One person, their residence and the roster, both of which may change under way."""

    def __init__(self, home: Mapping[str, Any] | None, on_duty: dict[str, Mapping[str, Any]]) -> None:
        self.residence = {} if home is None else {PERSON: home}
        self.roster = dict(on_duty)
        self.runner: MemoryRunner[AlertState] = MemoryRunner(
            FLOW, {"ref.residence": self.residence, "ref.roster": self.roster}
        )
        self.changes = 0

    def turns(self, colour: str, division: str | None = "120101001001") -> Outcome[AlertState]:
        self.changes += 1
        value = {
            "event_id": f"change-{self.changes}",
            "occurred_at": 1000 * self.changes,
            "person_id": PERSON,
            "colour": colour,
            "division": division,
        }
        outcome = self.runner.send(Event("health.code.changed", PERSON, value), 1000 * self.changes)
        assert isinstance(outcome, Outcome)
        return outcome

    def told(self) -> list[tuple[str, str, str]]:
        """(state, colour, addressee) of everything sent so far."""
        return [(e.value["state"], e.value["colour"], e.value["addressee"]) for e in self.runner.events]


def test_red_reaches_the_grid_worker_on_duty_in_the_home_cell() -> None:
    outcome = City(HOME, FULL).turns("RED")
    id = derived_id("grid-alert", "change-1", 0)
    assert outcome.notes == ()
    assert outcome.events == (
        Event(
            "grid.alert.changed",
            id,
            {
                "event_id": derived_id("grid-alert", "change-1", 1),
                "occurred_at": 1000,
                "publisher": "haihe",
                "alert_id": id,
                "state": "RAISED",
                "colour": "RED",
                "person_id": PERSON,
                "person_name": "张三丰",
                "phone": "13800001234",
                "address": "和平区某路1号",
                "cell": CELL,
                "division": CELL[:12],
                "addressee": "gw-000001",
                "addressee_level": "GRID_WORKER",
                "change_id": "change-1",
                "opened_at": 1000,
            },
        ),
    )


@pytest.mark.parametrize(
    ("sentence", "home", "on_duty", "division", "told", "level", "notes"),
    [
        (
            "a cell without a grid worker goes to the desk of its street",
            HOME, roster(_120101001="desk-120101001", _120101="desk-120101"), None,
            "desk-120101001", "STREET", ("no-grid-worker", "to-street"),
        ),
        (
            "a cell whose row names nobody is a cell without a grid worker",
            HOME, roster(_12010100100101=None, _120101001="desk-120101001"), None,
            "desk-120101001", "STREET", ("no-grid-worker", "to-street"),
        ),
        (
            "a street without a desk goes to the district's",
            HOME, roster(_120101001=None, _120101="desk-120101"), None,
            "desk-120101", "DISTRICT", ("no-grid-worker", "to-district"),
        ),
        (
            "a district without a desk goes to the city's",
            HOME, roster(_12="desk-city-night"), None,
            "desk-city-night", "CITY", ("no-grid-worker", "to-city"),
        ),
        (
            "an empty roster still reaches the city's desk",
            HOME, {}, None,
            "desk-12", "CITY", ("no-grid-worker", "to-city"),
        ),
        (
            "a person without residence goes to the street's desk of the change's community",
            None, FULL, "120101001001",
            "desk-120101001", "STREET", ("no-residence", "to-street"),
        ),
        (
            "without residence and with a division of street level, to that street's desk",
            None, FULL, "120101001",
            "desk-120101001", "STREET", ("no-residence", "to-street"),
        ),
        (
            "without residence and with a division of district level, to that district's desk",
            None, FULL, "120101",
            "desk-120101", "DISTRICT", ("no-residence", "to-district"),
        ),
        (
            "without residence, a street unknown to the roster goes up to its district",
            None, FULL, "120101999001",
            "desk-120101", "DISTRICT", ("no-residence", "to-district"),
        ),
        (
            "without residence and division, to the city's desk",
            None, FULL, None,
            "desk-12", "CITY", ("no-residence", "to-city"),
        ),
        (
            "without anything at all, to the city's desk",
            None, {}, None,
            "desk-12", "CITY", ("no-residence", "to-city"),
        ),
        (
            "a residence without a cell is no residence",
            HOME | {"cell": ""}, FULL, "120101001",
            "desk-120101001", "STREET", ("no-residence", "to-street"),
        ),
        (
            "the home cell decides, not the division of the evidence",
            HOME, FULL, "120105002003",
            "gw-000001", "GRID_WORKER", (),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_who_is_told(
    sentence: str,
    home: Mapping[str, Any] | None,
    on_duty: dict[str, Mapping[str, Any]],
    division: str | None,
    told: str,
    level: str,
    notes: tuple[str, ...],
) -> None:
    city = City(home, on_duty)
    outcome = city.turns("ORANGE", division)
    [event] = outcome.events
    assert (event.value["addressee"], event.value["addressee_level"], outcome.notes) == (told, level, notes)
    assert event.value["division"], "an alert always concerns a division"
    assert city.turns("GREEN", None).events[0].value["addressee"] == told


def test_one_alert_lasts_from_red_over_orange_and_red_to_green() -> None:
    city = City(HOME, FULL)
    for colour in ("RED", "ORANGE", "RED", "GREEN"):
        city.turns(colour)
    events = city.runner.events
    assert city.told() == [
        ("RAISED", "RED", "gw-000001"),
        ("RAISED", "ORANGE", "gw-000001"),
        ("RAISED", "RED", "gw-000001"),
        ("RETRACTED", "GREEN", "gw-000001"),
    ]
    assert {e.key for e in events} == {e.value["alert_id"] for e in events} == {events[0].key}
    assert {e.value["opened_at"] for e in events} == {1000}
    assert [e.value["change_id"] for e in events] == ["change-1", "change-2", "change-3", "change-4"]
    assert len({e.value["event_id"] for e in events}) == 4
    assert city.runner.keys() == [], "nothing is kept of a closed alert"


def test_a_new_episode_is_a_new_alert() -> None:
    city = City(HOME, FULL)
    for colour in ("RED", "GREEN", "RED"):
        city.turns(colour)
    first, retracted, second = city.runner.events
    assert first.key == retracted.key != second.key


def test_green_without_an_alert_is_filtered() -> None:
    assert City(HOME, FULL).turns("GREEN") == Outcome(None, (), "no-change")


def test_the_colour_already_alerted_is_filtered() -> None:
    city = City(HOME, FULL)
    city.turns("RED")
    assert city.turns("RED").filtered == "no-change"


def test_a_shift_that_changes_leaves_the_open_alert_where_it_is() -> None:
    city = City(HOME, FULL)
    city.turns("RED")
    city.roster[CELL] = {"on_duty": "gw-000009", "backup": None}
    city.turns("ORANGE")
    city.turns("GREEN")
    city.turns("RED")
    assert [told for _, _, told in city.told()] == ["gw-000001", "gw-000001", "gw-000001", "gw-000009"]


def test_the_retraction_goes_to_whoever_was_told_when_the_person_has_moved() -> None:
    """And says nothing about where the person lives now: that is not this grid worker's cell any more."""
    city = City(HOME, FULL)
    city.turns("RED")
    city.residence[PERSON] = HOME | {"cell": OTHER, "address": "elsewhere"}
    outcome = city.turns("GREEN")
    [event] = outcome.events
    assert outcome.notes == ("moved",)
    assert (event.value["state"], event.value["addressee"], event.value["cell"]) == ("RETRACTED", "gw-000001", CELL)
    assert [event.value[f] for f in ("person_name", "phone", "address")] == [None, None, None]


def test_the_retraction_still_goes_out_when_the_residence_is_gone() -> None:
    city = City(HOME, FULL)
    city.turns("RED")
    city.residence.clear()
    city.turns("GREEN")
    assert city.told()[-1] == ("RETRACTED", "GREEN", "gw-000001")


def test_a_residence_that_arrives_later_reroutes_nothing_but_tells_the_desk_who_it_is() -> None:
    city = City(None, FULL)
    city.turns("RED")
    city.residence[PERSON] = HOME
    outcome = city.turns("ORANGE")
    assert outcome.notes == ()
    assert city.told() == [("RAISED", "RED", "desk-120101001"), ("RAISED", "ORANGE", "desk-120101001")]
    assert [e.value["person_name"] for e in city.runner.events] == [None, "张三丰"]


def test_no_alert_ever_waits_for_time() -> None:
    city = City(HOME, FULL)
    state = city.turns("RED").state
    assert state is not None
    assert FLOW.due(state) is None
    assert FLOW.fire(state, 0, {}).filtered == "no-change"
