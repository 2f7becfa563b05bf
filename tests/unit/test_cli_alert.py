"""`haihe alert show`: the story of an alert, put together from what the bus wrote about it."""

from typing import Any

from streams.cli.alert import lines, story
from tests.unit.flows.alerts import MINUTE, TEN, Story

PERSONAL = ("120101199003070011", "张三丰", "13800001234", "和平区某路1号")


def events(told: Story, *others: dict[str, Any]) -> list[dict[str, Any]]:
    return [*others, *(dict(event.value) for event in told.runner.events)]


def raised(told: Story) -> dict[str, Any]:
    """What grid_alert wrote at the beginning."""
    told.raised()
    state = told.runner.state("a1")
    assert state is not None and state.subject is not None
    return {"event_id": "raised", "occurred_at": TEN, "state": "RAISED", "cause": "COLOUR", "alert_id": "a1",
            "colour": "RED", "cell": state.subject.cell, "division": state.subject.division, "addressee": "gw-000001",
            "addressee_level": "GRID_WORKER", "due_at": TEN + 5 * MINUTE, "opened_at": TEN, "told": [],
            **dict(zip(("person_id", "person_name", "phone", "address"), PERSONAL, strict=True))}  # fmt: skip


def test_an_open_alert_says_who_was_told_and_who_must_answer_until_when() -> None:
    told = Story()
    first = raised(told)
    told.answered(MINUTE, "RECEIVED", "gw-000001")
    told.until(5 * MINUTE)
    shown = story("a1", events(told, first), [])
    assert (shown["state"], shown["cause"], shown["addressee"]) == ("ESCALATED", "UNSEEN", "gw-000002")
    assert [t["addressee"] for t in shown["told"]] == ["gw-000001", "gw-000002"]
    text = "\n".join(lines(shown))
    assert "gw-000002 must answer by" in text
    assert "received" in text and "no answer" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_closed_alert_says_what_acting_came_to_and_nothing_is_due() -> None:
    told = Story()
    first = raised(told)
    told.answered(MINUTE, "ACTED", "gw-000001", "VISITED")
    shown = story("a1", events(told, first), [])
    assert (shown["state"], shown["due_at"], shown["told"][0]["outcome"]) == ("CLOSED", None, "VISITED")
    assert "must answer" not in "\n".join(lines(shown))


def test_a_step_already_under_way_after_the_retraction_does_not_open_it_again() -> None:
    told = Story()
    first = raised(told)
    told.until(5 * MINUTE)
    [late] = events(told)
    retracted = first | {"state": "RETRACTED", "occurred_at": TEN + 5 * MINUTE - 1, "told": []}
    assert story("a1", [first, retracted, late], [])["state"] == "RETRACTED"


def test_an_alert_that_was_acted_on_stays_closed_when_days_later_the_colour_is_over() -> None:
    told = Story()
    first = raised(told)
    told.answered(MINUTE, "ACTED", "gw-000001", "VISITED")
    over = first | {"state": "RETRACTED", "cause": "RETRACTED", "occurred_at": TEN + 3 * 24 * 60 * MINUTE, "told": []}
    shown = story("a1", events(told, first, over), [])
    assert (shown["state"], shown["cause"], shown["told"][0]["outcome"]) == ("CLOSED", "ACTED", "VISITED")
    assert next(lines(shown)) == "alert a1: closed (acted), red"


def test_a_retraction_is_not_the_end_of_an_alert_that_its_closing_follows() -> None:
    told = Story()
    first = raised(told)
    over = first | {"state": "RETRACTED", "cause": "RETRACTED", "occurred_at": TEN + MINUTE, "told": []}
    closed = over | {"state": "CLOSED", "occurred_at": TEN + 2 * MINUTE}
    assert story("a1", [first, over], [])["state"] == "RETRACTED"
    assert story("a1", [first, over, closed], [])["state"] == "CLOSED"


def test_an_alert_of_which_only_receipts_are_known_says_so() -> None:
    receipt = {"occurred_at": TEN, "kind": "ACTED", "addressee": "gw-000001", "outcome": "OTHER", "event_id": "r"}
    shown = story("a1", [], [receipt])
    assert shown["state"] == "UNKNOWN"
    text = "\n".join(lines(shown))
    assert "only receipts" in text and "gw-000001 acted: other" in text
