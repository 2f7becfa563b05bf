"""The grid alert: who is told, by which path, and that whoever was told is told when it is over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streams.flows import duty_policy, grid_alert
from streams.flows.flow import Event, Outcome, derived_id
from streams.flows.grid_alert import AlertState
from streams.flows.memory import MemoryRunner

FLOW = grid_alert.make(duty_policy.load(Path(__file__).parents[3] / "deploy/tianjin/alert-duty-policy.yaml"))
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
                "cause": "COLOUR",
                "due_at": 301_000,
                "told": [
                    {
                        "addressee": "gw-000001",
                        "level": "GRID_WORKER",
                        "cause": "COLOUR",
                        "told_at": 1000,
                        "received_at": None,
                        "seen_at": None,
                        "acted_at": None,
                        "outcome": None,
                        "relieved_at": None,
                    }
                ],
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


def test_each_colour_is_an_alert_of_its_own_that_the_next_colour_retracts() -> None:
    """An alert may have been closed by whoever acted on the milder colour: a worse one must be told all the same."""
    city = City(HOME, FULL)
    for colour in ("ORANGE", "RED", "GREEN"):
        city.turns(colour)
    events = city.runner.events
    assert city.told() == [
        ("RAISED", "ORANGE", "gw-000001"),
        ("RETRACTED", "RED", "gw-000001"),
        ("RAISED", "RED", "gw-000001"),
        ("RETRACTED", "GREEN", "gw-000001"),
    ]
    orange, red = derived_id("grid-alert", "change-1", 0), derived_id("grid-alert", "change-2", 0)
    assert [e.key for e in events] == [e.value["alert_id"] for e in events] == [orange, orange, red, red]
    assert [e.value["opened_at"] for e in events] == [1000, 1000, 2000, 2000]
    assert [e.value["change_id"] for e in events] == ["change-1", "change-2", "change-2", "change-3"]
    assert len({e.value["event_id"] for e in events}) == 4
    assert [(e.value["due_at"], e.value["told"]) for e in events if e.value["state"] == "RETRACTED"] == [(None, [])] * 2
    assert city.runner.keys() == [], "nothing is kept of what is over"


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


def test_a_retraction_goes_to_whoever_was_told_and_the_next_alert_to_whoever_is_on_duty() -> None:
    city = City(HOME, FULL)
    city.turns("RED")
    city.roster[CELL] = {"on_duty": "gw-000009", "backup": None}
    city.turns("ORANGE")
    assert [told for _, _, told in city.told()] == ["gw-000001", "gw-000001", "gw-000009"]


def test_the_retraction_goes_to_whoever_was_told_and_says_nothing_about_where_the_person_lives() -> None:
    """Nothing is to be done any more, and the person may have moved."""
    city = City(HOME, FULL)
    city.turns("RED")
    city.residence[PERSON] = HOME | {"cell": OTHER, "address": "elsewhere"}
    outcome = city.turns("GREEN")
    [event] = outcome.events
    assert (event.value["state"], event.value["addressee"], event.value["cell"]) == ("RETRACTED", "gw-000001", CELL)
    assert [event.value[f] for f in ("person_name", "phone", "address")] == ["张三丰", None, None]


def test_the_retraction_still_goes_out_when_the_residence_is_gone() -> None:
    city = City(HOME, FULL)
    city.turns("RED")
    city.residence.clear()
    city.turns("GREEN")
    assert city.told()[-1] == ("RETRACTED", "GREEN", "gw-000001")


def test_a_residence_that_arrives_later_reroutes_nothing_until_the_colour_changes() -> None:
    city = City(None, FULL)
    city.turns("RED")
    city.residence[PERSON] = HOME
    outcome = city.turns("ORANGE")
    assert outcome.notes == ()
    assert [(state, told) for state, _, told in city.told()] == [
        ("RAISED", "desk-120101001"),
        ("RETRACTED", "desk-120101001"),
        ("RAISED", "gw-000001"),
    ]


def test_no_alert_ever_waits_for_time() -> None:
    city = City(HOME, FULL)
    state = city.turns("RED").state
    assert state is not None
    assert FLOW.due(state) is None
    assert FLOW.fire(state, 0, 0, {}).filtered == "no-change"
