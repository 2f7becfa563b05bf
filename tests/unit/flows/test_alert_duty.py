"""The duty of an alert: seen and acted in time, or one level up; handed over with the shift; closed once."""

import pytest
from alerts import CELL, HOUR, MINUTE, POLICY, ROSTER, TEN, Story

from streams.flows import alert_duty, duty_policy
from streams.flows.alert import MAX_WAITING
from streams.flows.flow import Outcome

SEEN = ("SEEN", "SEEN", "gw-000001")
UP = [
    ("ESCALATED", "UNSEEN", "gw-000002"),
    ("ESCALATED", "UNSEEN", "desk-120101001001"),
    ("ESCALATED", "UNSEEN", "desk-120101001"),
    ("ESCALATED", "UNSEEN", "desk-120101"),
    ("ESCALATED", "UNSEEN", "desk-12"),
]


def test_an_alert_that_nobody_sees_goes_up_a_level_every_five_minutes_to_the_citys_desk_and_stays_there() -> None:
    story = Story()
    story.raised()
    assert story.until(5 * MINUTE - 1) == []
    assert story.until(5 * MINUTE) == UP[:1]
    assert story.until(25 * MINUTE) == UP
    assert story.until(48 * HOUR) == UP, "nothing is above the city"
    assert [t["level"] for t in story.last["told"]] == [
        "GRID_WORKER", "BACKUP", "COMMUNITY", "STREET", "DISTRICT", "CITY"]  # fmt: skip
    assert [t["told_at"] - TEN for t in story.last["told"]] == [n * 5 * MINUTE for n in range(6)]
    assert [t["cause"] for t in story.last["told"]] == ["COLOUR"] + ["UNSEEN"] * 5


def test_an_alert_that_is_seen_but_not_acted_on_goes_up_two_hours_after_it_was_told() -> None:
    story = Story()
    story.raised()
    story.answered(3 * MINUTE, "SEEN", "gw-000001")
    assert story.last["due_at"] == TEN + 2 * HOUR
    assert story.until(2 * HOUR - 1) == [SEEN]
    assert story.until(2 * HOUR) == [SEEN, ("ESCALATED", "NOT_ACTED", "gw-000002")]
    assert story.last["due_at"] == TEN + 2 * HOUR + 5 * MINUTE, "a new clock for the backup"


@pytest.mark.parametrize("who", ["gw-000001", "gw-000002", "desk-120101001001"])
def test_whoever_was_told_may_act_and_that_closes_it(who: str) -> None:
    story = Story()
    story.raised()
    story.until(10 * MINUTE)
    story.answered(11 * MINUTE, "ACTED", who, "VISITED")
    assert story.told() == [*UP[:2], ("CLOSED", "ACTED", "desk-120101001001")]
    [entry] = [t for t in story.last["told"] if t["addressee"] == who]
    assert (entry["acted_at"], entry["seen_at"], entry["outcome"]) == (TEN + 11 * MINUTE,) * 2 + ("VISITED",)
    assert story.until(30 * 24 * HOUR + 11 * MINUTE - 1) == story.told(), "nothing after closed"
    assert story.runner.keys() == ["a1"]
    story.until(30 * 24 * HOUR + 11 * MINUTE)
    assert story.runner.keys() == [], "in the end it is forgotten"


def test_what_an_event_says_of_the_person_is_what_the_alert_said_and_nothing_to_call_once_closed() -> None:
    story = Story()
    story.raised()
    story.until(5 * MINUTE)
    who = ("person_id", "person_name", "phone", "address", "cell", "division")
    assert [story.last[f] for f in who] == [
        "120101199003070011", "张三丰", "13800001234", "和平区某路1号", CELL, CELL[:12]]  # fmt: skip
    story.answered(6 * MINUTE, "ACTED", "gw-000001", "PHONED")
    assert [story.last[f] for f in ("person_name", "phone", "address", "due_at")] == ["张三丰", None, None, None]


def test_a_retraction_closes_and_names_everybody_who_was_told() -> None:
    story = Story()
    story.raised()
    story.until(5 * MINUTE)
    story.retracted(6 * MINUTE)
    assert story.told()[-1] == ("CLOSED", "RETRACTED", "gw-000002")
    assert [t["addressee"] for t in story.last["told"]] == ["gw-000001", "gw-000002"]
    assert story.until(10 * HOUR) == story.told()


