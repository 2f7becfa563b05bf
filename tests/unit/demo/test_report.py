"""The books: they balance only when everything expected came, once, and everything published is accounted for; and who
raced a deadline may have lost or won, but not more than that."""

import hashlib
from typing import Any

import pytest

from streams.demo import report
from streams.demo.ledger import ALERT_VIEW, CHANGE_VIEW, Ledger
from streams.demo.oracle import Oracle
from streams.demo.people import Course, People

NOW = 1_795_000_000_000
KEYS = {
    *("published", "accepted", "rejected", "receipts", "flows", "views", "changes_expected", "changes"),
    *("alerts_expected", "alerts_received", "escalated_expected", "escalated", "closed_expected", "closed", "raced"),
    *("missing", "duplicates", "p50_ms", "p99_ms", "max_ms", "seen_median_s", "acted_median_s", "kills"),
}
EVIDENCE = {"event_id": "e1", "person_id": "p1", "occurred_at": NOW, "degree": "CLOSE", "division": "120101001001"}
SPOILT = b"\0\0\0\0\1spoilt"
CELL = "12010100100101"


def flow(name: str, read: int, delivered: int, **more: dict[str, int]) -> dict[str, Any]:
    return {"flow": name, "read": read, "delivered": delivered, "filtered": {}, "rejected": {}, "fired": 0} | more


def audit(ledger: Ledger, chain: str, *flows: dict[str, Any], alerts: int = 0, changes: int = 0) -> None:
    """One transaction."""
    delivered = {ALERT_VIEW: alerts, CHANGE_VIEW: changes}
    views = [{"view": name, "delivered": count, "withheld": {}} for name, count in delivered.items()]
    ledger.audit({"chain": chain, "flows": flows, "views": views})


@pytest.fixture
def people() -> People:
    """Who looks at everything, and acts."""
    return People({}, 0, 10_000, 240_000)


@pytest.fixture
def ledger(people: People) -> Ledger:
    """One contact and one spoilt input, published and worked off; the alert that came of it was acted on, and the bus
    has said so. Nothing has been received yet."""
    oracle = Oracle({"p1": CELL}.get, {CELL: "gw-000001"}.get, {CELL: "gw-000002"}.get)
    ledger = Ledger(oracle, frozenset({"p1"}), people, lambda: NOW / 1000 + 6)
    ledger.sent("health.contact.identified", EVIDENCE, NOW, measured=True)
    ledger.sent_spoilt("truncated", SPOILT)
    audit(ledger, "intake", flow("intake", 4, 3, rejected={"truncated": 1}))
    audit(ledger, "person", flow("health-code", 1, 1), flow("grid-alert", 1, 1), alerts=1, changes=1)
    audit(ledger, "alert", flow("alert-duty", 5, 3, filtered={"own": 2}), alerts=2)
    headers = {"step": b"decode", "reason": b"truncated", "flow": b"intake"}
    ledger.dead_letter(
        SPOILT, headers | {"topic": b"in.cdc.health.contact.identified", "partition": b"0", "offset": b"1"}
    )
    for kind in ("SEEN", "ACTED"):
        answer(ledger, kind)
    for value in (alert(ledger), seen(ledger), closed(ledger)):
        ledger.alert_written(value)
    return ledger


def answer(ledger: Ledger, kind: str) -> None:
    """A receipt, by `kind`; until NOW + 10 s somebody had to look."""
    if kind == "SEEN":
        ledger.receipts.will_look(alert(ledger)["alert_id"], kind, NOW + 10_000)
    ledger.receipts.taken(kind)
    ledger.receipt_written({"event_id": kind, "alert_id": alert(ledger)["alert_id"]})


def written(ledger: Ledger, value: dict[str, Any]) -> None:
    ledger.alert_written(value, 3, 0)


def received(ledger: Ledger, *values: dict[str, Any], by: str = "gw-000001") -> None:
    for value in values:
        ledger.alert(by, value, 0.0)


