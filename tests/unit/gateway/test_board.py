"""The board counts what there is, whenever one looks and however it came to know it."""

from collections.abc import Iterable
from random import Random
from statistics import median_low
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.gateway.alert import Alert
from connectors.gateway.board import Board
from connectors.gateway.tally import Counts, Durations, rounded
from streams.contract.division import Divisions
from tests.unit.gateway.lives import HOUR, NIGHT, compacted, decoded, interleaved, lives, offsets_from

NAMES = {
    "12": "天津市",
    "120101": "和平区",
    "120102": "河东区",
    "120101001": "劝业场街道",
    "120101001001": "甲社区",
    "120101001002": "乙社区",
}
CITY = Divisions(NAMES, frozenset(), ("120101", "120102"), ("120101001",), ("120101001001", "120101001002"))
PLACES = ("120101001001", "120101001002", "120101", "120102", "12", "120101999", "999999999999", None)
DAY = 24 * HOUR


class Clock:
    """A clock that stands where it is put, in ms."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now / 1000


def board_at(now: int, alerts: Iterable[Alert] = ()) -> tuple[Board, Clock]:
    clock = Clock(now)
    board = Board(CITY, clock)
    board.apply(alerts)
    return board, clock


def naive(events: list[dict[str, Any]], code: str, now: int) -> Counts:
    """The counts of a division, from every alert's whole history, by definition."""
    midnight = now - (now - NIGHT) % DAY
    open_, ended, seen, acted = [], [], [], []
    for id in {event["alert_id"] for event in events}:
        mine = [event for event in events if event["alert_id"] == id]
        place = mine[0]["division"] if mine[0]["division"] in NAMES else "12"
        if not place.startswith(code):
            continue
        closed = [event for event in mine if event["state"] == "CLOSED"]
        retracted = [event for event in mine if event["state"] == "RETRACTED"]
        end = (closed or retracted or [None])[-1]
        if end is None:
            open_.append(mine[-1])
        elif end["at"] >= midnight:
            ended.append(end)
        if mine[0]["opened_at"] < midnight:
            continue
        # A retraction says nothing of what was answered before it.
        before = mine[: mine.index(retracted[0])] if retracted and not closed else mine
        told = closed[-1]["told"] if closed else before[-1]["told"]
        for what, found in (("seen_at", seen), ("acted_at", acted)):
            times = [step[what] for step in told if step[what] is not None]
            found += [rounded((min(times) - mine[0]["opened_at"]) // 1000)] if times else []
    missed = {"UNSEEN", "NOT_ACTED"}
    return {
        "open": len(open_),
        "unseen": sum(event["told"][-1]["seen_at"] is None for event in open_),
        "overdue": sum(e["due_at"] < now or any(step["cause"] in missed for step in e["told"]) for e in open_),
        "closed": sum(event["cause"] == "ACTED" for event in ended),
        "retracted": sum(event["cause"] != "ACTED" for event in ended),
        "red": sum(event["colour"] == "RED" for event in open_),
        "orange": sum(event["colour"] == "ORANGE" for event in open_),
        "seen_median_s": median_low(seen) if seen else None,
        "acted_median_s": median_low(acted) if acted else None,
    }


def all_counts(board: Board) -> dict[str, Counts]:
    return {code: board.tally(code).counts() for code in CITY.names}


@given(events=lives(PLACES), lag=st.sampled_from((0, HOUR // 12)), waits=st.lists(st.integers(0, HOUR), max_size=3))
def test_event_by_event_it_counts_what_the_whole_history_says(
    events: list[dict[str, Any]], lag: int, waits: list[int]
) -> None:
    """In every division, after every event, and as time passes without any; also when the board's clock is behind."""
    board, clock = board_at(events[0]["at"] - lag)
    for number, alert in enumerate(decoded(events), 1):
        clock.now = alert.timestamp - lag
        board.apply([alert])
        assert all_counts(board) == {code: naive(events[:number], code, clock.now) for code in CITY.names}
    for wait in (*waits, DAY):
        clock.now += wait
        board.advance()
        assert all_counts(board) == {code: naive(events, code, clock.now) for code in CITY.names}


@given(events=lives(PLACES), upto=st.integers(1, 40), later=st.integers(0, 2 * HOUR), random=st.randoms())
def test_after_a_restart_it_counts_as_before(
    events: list[dict[str, Any]], upto: int, later: int, random: Random
) -> None:
    """From the compacted log, whose last day is whole; then both go on alike."""
    some, rest = events[:upto], events[upto:]
    alerts = decoded(events)
    clock = Clock(some[-1]["at"] + later)
    live = Board(CITY, clock)
    live.apply(alerts[:upto])
    left = compacted(alerts[:upto], offsets_from(alerts[:upto], clock.now - DAY))
    rebuilt = Board(CITY, clock)
    rebuilt.apply(interleaved(left, random))
    assert all_counts(rebuilt) == all_counts(live) == {code: naive(some, code, clock.now) for code in CITY.names}
    for event, alert in zip(rest, alerts[upto:], strict=True):
        clock.now = max(clock.now, event["at"])
        live.apply([alert])
        rebuilt.apply([alert])
        assert all_counts(rebuilt) == all_counts(live)


@given(st.lists(st.tuples(st.integers(0, 100_000), st.booleans()), max_size=50))
def test_a_median_is_the_middle_of_what_was_added_and_not_taken_off(some: list[tuple[int, bool]]) -> None:
    durations = Durations()
    for seconds, _ in some:
        durations.add(seconds, 1)
    for seconds, off in some:
        if off:
            durations.add(seconds, -1)
    left = [rounded(seconds) for seconds, off in some if not off]
    assert durations.median() == (median_low(left) if left else None)


@pytest.mark.parametrize(
    ("seconds", "kept"), [(0, 0), (119, 119), (599, 595), (659, 600), (7199, 7140), (7799, 7200), (1_000_000, 86_400)]
)
def test_a_duration_is_kept_as_precisely_as_a_person_wants_to_know_it(seconds: int, kept: int) -> None:
    assert rounded(seconds) == kept


def raised(number: int, due_at: int | None, division: str | None = "120101001001", **change: Any) -> dict[str, Any]:
    told = [{"addressee": "gw-000001", "cause": "COLOUR", "seen_at": None, "acted_at": None, "relieved_at": None}]
    return {
        "alert_id": f"a{number}", "at": NIGHT, "state": "RAISED", "colour": "RED", "division": division,
        "addressee": "gw-000001", "addressee_level": "GRID_WORKER", "opened_at": NIGHT, "due_at": due_at, "told": told,
        **change,
    }  # fmt: skip


def test_an_alert_is_overdue_when_its_time_has_passed_without_any_event() -> None:
    board, clock = board_at(NIGHT, decoded([raised(0, NIGHT + 1000)]))
    for now, overdue in ((NIGHT + 1000, 0), (NIGHT + 1001, 1)):
        clock.now = now
        board.advance()
        assert [board.tally(code).overdue for code in CITY.above("120101001001")] == [overdue] * 4


def test_a_new_deadline_takes_the_place_of_the_former() -> None:
    board, clock = board_at(NIGHT, decoded([raised(0, NIGHT + 1000), raised(0, NIGHT + 9000, state="SEEN")]))
    clock.now = NIGHT + 5000
    board.advance()
    assert board.tally("12").overdue == 0


def test_a_step_that_was_under_way_over_midnight_opens_nothing() -> None:
    """The alert was retracted yesterday; its closing comes today, and counts today."""
    over = raised(0, None, state="RETRACTED", at=NIGHT - 1, told=[])
    board, clock = board_at(NIGHT - 1, decoded([raised(0, NIGHT + 1000), over]))
    assert board.tally("12").retracted == 1
    clock.now = NIGHT
    board.apply(decoded([raised(0, NIGHT + 1000, state="ESCALATED")]))
    assert (board.tally("12").open, board.tally("12").retracted) == (0, 0)
    board.apply(decoded([raised(0, None, state="CLOSED", cause="RETRACTED")]))
    assert (board.tally("12").open, board.tally("12").retracted) == (0, 1)


def test_what_a_clock_ahead_of_the_boards_has_counted_in_the_new_day_stays_counted_in_it() -> None:
    """Also when midnight has come, and until the alert is forgotten; what ended before it is of yesterday."""
    answered = [{"cause": "COLOUR", "seen_at": NIGHT + 8000, "acted_at": NIGHT + 9000, "relieved_at": None}]
    answered[0]["addressee"] = "gw-000001"
    end: dict[str, Any] = {"state": "CLOSED", "cause": "ACTED", "told": answered}
    some = [raised(0, None, at=NIGHT + 9000, **end), raised(1, None, at=NIGHT - 1000, opened_at=NIGHT - 2000, **end)]
    board, clock = board_at(NIGHT - 500, decoded(some))
    assert board.tally("12").closed == 2
    for days in (0, 1):
        clock.now = NIGHT + days * DAY
        board.advance()
        counts = board.tally("120101001001").counts()
        assert (counts["closed"], counts["seen_median_s"]) == ((1, 8), (0, None))[days]
    board, clock = board_at(NIGHT - 500, decoded(some))
    board.apply([Alert(0, 9, NIGHT, "a0", "", "", b"")])
    clock.now = NIGHT
    board.advance()
    assert board.tally("12").closed == 0


def test_what_ended_before_yesterday_is_forgotten_bit_by_bit_and_counts_as_if_it_were_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connectors.gateway.board.SLICE", 2)
    board, clock = board_at(NIGHT, decoded([raised(n, None, state="CLOSED", cause="ACTED") for n in range(5)]))
    left = []
    for clock.now in (NIGHT + DAY, *range(NIGHT + 2 * DAY, NIGHT + 2 * DAY + 4)):
        board.advance()
        left.append(board.remembered)
    assert left == [5, 5, 3, 1, 0]
    board, clock = board_at(NIGHT, decoded([raised(n, None, state="CLOSED", cause="ACTED") for n in range(5)]))
    clock.now = NIGHT + 2 * DAY
    board.apply(decoded([raised(4, None, state="SEEN", at=clock.now)]))
    assert (board.tally("12").open, board.remembered) == (1, 4)


def test_an_alert_of_an_unknown_division_counts_in_the_city_only() -> None:
    board, _ = board_at(NIGHT, decoded([raised(0, None, None), raised(1, None, "999999999999")]))
    assert {code: board.tally(code).open for code in CITY.names} == dict.fromkeys(CITY.names, 0) | {"12": 2}


def test_a_community_lists_its_open_alerts_the_soonest_due_first() -> None:
    some = [raised(0, None), raised(1, NIGHT + 9), raised(2, NIGHT - 9), raised(3, NIGHT, "120101001002")]
    board, _ = board_at(NIGHT, decoded(some))
    listed = board.first_due("120101001001", 200)
    assert [(id, overdue) for id, _, overdue in listed] == [("a2", True), ("a1", False), ("a0", False)]
    assert len(board.first_due("120101001001", 2)) == 2
    assert board.first_due("120101", 200) == []


def test_only_the_divisions_concerned_have_changed() -> None:
    board, clock = board_at(NIGHT, decoded([raised(0, NIGHT + 1000, "120101")]))
    before = {code: board.tally(code).stamp for code in CITY.names}
    clock.now += 2000
    board.advance()
    assert {code for code in CITY.names if board.tally(code).stamp != before[code]} == {"12", "120101"}


def test_a_tombstone_takes_an_alert_off_the_board() -> None:
    board, _ = board_at(NIGHT, decoded([raised(0, None), raised(1, None, state="CLOSED", cause="ACTED")]))
    board.apply([Alert(0, 9, NIGHT, id, "", "", b"") for id in ("a0", "a1", "a2")])
    empty, _ = board_at(NIGHT)
    assert all_counts(board) == all_counts(empty)


def test_a_clock_that_goes_back_takes_nothing_back() -> None:
    board, clock = board_at(NIGHT + 2000, decoded([raised(0, NIGHT + 1000)]))
    clock.now = NIGHT - HOUR
    board.apply(decoded([raised(0, NIGHT + 1000)]))
    assert (board.now, board.tally("12").overdue) == (NIGHT + 2000, 1)
