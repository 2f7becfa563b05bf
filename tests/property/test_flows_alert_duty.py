"""What is always true of an alert, however its raising, answers, retraction, rosters and time are interleaved."""

from itertools import pairwise
from typing import Any

from flow_histories import examples
from hypothesis import given
from hypothesis import strategies as st

from streams.flows.duty import LEVELS
from tests.unit.flows.alerts import CELL, HOUR, MINUTE, ROSTER, Story

PEOPLE = ["gw-000001", "gw-000002", "gw-000003", "desk-120101001001", "desk-120101001", "desk-120101", "desk-12"]
GAPS = [0, 1, 59_999, MINUTE, 4 * MINUTE, 5 * MINUTE, 2 * HOUR, 12 * HOUR]

answers = st.tuples(st.just("answer"), st.sampled_from(["RECEIVED", "SEEN", "ACTED"]), st.sampled_from(PEOPLE))
rosters = st.tuples(
    st.just("roster"),
    st.sampled_from([*ROSTER]),
    st.tuples(st.none() | st.sampled_from(PEOPLE), st.none() | st.sampled_from(PEOPLE)),
)
# Acting ends most stories at once: it is drawn seldom.
steps = st.one_of(
    *[answers.filter(lambda a: a[1] != "ACTED")] * 3, answers, rosters, st.just(("own",)), st.just(("pass",))
)
stories = st.tuples(
    st.lists(st.tuples(st.sampled_from(GAPS), steps), max_size=3),
    st.lists(st.tuples(st.sampled_from(GAPS), steps), max_size=25),
    st.sampled_from(["ACTED", "RETRACTED"]),
    st.lists(st.tuples(st.sampled_from(GAPS), steps), max_size=5),
    st.sampled_from([0, 9 * HOUR, 13 * HOUR]),
)


def play(story: Any) -> tuple[Story, list[dict[str, str | None]]]:
    """Answers before the alert is raised, much that may happen, an end, and what comes after it. With each event, the
    roster as it was then: level to who is on duty."""
    before, during, end, after, hour = story
    told = Story(begins=1_760_061_600_000 + hour)
    at, rosters_then = 0, []

    def note() -> None:
        rows = {division: (row["on_duty"], row["backup"]) for division, row in told.roster.items()}
        grid_worker, backup = rows.get(CELL, (None, None))
        then = dict(zip(LEVELS[2:], (rows[code][0] for code in (CELL[:12], CELL[:9], CELL[:6], "12")), strict=True))
        while len(rosters_then) < len(told.runner.events):
            rosters_then.append({"GRID_WORKER": grid_worker, "BACKUP": backup, **then})

    def tell(some: Any) -> None:
        nonlocal at
        for gap, step in some:
            at += gap
            told.until(at)
            note()  # what time did, it did under the roster of before
            if step[0] == "answer":
                told.answered(at, step[1], step[2], "VISITED" if step[1] == "ACTED" else None)
            elif step[0] == "roster":
                told.on_duty(step[1], *step[2])
            elif step[0] == "own" and told.runner.events:
                assert told.own(at).filtered == "own"
            note()

    tell(before)
    told.raised(at)
    note()
    tell(during)
    if end == "ACTED":
        told.answered(at, "ACTED", "gw-000001", "VISITED")
    else:
        told.retracted(at)
    note()
    tell(after)
    told.until(at + 24 * HOUR)
    return told, rosters_then


@given(stories)
@examples(300)
def test_every_interleaving_ends_in_exactly_one_closing_and_nothing_comes_after_it(story: Any) -> None:
    states = [state for state, _, _ in play(story)[0].told()]
    assert states.count("CLOSED") == 1
    assert states[-1] == "CLOSED"


@given(stories)
@examples(300)
def test_escalations_never_go_down_and_pass_over_only_levels_that_have_nobody_else(story: Any) -> None:
    told, rosters_then = play(story)
    for event, roster in zip(told.runner.events, rosters_then, strict=True):
        steps = event.value["told"]
        if event.value["state"] == "ESCALATED":
            former, last = steps[-2:]
            low, high = LEVELS.index(former["level"]), LEVELS.index(last["level"])
            assert low < high
            assert all(roster[level] in (None, former["addressee"]) for level in LEVELS[low + 1 : high])
            assert last["addressee"] == (roster[last["level"]] or "desk-12")
        elif event.value["state"] == "HANDED_OVER":
            former, last = steps[-2:]
            assert former["level"] == last["level"]
            assert former["relieved_at"] == last["told_at"]
            assert last["addressee"] == roster[last["level"]] != former["addressee"]


@given(stories)
@examples(200)
def test_each_event_continues_the_story_of_the_one_before(story: Any) -> None:
    """Nobody who was told is ever left out, no answer is taken back, times only go on."""
    events = [event.value for event in play(story)[0].runner.events]
    for former, later in pairwise(events):
        assert former["occurred_at"] <= later["occurred_at"]
        for before, after in zip(former["told"], later["told"], strict=False):
            assert all(after[name] == value for name, value in before.items() if value is not None)
        assert len(former["told"]) <= len(later["told"])
    for event in events:
        last = event["told"][-1]
        assert (event["addressee"], event["addressee_level"]) == (last["addressee"], last["level"])
        assert (event["due_at"] is None) == (event["state"] == "CLOSED")
    assert len({event["event_id"] for event in events}) == len(events)


@given(stories)
@examples(100)
def test_replaying_gives_the_same_events_with_the_same_ids(story: Any) -> None:
    assert play(story)[0].runner.events == play(story)[0].runner.events