@pytest.mark.parametrize("end", ["acted", "retracted"])
def test_whatever_comes_for_a_closed_alert_is_filtered_as_closed(end: str) -> None:
    story = Story()
    story.raised()
    if end == "acted":
        story.answered(1, "ACTED", "gw-000001", "VISITED")
    else:
        story.retracted(1)
    told = story.told()
    filtered = [
        story.answered(2, "SEEN", "gw-000001").filtered,
        story.answered(3, "ACTED", "gw-000001", "PHONED").filtered,
        story.retracted(4).filtered,
        story.raised(5).filtered,
    ]
    assert (filtered, story.told()) == (["closed"] * 4, told)


def test_the_same_answer_twice_and_on_two_devices_is_one_answer() -> None:
    story = Story()
    story.raised()
    assert story.answered(1, "RECEIVED", "gw-000001").events == ()
    assert story.answered(2, "RECEIVED", "gw-000001").filtered == "no-change"
    story.answered(3, "SEEN", "gw-000001", id="r")
    assert story.answered(4, "SEEN", "gw-000001", id="r").filtered == "no-change"
    assert story.answered(5, "SEEN", "gw-000001", id="other device").filtered == "no-change"
    assert story.told() == [SEEN]
    assert [story.last["told"][0][f] for f in ("received_at", "seen_at")] == [TEN + 1, TEN + 3]


def test_an_answer_by_somebody_who_was_never_told_is_filtered() -> None:
    story = Story()
    story.raised()
    for kind in ("RECEIVED", "SEEN", "ACTED"):
        assert story.answered(1, kind, "gw-000002").filtered == "not-told"
    assert story.told() == []


def test_seen_too_late_is_noted_but_the_next_one_told_must_still_see_it() -> None:
    story = Story()
    story.raised()
    story.until(5 * MINUTE)
    assert story.answered(6 * MINUTE, "SEEN", "gw-000001").events == ()
    assert story.until(10 * MINUTE) == UP[:2]
    assert story.last["told"][0]["seen_at"] == TEN + 6 * MINUTE


def test_the_flows_own_events_come_back_and_are_filtered() -> None:
    story = Story()
    story.raised()
    story.until(5 * MINUTE)
    assert story.own(5 * MINUTE).filtered == "own"
    story.answered(6 * MINUTE, "SEEN", "gw-000002")
    assert story.own(6 * MINUTE).filtered == "own"
    story.retracted(7 * MINUTE)
    assert story.own(7 * MINUTE).filtered == "own"


def test_an_answer_that_comes_before_its_alert_waits_for_it() -> None:
    story = Story()
    assert story.answered(0, "SEEN", "gw-000001") == Outcome(story.runner.state("a1"))
    assert story.answered(1, "ACTED", "gw-000001", "VISITED").filtered is None
    outcome = story.raised(10 * MINUTE - 1)
    assert [(e.value["state"], e.value["cause"]) for e in outcome.events] == [("SEEN", "SEEN"), ("CLOSED", "ACTED")]
    assert len({e.value["event_id"] for e in outcome.events}) == 2
    assert story.answered(10 * MINUTE, "SEEN", "gw-000001").filtered == "closed"


def test_an_answer_that_waits_ten_minutes_in_vain_is_forgotten_and_counted() -> None:
    story = Story()
    story.answered(0, "ACTED", "gw-000001", "VISITED")
    [outcome] = story.runner.advance(TEN + 10 * MINUTE)
    assert outcome == Outcome(None, (), None, ("never-raised",))
    story.raised(11 * MINUTE)
    assert story.told() == [], "it does not close an alert that comes later"


def test_no_more_than_a_few_answers_wait_for_an_alert_that_nobody_knows() -> None:
    story = Story()
    for n in range(MAX_WAITING):
        assert story.answered(n, "SEEN", f"gw-{n:06}").filtered is None
    assert story.answered(20, "SEEN", "gw-000099").filtered == "too-many"
    assert story.answered(21, "SEEN", "gw-000000", id="receipt-1").filtered == "no-change"


def test_answers_that_waited_by_people_who_were_not_told_do_nothing() -> None:
    story = Story()
    story.answered(0, "ACTED", "gw-000009", "VISITED")
    story.raised(1)
    assert story.told() == []


