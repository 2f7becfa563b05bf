"""The index knows who has which alerts open, and from where on it can replay."""

import pytest

from connectors.gateway.alert import Alert
from connectors.gateway.index import Index
from tests.unit.gateway.in_memory import alert_at

GW, BACKUP, DESK = "gw-000001", "gw-000002", "desk-12"
BOTH = (GW, BACKUP)


def names(index: Index, people: tuple[str, ...] = (GW, BACKUP, DESK)) -> list[list[int]]:
    """The offsets of the events in each one's inbox."""
    return [[alert.offset for alert in index.inbox(person).events] for person in people]


def holding(index: Index, people: tuple[str, ...] = (GW, BACKUP, DESK)) -> list[bool]:
    """Who of `people` has a1 open."""
    return ["a1" in index.inbox(person).open for person in people]


def test_a_raised_alert_is_open_until_it_is_retracted_or_closed() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0, "a"), alert_at(0, 1, "b")], (2,))
    assert list(index.inbox("gw-000001").open) == ["a", "b"]
    index.apply([alert_at(0, 2, "a", "RETRACTED"), alert_at(0, 3, "b", "CLOSED")], (4,))
    assert not index.inbox("gw-000001").open
    assert index.open_alerts == 0


def test_a_second_raise_keeps_one_open_alert_with_the_newer_event() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1)], (2,))
    assert [alert.offset for alert in index.inbox("gw-000001").open.values()] == [1]
    assert index.open_alerts == 1


def test_a_seen_alert_stays_open_with_the_newer_event() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="SEEN")], (2,))
    assert index.inbox(GW).open["a1"].offset == 1


def test_a_state_that_nobody_here_knows_keeps_the_alert_in_sight() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0, state="PAUSED")], (1,))
    assert holding(index) == [True, False, False]


def test_an_escalated_alert_stays_open_with_those_who_were_told_before() -> None:
    index = Index((0,))
    touched = index.apply([alert_at(0, 0), alert_at(0, 1, state="ESCALATED", addressee=BACKUP, told=BOTH)], (2,))
    assert holding(index) == [True, True, False]
    assert names(index) == [[0, 1], [1], []]
    assert touched == {index.inbox(GW), index.inbox(BACKUP)}
    assert index.inbox(GW).open["a1"] is index.inbox(BACKUP).open["a1"]


def test_an_alert_that_is_handed_over_leaves_whoever_had_it_and_both_are_told() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0)], (1,))
    index.apply([alert_at(0, 1, state="HANDED_OVER", addressee=BACKUP, told=BOTH, holders=(BACKUP,))], (2,))
    assert holding(index) == [False, True, False]
    assert names(index) == [[0, 1], [1], []]


def test_whoever_was_relieved_is_told_of_all_that_follows() -> None:
    index = Index((0,))
    over = {"addressee": BACKUP, "told": BOTH, "holders": (BACKUP,)}
    index.apply([alert_at(0, 0), alert_at(0, 1, state="HANDED_OVER", **over)], (2,))  # type: ignore[arg-type]
    index.apply([alert_at(0, 2, state="SEEN", **over)], (3,))  # type: ignore[arg-type]
    index.apply([alert_at(0, 3, state="CLOSED", addressee=BACKUP, told=BOTH, holders=())], (4,))
    assert names(index) == [[0, 1, 2, 3], [1, 2, 3], []]
    assert holding(index) == [False, False, False]


def test_before_version_2_an_alert_that_moves_is_told_to_both() -> None:
    """Such an event names nobody but its addressee."""
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="ESCALATED", addressee=DESK)], (2,))
    assert holding(index) == [False, False, True]
    assert names(index) == [[0, 1], [], [1]]
    index.apply([alert_at(0, 2, state="RETRACTED", told=())], (3,))
    assert names(index) == [[0, 1, 2], [], [1, 2]]


def test_a_retraction_reaches_all_who_were_told_though_it_names_nobody() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="ESCALATED", addressee=BACKUP, told=BOTH)], (2,))
    index.apply([alert_at(0, 2, state="RETRACTED", told=())], (3,))
    assert names(index) == [[0, 1, 2], [1, 2], []]
    assert holding(index) == [False, False, False]


def test_the_closing_after_a_retraction_still_reaches_all_who_were_told() -> None:
    """Also whoever was told by a step that was under way when the retraction came."""
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="RETRACTED", told=())], (2,))
    index.apply([alert_at(0, 2, state="ESCALATED", addressee=BACKUP, told=BOTH)], (3,))
    index.apply([alert_at(0, 3, state="CLOSED", addressee=BACKUP, told=BOTH, holders=())], (4,))
    assert names(index) == [[0, 1, 3], [3], []]
    assert index.open_alerts == 0


