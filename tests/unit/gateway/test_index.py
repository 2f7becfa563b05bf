"""The index knows who has which alerts open, and from where on it can replay."""

from connectors.gateway.index import Index
from tests.unit.gateway.in_memory import alert_at


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


def test_an_alert_that_moves_is_told_to_both_and_open_only_with_the_new_addressee() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0)], (1,))
    touched = index.apply([alert_at(0, 1, state="HANDED_OVER", addressee="desk-12")], (2,))
    old, new = index.inbox("gw-000001"), index.inbox("desk-12")
    assert touched == {old, new}
    assert not old.open
    assert list(new.open) == ["a1"]
    assert [alert.offset for alert in old.events] == [0, 1]


def test_a_retraction_addressed_to_the_first_also_reaches_who_has_the_alert_now() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="ESCALATED", addressee="desk-12")], (2,))
    touched = index.apply([alert_at(0, 2, state="RETRACTED")], (3,))
    assert touched == {index.inbox("gw-000001"), index.inbox("desk-12")}
    assert not index.inbox("desk-12").open


def test_after_the_end_of_an_alert_a_late_step_opens_nothing() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="RETRACTED")], (2,))
    assert index.apply([alert_at(0, 2, state="ESCALATED", addressee="desk-12")], (3,)) == set()
    assert index.open_alerts == 0


def test_a_tombstone_forgets_the_alert_and_tells_nobody() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0)], (1,))
    assert index.apply([alert_at(0, 1, state="", addressee="")._replace(frame=b"")], (2,)) == set()
    assert index.open_alerts == 0
    assert not index.inbox("gw-000001").open


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


def test_an_addressee_with_nothing_left_costs_nothing() -> None:
    index = Index((0,))
    index.apply([alert_at(0, 0), alert_at(0, 1, state="RETRACTED")], (2,))
    before = index.inbox("gw-000001")
    index.mark(0)
    index.forget(before=1)
    assert index.inbox("gw-000001") is not before