def test_a_retraction_of_an_alert_that_nobody_remembers_is_filtered() -> None:
    assert Story().retracted(0) == Outcome(None, (), "no-alert")


def test_a_retraction_ends_the_waiting_for_an_alert_whose_beginning_is_lost() -> None:
    story = Story()
    story.answered(0, "SEEN", "gw-000001")
    story.retracted(1)
    assert story.answered(2, "SEEN", "gw-000001").filtered == "closed"
    assert story.told() == []


def test_the_same_alert_raised_again_changes_nothing() -> None:
    story = Story()
    story.raised()
    assert story.raised(1).filtered == "duplicate"


def test_an_open_alert_is_handed_over_within_a_minute_when_somebody_else_is_on_duty() -> None:
    story = Story()
    story.raised()
    story.answered(1, "SEEN", "gw-000001")
    story.on_duty(CELL, "gw-000007", "gw-000002")
    assert story.until(MINUTE - 1) == [SEEN]
    assert story.until(MINUTE) == [SEEN, ("HANDED_OVER", "DUTY_CHANGED", "gw-000007")]
    first, second = story.last["told"]
    assert (first["relieved_at"], second["level"], second["relieved_at"]) == (TEN + MINUTE, "GRID_WORKER", None)
    assert story.last["due_at"] == TEN + 6 * MINUTE, "the next on duty has the whole time"
    story.answered(2 * MINUTE, "ACTED", "gw-000001", "VISITED")
    assert story.told()[-1] == ("CLOSED", "ACTED", "gw-000007"), "the one relieved may have done it"


def test_at_the_end_of_a_shift_an_open_alert_looks_at_the_roster_at_once() -> None:
    """Ten in the morning is six hours before the evening shift."""
    story = Story(begins=TEN + 6 * HOUR - 30_000)
    story.raised()
    story.answered(1, "SEEN", "gw-000001")
    story.on_duty(CELL, "gw-000007")
    assert story.until(30_000 - 1) == [SEEN]
    assert story.until(30_000) == [SEEN, ("HANDED_OVER", "DUTY_CHANGED", "gw-000007")]


def test_a_desk_is_handed_over_too_and_nobody_on_duty_is_nobody_to_tell() -> None:
    story = Story()
    story.raised(addressee="desk-120101001", level="STREET", cell=None)
    story.on_duty("120101001", None)
    assert story.until(2 * MINUTE) == []
    story.on_duty("120101001", "desk-120101")
    assert story.until(3 * MINUTE) == [("HANDED_OVER", "DUTY_CHANGED", "desk-120101")]


def test_levels_without_anybody_are_passed_over_and_the_city_always_has_its_desk() -> None:
    story = Story({CELL: ("gw-000001", None), "120101": ("desk-120101", None)})
    story.raised()
    assert story.until(HOUR) == [("ESCALATED", "UNSEEN", "desk-120101"), ("ESCALATED", "UNSEEN", "desk-12")]
    assert story.last["addressee_level"] == "CITY"


def test_a_level_whose_only_one_has_the_alert_already_is_passed_over() -> None:
    story = Story({**ROSTER, CELL: ("gw-000001", "gw-000001")})
    story.raised()
    assert story.until(5 * MINUTE) == [("ESCALATED", "UNSEEN", "desk-120101001001")]


def test_an_alert_that_began_at_a_desk_goes_up_from_there() -> None:
    story = Story()
    story.raised(addressee="desk-120101", level="DISTRICT", cell=None, division="120101")
    assert story.until(HOUR) == [("ESCALATED", "UNSEEN", "desk-12")]


def test_an_orange_code_may_wait_at_night_and_a_red_one_may_not() -> None:
    night = TEN + 13 * HOUR  # eleven at night
    orange, red = Story(begins=night), Story(begins=night)
    orange.raised(colour="ORANGE")
    red.raised(colour="RED")
    assert orange.until(30 * MINUTE - 1) == []
    assert red.until(30 * MINUTE - 1) == UP
    assert orange.until(30 * MINUTE) == UP[:1]
    orange.answered(31 * MINUTE, "SEEN", "gw-000002")
    assert orange.last["due_at"] == night + 30 * MINUTE + 10 * HOUR


