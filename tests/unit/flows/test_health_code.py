"""The health code beyond its table of cases: what a change carries, and how a person's state stays bounded."""

from pathlib import Path

import msgspec
import pytest
from flow_events import (
    HOUR,
    PERSON,
    close,
    corrected,
    ms,
    national,
    negative,
    positive,
    secondary,
    stayed,
)

from streams.flows import health_code, policy
from streams.flows.evidence import PersonState
from streams.flows.flow import Event, Outcome, derived_id
from streams.flows.memory import MemoryRunner

POLICY = policy.load(Path(__file__).parents[3] / "deploy/tianjin/health-code-policy.yaml")
SMALL = msgspec.structs.replace(
    POLICY, memory=msgspec.structs.replace(POLICY.memory, evidence=2, negatives=2, corrections=2)
)


def send(runner: MemoryRunner[PersonState], *events: Event) -> Outcome[PersonState]:
    """Sends each event when it occurred; the outcome of the last."""
    for event in events:
        outcome = runner.send(event, event.value["occurred_at"])
        assert isinstance(outcome, Outcome)
    return outcome


@pytest.fixture
def runner() -> MemoryRunner[PersonState]:
    return MemoryRunner(health_code.make(POLICY))


@pytest.fixture
def small() -> MemoryRunner[PersonState]:
    return MemoryRunner(health_code.make(SMALL))


def test_a_change_carries_everything_a_subscriber_needs(runner: MemoryRunner[PersonState]) -> None:
    [change] = send(runner, close("c", 0, division="120105002")).events
    assert change == Event(
        "health.code.changed",
        PERSON,
        {
            "event_id": derived_id("health-code", "c", 0),
            "occurred_at": ms(0),
            "publisher": "haihe",
            "person_id": PERSON,
            "colour": "RED",
            "previous": "GREEN",
            "cause": "EVIDENCE",
            "evidence_id": "c",
            "corrects": None,
            "division": "120105002",
            "valid_until": ms(14),
        },
    )


def test_a_change_by_correction_names_the_correction_and_what_it_withdrew(runner: MemoryRunner[PersonState]) -> None:
    [change] = send(runner, close("c", 0), corrected("k", 1, "c")).events
    assert (change.value["evidence_id"], change.value["corrects"]) == ("k", "c")


def test_a_change_by_time_has_an_id_from_the_person_and_the_due_time(runner: MemoryRunner[PersonState]) -> None:
    send(runner, close("c", 0))
    [outcome] = runner.advance(ms(20))
    [change] = outcome.events
    assert change.value["event_id"] == derived_id("health-code", f"{PERSON}@{ms(14)}", 0)
    assert change.value["occurred_at"] == ms(14), "when it was due, not when time was noticed to have passed"


def test_a_change_by_time_names_the_division_of_the_evidence_that_is_left(runner: MemoryRunner[PersonState]) -> None:
    send(runner, close("c", 0, division="120105002"), secondary("s", 10, division="120106003"))
    runner.advance(ms(20))
    assert [e.value["division"] for e in runner.events] == ["120105002", "120106003", "120106003"]


def test_valid_until_is_when_the_colour_ends_by_time_alone(runner: MemoryRunner[PersonState]) -> None:
    """Not when the first piece of evidence of that colour ends: another may carry it on; and a release has no date."""
    send(runner, secondary("s", 0), stayed("m", 2, "MEDIUM"), close("c", 3), positive("p", 4))
    send(runner, corrected("k", 5, "p"), corrected("l", 6, "c"))
    assert [(e.value["colour"], e.value["valid_until"]) for e in runner.events] == [
        ("ORANGE", ms(7)),  # all that was known on day 0
        ("RED", ms(17)),
        ("ORANGE", ms(16)),
    ]
    other = MemoryRunner(health_code.make(POLICY))
    assert send(other, positive("p", 0)).events[0].value["valid_until"] is None
    green = send(other, negative("a", 7), negative("b", 8)).events[0].value
    assert (green["colour"], green["valid_until"]) == ("GREEN", None)


def test_a_negative_of_a_person_without_state_leaves_none(runner: MemoryRunner[PersonState]) -> None:
    assert send(runner, negative("n", 0)) == Outcome(None, (), "no-change")
    assert runner.keys() == []


def test_a_timer_that_changes_no_colour_emits_nothing(runner: MemoryRunner[PersonState]) -> None:
    send(runner, close("c", 0), secondary("s", 1), corrected("k", 2, "c"), corrected("l", 3, "s"))
    fired = runner.advance(ms(60))
    assert [o.events for o in fired] == [(), ()], "both corrections are forgotten, each at its time"
    assert fired[-1].state is None


def test_a_flow_never_changes_the_state_it_was_given(runner: MemoryRunner[PersonState]) -> None:
    before = send(runner, positive("p", 0), negative("n", 8)).state
    assert before is not None
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(before), type=PersonState)
    runner.flow.step(before, negative("o", 9), ms(9), {})
    runner.flow.step(before, corrected("k", 9, "p"), ms(9), {})
    assert before == copy


