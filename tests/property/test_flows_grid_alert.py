"""What is always true of the grid alert, behind the health code, whatever happens to people, residences and rosters."""

from pathlib import Path
from typing import Any

from flow_histories import DAY, Arrival, examples, histories
from hypothesis import given
from hypothesis import strategies as st

from streams.flows import duty_policy, grid_alert, health_code, policy
from streams.flows.flow import Event
from streams.flows.memory import MemoryRunner

CITY = Path(__file__).parents[2] / "deploy/tianjin"
POLICY = policy.load(CITY / "health-code-policy.yaml")
FLOW = grid_alert.make(duty_policy.load(CITY / "alert-duty-policy.yaml"))
PERSON = "120101199003070011"
CELLS = ["12010100100101", "12010100100102", "12010500200301"]
DIVISIONS = [*CELLS, "120101001", "120105002", "120101", "120105", "12"]

homes = st.none() | st.sampled_from(CELLS).map(
    lambda cell: {"cell": cell, "person_name": "张三", "phone": "13800001234", "address": cell}
)
rosters = st.dictionaries(st.sampled_from(DIVISIONS), st.none() | st.integers(1, 9).map(lambda n: f"gw-{n:06}")).map(
    lambda on_duty: {division: {"on_duty": who, "backup": None} for division, who in on_duty.items()}
)


def alerts(history: list[Arrival], cities: list[tuple[Any, Any]]) -> tuple[list[Event], list[Event]]:
    """Changes and alerts of a history, in a city that may be another before each change. At the end all is released."""
    code = MemoryRunner(health_code.make(POLICY))
    for at, event in history:
        code.send(event, at)
    last = history[-1].at
    for i, day in enumerate((60, 62)):
        value = {"event_id": f"last-{i}", "occurred_at": last + day * DAY, "result": "NEGATIVE", "division": "12"}
        code.send(Event("health.test.result", PERSON, value), last + day * DAY)
    code.advance(last + 200 * DAY)
    residence: dict[str, Any] = {}
    roster: dict[str, Any] = {}
    runner = MemoryRunner(FLOW, {"ref.residence": residence, "ref.roster": roster})
    for i, change in enumerate(code.events):
        home, on_duty = cities[i % len(cities)]
        residence.clear()
        if home:
            residence[PERSON] = home
        roster.clear()
        roster.update(on_duty)
        runner.send(change, change.value["occurred_at"])
    return code.events, runner.events


@given(histories(PERSON), st.lists(st.tuples(homes, rosters), min_size=1, max_size=5))
@examples(300)
def test_every_colour_is_one_alert_that_ends_in_one_retraction_to_whoever_was_told(
    history: list[Arrival], cities: list[tuple[Any, Any]]
) -> None:
    changes, told = alerts(history, cities)
    raised = [e for e in told if e.value["state"] == "RAISED"]
    assert [(e.value["change_id"], e.value["colour"]) for e in raised] == [
        (c.value["event_id"], c.value["colour"]) for c in changes if c.value["colour"] != "GREEN"
    ], "none is dropped"
    retracted = [e for e in told if e.value["state"] == "RETRACTED"]
    assert [e.value["colour"] for e in retracted] == [
        c.value["colour"] for c in changes[1:] if c.value["previous"] != "GREEN"
    ]
    assert len({e.key for e in raised}) == len(raised), "an alert id belongs to one colour"
    for first, last in zip(raised, retracted, strict=True):
        for same in ("alert_id", "addressee", "addressee_level", "opened_at", "cell", "division"):
            assert first.value[same] == last.value[same], same
        assert told.index(first) < told.index(last)
    event_ids = [e.value["event_id"] for e in told]
    assert len(event_ids) == len(set(event_ids))


@given(histories(PERSON), st.lists(st.tuples(homes, rosters), min_size=1, max_size=5))
@examples(150)
def test_an_address_is_told_only_to_the_cell_it_is_in_or_to_a_desk_that_had_none(
    history: list[Arrival], cities: list[tuple[Any, Any]]
) -> None:
    for event in alerts(history, cities)[1]:
        assert event.value["address"] in (None, event.value["cell"]) or event.value["cell"] is None


@given(histories(PERSON), st.lists(st.tuples(homes, rosters), min_size=1, max_size=5))
@examples(50)
def test_replaying_gives_the_same_alerts_with_the_same_ids(
    history: list[Arrival], cities: list[tuple[Any, Any]]
) -> None:
    assert alerts(history, cities) == alerts(history, cities)