def test_after_a_standstill_one_level_is_told_and_has_its_whole_time() -> None:
    """Nobody is passed over for what could not be told, and no event says that somebody was told when nobody was."""
    story = Story()
    story.raised()
    assert story.until(12 * HOUR, standstill=True) == UP[:1]
    assert story.last["told"][-1]["told_at"] == story.last["occurred_at"] == TEN + 12 * HOUR
    assert story.until(12 * HOUR + 5 * MINUTE - 1) == UP[:1]
    assert story.until(12 * HOUR + 5 * MINUTE) == UP[:2]


def test_after_a_standstill_the_roster_is_looked_at_once() -> None:
    story = Story()
    story.raised(addressee="desk-12", level="CITY", cell=None, division="12")
    assert len(story.runner.advance(TEN + 48 * HOUR, standstill=True)) == 2, "a look and the deadline"


def test_a_deadline_that_a_new_policy_has_put_into_the_past_still_counts() -> None:
    story = Story(begins=TEN + 13 * HOUR)
    story.raised(colour="ORANGE")
    story.runner.flow = alert_duty.make(duty_policy.faster(POLICY, 200))  # acted within 3 minutes
    story.answered(16 * MINUTE, "SEEN", "gw-000001")
    assert story.until(20 * MINUTE)[1] == ("ESCALATED", "NOT_ACTED", "gw-000002")


def test_what_is_too_long_to_be_an_address_is_left_out() -> None:
    story = Story()
    story.raised(address="x" * 1_000_000)
    story.until(5 * MINUTE)
    assert (story.last["address"], story.last["phone"]) == (None, "13800001234")
    assert story.runner.size("a1") < 1_000


def test_an_alert_that_reaches_the_bus_late_has_its_whole_time_from_then() -> None:
    story = Story()
    story.runner.advance(TEN + 3 * HOUR)
    story.raised(0)
    assert story.until(3 * HOUR + 5 * MINUTE - 1) == []
    assert story.until(3 * HOUR + 5 * MINUTE) == UP[:1]


@pytest.mark.parametrize(("ago", "noted"), [(HOUR, 0), (-HOUR, 2 * MINUTE), (MINUTE, MINUTE)])
def test_nothing_is_seen_before_it_was_told_or_in_the_future_whatever_a_device_says(ago: int, noted: int) -> None:
    story = Story()
    story.raised()
    story.answered(2 * MINUTE, "SEEN", "gw-000001", ago=ago)
    assert story.last["told"][0]["seen_at"] == TEN + noted


def test_an_outcome_that_is_missing_counts_as_other() -> None:
    story = Story()
    story.raised()
    story.answered(1, "ACTED", "gw-000001")
    assert story.last["told"][0]["outcome"] == "OTHER"


def test_a_roster_that_flaps_does_not_make_an_alert_grow_without_end() -> None:
    story = Story()
    story.raised()
    for n in range(100):
        story.on_duty(CELL, f"gw-{n % 2 + 1:06}")
        story.until((n + 1) * MINUTE)
    assert len(story.last["told"]) <= 32
    assert story.runner.size("a1") < 4_000
    assert [told["level"] for told in story.last["told"]][-2:] == ["DISTRICT", "CITY"], "it goes up all the same"


def test_time_alone_does_nothing_to_an_overdue_alert_but_look_at_the_roster() -> None:
    story = Story()
    story.raised(addressee="desk-12", level="CITY", cell=None, division="12")
    notes = [note for outcome in story.runner.advance(TEN + HOUR) for note in outcome.notes]
    assert notes == ["overdue"], "said once, however often it looks"
    story.on_duty("12", "desk-120101")
    assert story.until(HOUR + MINUTE) == [("HANDED_OVER", "DUTY_CHANGED", "desk-120101")]


def test_the_policys_shifts_say_which_periods_count() -> None:
    hours = {10: "日班", 17: "晚班", 23: "夜班", 3: "夜班"}
    names = {hour: shift.name for hour in hours for shift in POLICY.shifts
             if POLICY.periods("ORANGE", TEN + (hour - 10) * HOUR) is shift.orange}  # fmt: skip
    assert names[23] == names[3] == "夜班"
    assert names[10] != names[17] != names[23]