def test_the_state_of_a_typical_person_is_small(runner: MemoryRunner[PersonState]) -> None:
    id = derived_id("test", "id", 0)
    send(runner, close(id, 0))
    assert runner.size(PERSON) < 140


def test_an_event_that_lacks_a_field_is_a_bug_and_not_a_rejection(runner: MemoryRunner[PersonState]) -> None:
    with pytest.raises(KeyError):
        runner.send(Event("health.test.result", PERSON, {"event_id": "p"}), ms(0))


# Beyond the bounds of a person's state nobody turns green.


def test_a_state_never_grows_beyond_its_bounds(small: MemoryRunner[PersonState]) -> None:
    for i in range(300):
        day = i / 10
        send(small, positive(f"p{i}", day), secondary(f"s{i}", day), national(f"x{i}", day, "ORANGE", 200 + i))
        send(small, close(f"c{i}", day), negative(f"n{i}", day), corrected(f"k{i}", day, f"c{i}"))
        send(small, corrected(f"l{i}", day, f"never{i}"))
        state = small.state(PERSON)
        assert state is not None
        assert len([e for e in state.evidence if e.id]) <= 2
        assert len(state.evidence) <= 2 + 6
        assert len(state.negatives) <= 2
        assert len(state.withdrawn) <= 2


def test_evidence_beyond_the_bound_still_ends_by_time_and_is_counted(small: MemoryRunner[PersonState]) -> None:
    outcome = send(small, close("a", 0), close("b", 1), close("c", 2))
    assert outcome.notes == ("memory-full",)
    small.advance(ms(100))
    assert [(e.value["occurred_at"], e.value["colour"]) for e in small.events] == [(ms(0), "RED"), (ms(16), "GREEN")]
    assert small.keys() == []


def test_evidence_beyond_the_bound_lasts_as_long_as_the_longest_of_it(small: MemoryRunner[PersonState]) -> None:
    send(small, close("a", 0), close("b", 1), close("c", 2), close("d", 3))
    send(small, corrected("kc", 4, "c"), corrected("kd", 4, "d"))
    small.advance(ms(100))
    assert [(e.value["occurred_at"], e.value["colour"]) for e in small.events] == [(ms(0), "RED"), (ms(15), "GREEN")]


def test_evidence_beyond_the_bound_can_no_longer_be_withdrawn(small: MemoryRunner[PersonState]) -> None:
    send(small, stayed("a", 0, "HIGH"), secondary("b", 0), secondary("c", 0), secondary("d", 1))
    send(small, *(corrected(f"k{id}", 2, id) for id in "bcd"))
    assert small.events[-1].value["colour"] == "RED"
    send(small, corrected("ka", 3, "a"))
    small.advance(ms(4))
    assert small.events[-1].value["colour"] != "GREEN", "b or c was made nameless and lives on"


def test_positives_beyond_the_bound_are_released_only_when_all_would_be(small: MemoryRunner[PersonState]) -> None:
    send(small, positive("a", 0), positive("b", 5), positive("c", 1), positive("d", 2))
    send(small, negative("m", 9.5), negative("n", 11))
    assert small.state(PERSON).colour == 2  # type: ignore[union-attr]  # b still is not released
    send(small, negative("o", 12), negative("q", 13))
    assert small.events[-1].value["colour"] == "GREEN"


def test_a_release_outlives_the_negatives_that_the_bound_forgets(small: MemoryRunner[PersonState]) -> None:
    send(small, positive("p", 0), negative("a", 7), negative("b", 8), negative("c", 8.1), negative("d", 8.2))
    assert [e.value["colour"] for e in small.events] == ["RED", "GREEN"]


def test_a_correction_of_a_forgotten_negative_brings_the_colour_back(small: MemoryRunner[PersonState]) -> None:
    """Of a, b, c, d only c and d are held, and they are not 24 hours apart: nothing proves the release any more."""
    send(small, positive("p", 0), negative("a", 7), negative("b", 8), negative("c", 8.1), negative("d", 8.2))
    send(small, corrected("k", 8.3, "a"))
    assert [e.value["colour"] for e in small.events] == ["RED", "GREEN", "RED"]


def test_after_a_forgotten_correction_no_negative_counts_until_its_time_is_over(
    small: MemoryRunner[PersonState],
) -> None:
    """One of them might be the negative that the forgotten correction withdrew."""
    outcome = send(small, positive("p", 0), corrected("k", 1, "n"), corrected("l", 2, "x"), corrected("m", 3, "y"))
    assert outcome.notes == ("memory-full",)
    assert send(small, negative("n", 8)).filtered == "memory-full"
    assert send(small, negative("o", 9)).filtered == "memory-full"
    assert send(small, negative("q", 31 - HOUR)).filtered == "memory-full"
    assert send(small, negative("r", 31), negative("s", 32)).events[0].value["colour"] == "GREEN"
