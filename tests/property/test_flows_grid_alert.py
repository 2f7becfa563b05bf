"""What is always true of the grid alert, behind the health code, whatever happens to people, residences and rosters."""

from pathlib import Path
from typing import Any

from flow_histories import DAY, Arrival, examples, histories
from hypothesis import given
from hypothesis import strategies as st

from streams.flows import grid_alert, health_code, policy
from streams.flows.flow import Event
from streams.flows.memory import MemoryRunner

POLICY = policy.load(Path(__file__).parents[2] / "deploy/tianjin/health-code-policy.yaml")
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
    runner = MemoryRunner(grid_alert.FLOW, {"ref.residence": residence, "ref.roster": roster})
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
def test_every_episode_is_one_alert_that_ends_in_one_retraction_to_whoever_was_told(
    history: list[Arrival], cities: list[tuple[Any, Any]]
) -> None:
    changes, told = alerts(history, cities)
    assert [e.value["change_id"] for e in told] == [c.value["event_id"] for c in changes], "none is dropped"
    assert [e.value["colour"] for e in told] == [c.value["colour"] for c in changes]
    episodes: list[list[Event]] = [[]]
    for event in told:
        episodes[-1].append(event)
        if event.value["colour"] == "GREEN":
            episodes.append([])
    assert episodes.pop() == [], "the last episode is over"
    for episode in episodes:
        assert [e.value["state"] for e in episode] == ["RAISED"] * (len(episode) - 1) + ["RETRACTED"]
        for same in ("alert_id", "addressee", "addressee_level", "opened_at", "cell", "division"):
            assert len({e.value[same] for e in episode}) == 1, same
    ids = [episode[0].key for episode in episodes]
    assert len(ids) == len(set(ids)), "an alert id belongs to one episode"
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