def test_a_retraction_long_after_somebody_acted_reaches_all_who_were_told() -> None:
    index = Index((0,))
    closed = alert_at(0, 1, state="CLOSED", addressee=BACKUP, told=BOTH, holders=())
    index.apply([alert_at(0, 0), closed, alert_at(0, 2, state="RETRACTED", told=())], (3,))
    assert names(index) == [[0, 1, 2], [1, 2], []]


def told(*alerts: Alert, **bounds: int) -> frozenset[str] | None:
    index = Index((0,), **bounds)
    index.apply(alerts, (len(alerts),))
    return index.told("a1")


def test_it_says_who_was_told_of_an_open_alert_and_of_one_that_has_ended() -> None:
    raised, escalated = alert_at(0, 0), alert_at(0, 1, state="ESCALATED", addressee=BACKUP, told=BOTH)
    retracted, closed = alert_at(0, 2, state="RETRACTED", told=()), alert_at(0, 3, state="CLOSED", told=BOTH)
    assert told(raised) == {GW}
    assert told(raised, escalated) == told(raised, escalated, retracted) == told(raised, closed) == {*BOTH}
    assert told(raised, closed, retracted) == {*BOTH}


def test_it_does_not_know_who_was_told_of_an_alert_that_it_never_saw_or_no_longer_remembers() -> None:
    assert told() is None
    assert told(alert_at(0, 0, state="RETRACTED", told=())) is None
    ended = [alert_at(0, n, f"a{n}", "CLOSED") for n in (1, 2, 3)]
    assert told(*ended, max_final=3) == {GW}
    assert told(*ended, max_final=2) is None


def test_after_the_end_of_an_alert_a_late_step_opens_nothing() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="RETRACTED")], (2,))
    assert index.apply([alert_at(0, 2, state="ESCALATED", addressee="desk-12")], (3,)) == set()
    assert index.open_alerts == 0


def test_a_tombstone_forgets_the_alert_and_tells_nobody() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0)], (1,))
    assert index.apply([Alert(0, 1, 0, "a1", "", "", b"")], (2,)) == set()
    assert index.open_alerts == 0
    assert not index.inbox("gw-000001").open


def test_a_tombstone_forgets_also_that_the_alert_had_ended() -> None:
    """As an index does that is built when compaction has left nothing but the tombstone."""
    index = Index((0,))
    index.apply([alert_at(0, 0, state="CLOSED"), Alert(0, 1, 0, "a1", "", "", b"")], (2,))
    assert index.told("a1") is None


def test_what_lies_below_the_floor_counts_as_open_but_cannot_be_replayed() -> None:
    index = Index((5,))
    index.apply([alert_at(0, 4, "a"), alert_at(0, 5, "b")], (6,))
    assert list(index.inbox("gw-000001").open) == ["a", "b"]
    assert [alert.offset for alert in index.inbox("gw-000001").events] == [5]
    assert index.can_resume((5,))
    assert not index.can_resume((4,))


def test_forgetting_raises_the_floor_to_the_last_mark_before_the_window() -> None:
    index = Index((0, 0))
    index.apply([alert_at(0, 0, "a"), alert_at(1, 0, "b")], (1, 1))
    index.mark(10)
    index.apply([alert_at(0, 1, "c")], (2, 1))
    index.mark(20)
    index.forget(before=15)
    inbox = index.inbox("gw-000001")
    assert index.floor == (1, 1)
    assert [alert.alert_id for alert in inbox.events] == ["c"]
    assert (inbox.first, inbox.end) == (2, 3)
    assert list(inbox.open) == ["a", "b", "c"]
    assert not index.can_resume((0, 1))
    assert index.can_resume((1, 1))


def test_more_events_than_allowed_are_forgotten_however_young() -> None:
    index = Index((0,), max_events=2)
    for offset in range(5):
        index.apply([alert_at(0, offset, f"a{offset}")], (offset + 1,))
        index.mark(offset)
    index.forget(before=0)
    assert index.events == 2
    assert index.floor == (3,)


@pytest.mark.parametrize("people", [(GW,), BOTH, (GW, BACKUP, DESK)])
def test_an_event_counts_once_in_however_many_inboxes_it_stands(people: tuple[str, ...]) -> None:
    index = Index((0,), max_events=3)
    for offset in range(5):
        index.apply([alert_at(0, offset, f"a{offset}", told=people)], (offset + 1,))
        index.mark(offset)
    assert index.events == 5
    index.forget(before=0)
    assert index.events == 3
    assert names(index, people) == [[2, 3, 4]] * len(people)


def test_an_addressee_with_nothing_left_costs_nothing() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="RETRACTED")], (2,))
    before = index.inbox("gw-000001")
    index.mark(0)
    index.forget(before=1)
    assert index.inbox("gw-000001") is not before