def all_received(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    received(ledger, alert(ledger), seen(ledger), closed(ledger))


def change(ledger: Ledger) -> dict[str, Any]:
    (expected,) = ledger.oracle.changes.values()
    return expected._asdict()


def alert(ledger: Ledger) -> dict[str, Any]:
    (expected,) = ledger.oracle.alerts.values()
    return expected._asdict() | {"told": [told("gw-000001")], "due_at": NOW + 10_000}


def told(addressee: str, seen_at: int | None = None, acted_at: int | None = None) -> dict[str, Any]:
    return {"addressee": addressee, "seen_at": seen_at, "acted_at": acted_at}


def step(ledger: Ledger, state: str, cause: str, **more: Any) -> dict[str, Any]:
    """An event of the chain `alert`."""
    fields = {"event_id": state, "state": state, "cause": cause, "addressee_level": "GRID_WORKER", "opened_at": NOW}
    return alert(ledger) | fields | more


def seen(ledger: Ledger) -> dict[str, Any]:
    return step(ledger, "SEEN", "SEEN", told=[told("gw-000001", NOW + 2_000)])


def closed(ledger: Ledger, event_id: str = "CLOSED") -> dict[str, Any]:
    entries = [told("gw-000001", NOW + 2_000, NOW + 5_000)]
    return step(ledger, "CLOSED", "ACTED", event_id=event_id, told=entries, due_at=None)


def escalated(ledger: Ledger, level: str = "BACKUP", who: str = "gw-000002") -> dict[str, Any]:
    more = {"event_id": level, "addressee": who, "addressee_level": level}
    return step(ledger, "ESCALATED", "UNSEEN", told=[told("gw-000001"), told(who)], **more)


def wrong(ledger: Ledger) -> list[str]:
    return [line.name for line in report.make(ledger, 0).lines if not line.holds]


def test_the_books_balance_when_everything_came_once(ledger: Ledger) -> None:
    all_received(ledger)
    books = report.make(ledger, kills=3)
    assert books.balanced, wrong(ledger)
    assert set(books.data) == KEYS
    assert (books.data["published"], books.data["accepted"], books.data["rejected"]) == (2, 1, 1)
    assert (books.data["missing"], books.data["duplicates"], books.data["kills"]) == (0, 0, 3)
    assert (books.data["receipts"], books.data["closed_expected"], books.data["closed"]) == (2, 1, 1)
    assert (books.data["seen_median_s"], books.data["acted_median_s"]) == (2.0, 5.0)
    assert ledger.outstanding() == 0


def test_an_alert_that_did_not_arrive_is_missing(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    received(ledger, seen(ledger), closed(ledger))
    assert ledger.outstanding() == 1
    assert report.make(ledger, 0).data["missing"] == 1
    assert "alerts RAISED, expected = received" in wrong(ledger)


def test_an_event_that_reaches_somebody_twice_is_a_duplicate(ledger: Ledger) -> None:
    all_received(ledger)
    received(ledger, alert(ledger))
    received(ledger, closed(ledger))
    assert wrong(ledger) == ["received or seen twice"]
    assert report.make(ledger, 0).data["duplicates"] == 2


def test_an_alert_at_the_wrong_door_is_missing_and_unexpected(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    received(ledger, alert(ledger), by="gw-000002")
    received(ledger, seen(ledger), closed(ledger))
    assert wrong(ledger) == ["alerts, expected and not received so", "alerts, received and not expected so"]


def test_an_alert_that_nobody_closes_is_outstanding(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    received(ledger, alert(ledger), seen(ledger))
    assert ledger.outstanding() == 1
    assert wrong(ledger) == [
        "alerts CLOSED, expected = received",
        "alerts closed twice, or not as expected",
        "steps that somebody who was told did not receive",
    ]


def test_an_alert_that_is_closed_twice_does_not_balance(ledger: Ledger) -> None:
    all_received(ledger)
    again = closed(ledger, "CLOSED once more")
    ledger.alert_written(again)
    received(ledger, again)
    audit(ledger, "alert", flow("alert-duty", 1, 0, filtered={"own": 1}), alerts=1)
    assert wrong(ledger) == ["alerts CLOSED, expected = received", "alerts closed twice, or not as expected"]


def test_an_escalation_that_nobody_expects_does_not_balance(ledger: Ledger) -> None:
    all_received(ledger)
    escalate(ledger, escalated(ledger))
    assert wrong(ledger) == ["alerts ESCALATED, expected = received", "escalations, received and not expected so"]


def test_an_alert_that_was_seen_too_close_to_the_deadline_may_have_escalated_or_not(ledger: Ledger) -> None:
    all_received(ledger)
    ledger.receipts.will_look(alert(ledger)["alert_id"], "SEEN", NOW + 9_999)
    assert not wrong(ledger)
    escalate(ledger, escalated(ledger))
    assert not wrong(ledger)
    books = report.make(ledger, 0).data
    assert (books["raced"], books["escalated_expected"]) == (1, 1)


def test_even_then_no_level_that_has_somebody_is_left_out(ledger: Ledger) -> None:
    all_received(ledger)
    ledger.receipts.will_look(alert(ledger)["alert_id"], "SEEN", NOW + 9_999)
    escalate(ledger, escalated(ledger, "CITY", "desk-12"))
    assert "escalations, received and not expected so" in wrong(ledger)


def test_nor_does_it_climb_less_far_than_it_was_ignored(ledger: Ledger, people: People) -> None:
    people.courses = {alert(ledger)["alert_id"]: Course(ignored=1)}
    all_received(ledger)
    ledger.receipts.will_look(alert(ledger)["alert_id"], "SEEN", NOW + 9_999)
    assert "escalations, expected and not received so" in wrong(ledger)
    escalate(ledger, escalated(ledger))
    assert not wrong(ledger)


def escalate(ledger: Ledger, event: dict[str, Any]) -> None:
    """The bus escalates, and both who were told learn of it."""
    ledger.alert_written(event)
    for entry in event["told"]:
        received(ledger, event, by=entry["addressee"])
    audit(ledger, "alert", flow("alert-duty", 1, 0, filtered={"own": 1}), alerts=1)


def test_a_step_that_reaches_only_some_of_those_who_were_told_does_not_balance(ledger: Ledger) -> None:
    all_received(ledger)
    event = escalated(ledger)
    ledger.alert_written(event)
    received(ledger, event, by="gw-000002")
    audit(ledger, "alert", flow("alert-duty", 1, 0, filtered={"own": 1}), alerts=1)
    assert "steps that somebody who was told did not receive" in wrong(ledger)


def test_a_step_that_a_retraction_overtook_need_reach_nobody_but_its_end_must(ledger: Ledger, people: People) -> None:
    people.courses = {alert(ledger)["alert_id"]: Course(fleeting=True)}
    ledger.change(change(ledger))
    received(ledger, alert(ledger))
    assert "steps that somebody who was told did not receive" in wrong(ledger)
    received(ledger, closed(ledger))
    assert wrong(ledger) == []


def test_a_receipt_that_was_acknowledged_and_is_lost_does_not_balance(ledger: Ledger) -> None:
    all_received(ledger)
    ledger.receipts.taken("RECEIVED")
    assert ledger.outstanding() == 1
    assert wrong(ledger) == ["receipts, acknowledged = through intake"]


def test_a_receipt_that_was_sent_again_may_come_twice(ledger: Ledger) -> None:
    all_received(ledger)
    ledger.receipt_written({"event_id": "SEEN", "alert_id": alert(ledger)["alert_id"]})
    audit(ledger, "intake", flow("intake", 1, 1))
    audit(ledger, "alert", flow("alert-duty", 1, 0, filtered={"no-change": 1}))
    assert not wrong(ledger)


def test_a_change_with_another_colour_is_not_the_expected_one(ledger: Ledger) -> None:
    ledger.change(change(ledger) | {"colour": "ORANGE"})
    received(ledger, alert(ledger), seen(ledger), closed(ledger))
    assert wrong(ledger) == ["colour changes, expected and not seen so", "colour changes, seen and not expected so"]


def test_a_dead_letter_with_another_reason_than_the_fault_does_not_count(ledger: Ledger) -> None:
    all_received(ledger)
    ledger.dead["truncated"] = 0
    ledger.dead_letter(SPOILT, {"step": b"validate", "reason": b"publisher"})
    assert wrong(ledger) == [
        "spoilt inputs = dead letters that say why and whence",
        "dead letters that nobody expected",
    ]


def test_what_an_earlier_run_left_behind_is_left_out(ledger: Ledger) -> None:
    all_received(ledger)
    late = {"event_id": "old", "person_id": "p0", "colour": "GREEN", "previous": "RED", "cause": "EXPIRY"}
    assert ledger.change(late) is None
    old = {"event_id": "old-alert", "alert_id": "old", "change_id": "old", "state": "RETRACTED", "told": []}
    older = {"event_id": "old-step", "alert_id": "older", "state": "ESCALATED", "addressee_level": "CITY"}
    received(ledger, alert(ledger) | old, by="gw-000009")
    received(ledger, closed(ledger) | older, by="desk-12")
    for event in (alert(ledger) | old, closed(ledger) | older):
        ledger.alert_written(event)
    audit(ledger, "person", flow("grid-alert", 1, 1), alerts=1, changes=1)
    audit(ledger, "alert", flow("alert-duty", 2, 0, filtered={"own": 2}), alerts=1)
    assert not wrong(ledger)
    assert report.make(ledger, 0).data["escalated"] == 0


def test_a_flow_that_lost_an_input_does_not_balance(ledger: Ledger) -> None:
    all_received(ledger)
    audit(ledger, "person", flow("health-code", 1, 0))
    assert "health-code: read = delivered + filtered + rejected" in wrong(ledger)


def test_a_large_input_is_known_by_its_size(ledger: Ledger) -> None:
    large = b"x" * (2 << 20)
    ledger.sent_spoilt("2-mb", large)
    origin = {"flow": b"intake", "topic": b"in.wjw.health.test.result", "partition": b"0", "offset": b"7"}
    ledger.dead_letter(None, origin | {"step": b"decode", "reason": b"too-large", "size": str(len(large)).encode()})
    assert ledger.dead == {"truncated": 1, "2-mb": 1}
    assert hashlib.sha256(large).digest() not in ledger.dead


def test_percentiles_are_values_that_occurred() -> None:
    assert report.percentiles([float(n) for n in range(1, 101)]) == (51.0, 100.0, 100.0)
    assert report.percentiles([]) == (None, None, None)
