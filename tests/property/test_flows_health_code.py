"""What is always true of the health code, whatever arrives in whatever order."""

from itertools import pairwise
from pathlib import Path

import msgspec
from flow_histories import DAY, START, Arrival, colour_of, examples, greenest, histories
from hypothesis import given
from hypothesis import strategies as st

from streams.flows import health_code, policy
from streams.flows.evidence import COLOURS, PersonState
from streams.flows.flow import Event
from streams.flows.memory import MemoryRunner

POLICY = policy.load(Path(__file__).parents[2] / "deploy/tianjin/health-code-policy.yaml")
ROOMY = msgspec.structs.replace(
    POLICY, memory=msgspec.structs.replace(POLICY.memory, evidence=100, negatives=100, corrections=100)
)
"""The city's policy with bounds that no history here reaches: where a rule holds exactly, not only on the safe side."""

FLOW = health_code.make(ROOMY)
PEOPLE = ["120101199003070011", "120101199003070038", "120101199003070054"]


def run(history: list[Arrival], rules: policy.Policy = ROOMY) -> MemoryRunner[PersonState]:
    runner = MemoryRunner(health_code.make(rules))
    for at, event in history:
        runner.send(event, at)
    return runner


def announced(events: list[Event], at: int) -> int:
    """The colour that subscribers know at `at` (ms)."""
    known = [e.value["colour"] for e in events if e.value["occurred_at"] <= at]
    return COLOURS.index(known[-1]) if known else 0


def instants(history: list[Arrival], events: list[Event]) -> list[int]:
    """The moments worth asking about: around every arrival, change and possible end."""
    at = [a.at for a in history] + [e.value["occurred_at"] for e in events]
    at += [a.event.value["occurred_at"] + d * DAY for a in history for d in (0, 7, 14)]
    at += [a.event.value["valid_until"] for a in history if a.event.value.get("valid_until")]
    return sorted({t + d for t in at for d in (-1, 0, 1) if t + d >= START})


@given(histories())
@examples(400)
def test_the_colour_always_equals_a_recomputation_from_the_surviving_evidence(history: list[Arrival]) -> None:
    runner = run(history)
    runner.advance(history[-1].at + 120 * DAY)
    for at in instants(history, runner.events):
        assert announced(runner.events, at) == colour_of(history, at), f"{(at - START) / DAY} days after the start"


@given(histories(), st.integers(1, 3), st.integers(2, 3), st.integers(1, 3))
@examples(400)
def test_nobody_turns_green_because_something_was_forgotten(
    history: list[Arrival], evidence: int, negatives: int, corrections: int
) -> None:
    memory = msgspec.structs.replace(POLICY.memory, evidence=evidence, negatives=negatives, corrections=corrections)
    runner = run(history, msgspec.structs.replace(POLICY, memory=memory))
    runner.advance(history[-1].at + 120 * DAY)
    for at in instants(history, runner.events):
        assert announced(runner.events, at) >= greenest(history, at), f"{(at - START) / DAY} days after the start"


@given(st.tuples(*(histories(person, 12) for person in PEOPLE)))
@examples(150)
def test_interleaving_different_people_changes_nothing(several: tuple[list[Arrival], ...]) -> None:
    together = run(sorted((a for history in several for a in history), key=lambda a: a.at))
    end = max(a.at for history in several for a in history) + 120 * DAY
    together.advance(end)
    for person, history in zip(PEOPLE, several, strict=True):
        alone = run(history)
        alone.advance(end)
        assert [e for e in together.events if e.key == person] == alone.events
        assert together.state(person) == alone.state(person)


@given(histories())
@examples(100)
def test_replaying_gives_the_same_events_with_the_same_ids(history: list[Arrival]) -> None:
    assert run(history).events == run(history).events


@given(histories(), st.data())
@examples(100)
def test_a_restart_anywhere_changes_nothing(history: list[Arrival], data: st.DataObject) -> None:
    """All that counts is in the state: a new process that takes it over goes on as the old one would have."""
    cut = data.draw(st.integers(0, len(history)))
    runner = run(history[:cut])
    runner.flow = health_code.make(ROOMY)
    for at, event in history[cut:]:
        runner.send(event, at)
    assert runner.events == run(history).events


@given(histories())
@examples(200)
def test_no_event_id_is_used_twice(history: list[Arrival]) -> None:
    runner = run(history)
    runner.advance(history[-1].at + 120 * DAY)
    ids = [e.value["event_id"] for e in runner.events]
    assert len(ids) == len(set(ids))


@given(histories())
@examples(200)
def test_each_change_starts_from_the_colour_of_the_one_before(history: list[Arrival]) -> None:
    events = run(history).events
    colours = ["GREEN", *(e.value["colour"] for e in events)]
    assert [e.value["previous"] for e in events] == colours[:-1]
    assert all(before != after for before, after in pairwise(colours))


@given(histories())
@examples(200)
def test_when_all_is_over_nothing_is_held_and_the_last_colour_is_green(history: list[Arrival]) -> None:
    """Two negatives, late enough, release what is left; then everything is over within the memory's time."""
    runner = run(history)
    person, last = history[0].event.key, history[-1].at
    for i, day in enumerate((60, 62)):
        value = {"event_id": f"last-{i}", "occurred_at": last + day * DAY, "result": "NEGATIVE", "division": "12"}
        runner.send(Event("health.test.result", person, value), last + day * DAY)
    runner.advance(last + 200 * DAY)
    assert runner.keys() == []
    assert not runner.events or runner.events[-1].value["colour"] == "GREEN"


@given(histories())
@examples(150)
def test_valid_until_is_kept_when_nothing_else_arrives(history: list[Arrival]) -> None:
    runner = MemoryRunner(FLOW)
    for at, event in history:
        emitted = runner.send(event, at).events
    if emitted and emitted[0].value["colour"] != "GREEN":
        before = len(runner.events)
        runner.advance(runner.now + 400 * DAY)
        kept = runner.events[before].value["occurred_at"] if len(runner.events) > before else None
        assert emitted[0].value["valid_until"] == kept
