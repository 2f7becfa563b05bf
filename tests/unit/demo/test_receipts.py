"""When an alert's clock was stopped: what came first counts, when it was worked off and not when it was said."""

from typing import Any

import pytest

from streams.demo.duties import Duties
from streams.demo.oracle import Oracle, Raised, Rung
from streams.demo.people import People
from streams.demo.receipts import Receipts

NOW = 1_795_000_000_000
DUE = NOW + 10_000
ALERTS, RECEIPTS = "grid.alert.changed", "grid.alert.receipted"


@pytest.fixture
def duties() -> Duties:
    oracle = Oracle({}.get, {}.get, {}.get)
    oracle.raised["a"] = Raised("RED", (Rung("GRID_WORKER", "gw-000001"), Rung("CITY", "desk-12")))
    return Duties(oracle, People({}, 0, 10_000, 240_000))


@pytest.fixture
def receipts(duties: Duties) -> Receipts:
    """Somebody was told in time, and will look."""
    receipts = Receipts(duties, lambda: NOW / 1000)
    receipts.will_look("a", "seen", DUE)
    return receipts


def audit(receipts: Receipts, topic: str, until: int, at: int, partition: int = 3) -> None:
    covered: dict[str, Any] = {"topic": topic, "partition": partition, "from": 0, "until": until}
    receipts.audit({"offsets": [covered], "committed_at": at})


def seen(receipts: Receipts, offset: int = 7) -> None:
    receipts.read({"event_id": "seen", "alert_id": "a"}, 3, offset)


@pytest.mark.parametrize(("at", "raced"), [(DUE - 1_000, False), (DUE, True)])
def test_a_seen_stops_the_clock_when_it_is_worked_off(duties: Duties, receipts: Receipts, at: int, raced: bool) -> None:
    seen(receipts)
    audit(receipts, RECEIPTS, 7, NOW)
    audit(receipts, RECEIPTS, 9, at)
    receipts.judge()
    assert duties.raced("a") == raced


def test_other_partitions_and_topics_say_nothing_about_it(duties: Duties, receipts: Receipts) -> None:
    seen(receipts)
    audit(receipts, RECEIPTS, 8, NOW, partition=4)
    audit(receipts, ALERTS, 8, NOW)
    audit(receipts, RECEIPTS, 8, DUE)
    receipts.judge()
    assert duties.raced("a")


def test_a_retraction_that_was_worked_off_late_lets_an_alert_climb_that_nobody_has_seen(
    duties: Duties, receipts: Receipts
) -> None:
    receipts.retracted("a", 3, 11)
    audit(receipts, ALERTS, 12, DUE)
    receipts.judge()
    assert duties.raced("a")


def test_a_retraction_after_it_was_seen_in_time_does_not(duties: Duties, receipts: Receipts) -> None:
    seen(receipts)
    audit(receipts, RECEIPTS, 8, NOW + 3_000)
    receipts.retracted("a", 3, 11)
    audit(receipts, ALERTS, 12, DUE + 9_000)
    receipts.judge()
    assert not duties.raced("a")


def test_who_is_told_too_close_to_the_deadline_may_be_too_late(duties: Duties) -> None:
    Receipts(duties, lambda: NOW / 1000).will_look("a", "seen", NOW + 3_999)
    assert duties.raced("a")


def test_what_the_next_one_says_does_not_make_up_for_the_first(duties: Duties, receipts: Receipts) -> None:
    seen(receipts)
    receipts.read({"event_id": "seen by the next", "alert_id": "a"}, 3, 6)
    audit(receipts, RECEIPTS, 7, DUE - 2_000)
    audit(receipts, RECEIPTS, 8, DUE + 3_000)
    receipts.judge()
    assert duties.raced("a")


def test_an_acknowledged_receipt_that_did_not_come_through_intake_is_lost(receipts: Receipts) -> None:
    receipts.taken("seen")
    assert receipts.lost() == 1
    seen(receipts)
    seen(receipts, 8)
    assert (receipts.lost(), receipts.written["seen"]) == (0, 2)
