"""When an alert's clock was stopped: what came first counts, if it came well before the deadline."""

import pytest

from streams.demo.receipts import Receipts

NOW = 1_795_000_000_000
DUE = NOW + 10_000


class Clock:
    """Seconds since 1970, when told."""

    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> float:
        return self.ms / 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receipts(clock: Clock) -> Receipts:
    """Somebody was told, and will look."""
    receipts = Receipts(clock)
    receipts.will_look("a", "seen", DUE)
    return receipts


def read(receipts: Receipts, event_id: str = "seen") -> None:
    receipts.read({"event_id": event_id, "alert_id": "a"})


@pytest.mark.parametrize(("at", "late"), [(DUE - 4_000, set()), (DUE - 3_999, {"a"})])
def test_a_seen_stops_the_clock_when_the_bus_has_it(receipts: Receipts, clock: Clock, at: int, late: set[str]) -> None:
    clock.ms = at
    read(receipts)
    assert receipts.late() == late


def test_an_alert_that_is_never_stopped_is_late(receipts: Receipts) -> None:
    read(receipts, "received")
    assert receipts.late() == {"a"}


def test_a_retraction_stops_it_too_and_after_a_seen_it_does_not_matter_when(receipts: Receipts, clock: Clock) -> None:
    clock.ms = NOW + 2_000
    read(receipts)
    clock.ms = DUE + 9_000
    receipts.stopped("a")
    assert receipts.late() == set()


def test_what_the_next_one_says_does_not_make_up_for_the_first(receipts: Receipts, clock: Clock) -> None:
    read(receipts, "seen by the next")
    clock.ms = DUE
    read(receipts)
    assert receipts.late() == {"a"}


def test_an_acknowledged_receipt_that_did_not_come_through_intake_is_lost(receipts: Receipts) -> None:
    receipts.taken("seen")
    assert receipts.lost() == 1
    read(receipts)
    read(receipts)
    assert (receipts.lost(), receipts.written["seen"]) == (0, 2)
