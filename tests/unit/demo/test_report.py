"""The books: they balance only when everything expected came, once, and everything published is accounted for."""

import asyncio
import hashlib
from typing import Any

import pytest

from streams.demo import report
from streams.demo.ledger import ALERT_VIEW, CHANGE_VIEW, Ledger
from streams.demo.oracle import Oracle

NOW = 1_795_000_000_000
KEYS = "published accepted rejected flows views changes_expected changes alerts_expected alerts_received missing"
EVIDENCE = {"event_id": "e1", "person_id": "p1", "occurred_at": NOW, "degree": "CLOSE", "division": "120101001001"}
SPOILT = b"\0\0\0\0\1spoilt"


def flow(name: str, read: int, delivered: int, **more: dict[str, int]) -> dict[str, Any]:
    return {"flow": name, "read": read, "delivered": delivered, "filtered": {}, "rejected": {}, "fired": 0} | more


def audit(ledger: Ledger, *flows: dict[str, Any], alerts: int = 1) -> None:
    views = [{"view": name, "delivered": alerts, "withheld": {}} for name in (ALERT_VIEW, CHANGE_VIEW)]
    ledger.audit({"flows": flows, "views": views})


@pytest.fixture
def ledger() -> Ledger:
    """One contact and one spoilt input, published and worked off; nothing has been received yet."""
    ledger = Ledger(Oracle({"p1": "12010100100101"}.get, {"12010100100101": "gw-000001"}.get), frozenset({"p1"}))
    ledger.sent("health.contact.identified", EVIDENCE, NOW, measured=True)
    ledger.sent_spoilt("truncated", SPOILT)
    audit(
        ledger,
        flow("intake", 2, 1, rejected={"truncated": 1}),
        flow("health-code", 1, 1),
        flow("grid-alert", 1, 1),
    )
    headers = {"step": b"decode", "reason": b"truncated", "flow": b"intake"}
    ledger.dead_letter(
        SPOILT, headers | {"topic": b"in.cdc.health.contact.identified", "partition": b"0", "offset": b"1"}
    )
    return ledger


def change(ledger: Ledger) -> dict[str, Any]:
    (expected,) = ledger.oracle.changes.values()
    return expected._asdict()


def alert(ledger: Ledger) -> dict[str, Any]:
    (expected,) = ledger.oracle.alerts.values()
    return expected._asdict()


def wrong(ledger: Ledger) -> list[str]:
    return [line.name for line in report.make(ledger, 0).lines if not line.holds]


def test_the_books_balance_when_everything_came_once(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    ledger.alert("gw-000001", alert(ledger), asyncio.new_event_loop().time())
    books = report.make(ledger, kills=3)
    assert books.balanced, wrong(ledger)
    assert set(books.data) == {*KEYS.split(), "duplicates", "p50_ms", "p99_ms", "max_ms", "kills"}
    assert (books.data["published"], books.data["accepted"], books.data["rejected"]) == (2, 1, 1)
    assert (books.data["missing"], books.data["duplicates"], books.data["kills"]) == (0, 0, 3)


def test_an_alert_that_did_not_arrive_is_missing(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    assert ledger.outstanding() == 1
    assert report.make(ledger, 0).data["missing"] == 1
    assert "alerts RAISED, expected = received" in wrong(ledger)


def test_an_alert_that_arrives_twice_is_a_duplicate(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    for _ in range(2):
        ledger.alert("gw-000001", alert(ledger), 0.0)
    assert wrong(ledger) == ["received or seen twice"]


def test_an_alert_at_the_wrong_door_is_missing_and_unexpected(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    ledger.alert("gw-000002", alert(ledger), 0.0)
    assert wrong(ledger) == ["alerts, expected and not received so", "alerts, received and not expected so"]


def test_a_change_with_another_colour_is_not_the_expected_one(ledger: Ledger) -> None:
    ledger.change(change(ledger) | {"colour": "ORANGE"})
    ledger.alert("gw-000001", alert(ledger), 0.0)
    assert wrong(ledger) == ["colour changes, expected and not seen so", "colour changes, seen and not expected so"]


def test_a_dead_letter_with_another_reason_than_the_fault_does_not_count(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    ledger.alert("gw-000001", alert(ledger), 0.0)
    ledger.dead["truncated"] = 0
    ledger.dead_letter(SPOILT, {"step": b"validate", "reason": b"publisher"})
    assert wrong(ledger) == [
        "spoilt inputs = dead letters that say why and whence",
        "dead letters that nobody expected",
    ]


def test_what_an_earlier_run_left_behind_is_left_out(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    ledger.alert("gw-000001", alert(ledger), 0.0)
    late = {"event_id": "old", "person_id": "p0", "colour": "GREEN", "previous": "RED", "cause": "EXPIRY"}
    assert ledger.change(late) is None
    ledger.alert("gw-000009", alert(ledger) | {"event_id": "old-alert", "change_id": "old"}, 0.0)
    audit(ledger, flow("grid-alert", 1, 1), alerts=1)
    assert not wrong(ledger)


def test_a_flow_that_lost_an_input_does_not_balance(ledger: Ledger) -> None:
    ledger.change(change(ledger))
    ledger.alert("gw-000001", alert(ledger), 0.0)
    audit(ledger, flow("health-code", 1, 0), alerts=0)
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
