"""What people say: each receipt again and again with its own event_id until it is taken, nothing once it is over."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.demo import people as people_module
from streams.demo.answer import Answers
from streams.demo.oracle import Oracle, Raised, Rung
from streams.demo.people import Course, People

ALERT = "0b6f62d7-3b1c-5b6e-8a53-0f5a2f3f6c11"
ANOTHER = "7d9f2c55-08a4-5a0e-9c39-44a7b0c8f0d2"
USUAL = Course()
LADDER = (Rung("GRID_WORKER", "gw-000001"), Rung("BACKUP", "gw-000002"))


class Gateway:
    """Answers each receipt with the next of `statuses`, then 202, and notes what it is told."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.said: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []

    async def receipts(self, request: web.Request) -> web.Response:
        self.said.append(json.loads(await request.read()) | {"alert_id": request.match_info["alert_id"]})
        self.tokens.append(request.headers.get("Authorization"))
        status = self._statuses.pop(0) if self._statuses else 202
        return web.json_response({}, status=status, headers={"Retry-After": "0"} if status == 503 else {})


class Notes:
    """What the answers tell, with an event for who waits."""

    def __init__(self) -> None:
        self.seen_ids: list[str] = []
        self.acknowledged: list[str] = []
        self.statuses: list[int] = []
        self.moved = asyncio.Event()

    def will_look(self, alert_id: str, seen_id: str, due_ms: int) -> None:
        self.seen_ids.append(seen_id)

    def taken(self, event_id: str) -> None:
        self.acknowledged.append(event_id)
        self.moved.set()

    def refuse(self, status: int) -> None:
        self.statuses.append(status)
        self.moved.set()

    async def until(self, number: int) -> None:
        async with asyncio.timeout(10):
            while len(self.acknowledged) + len(self.statuses) < number:
                await self.moved.wait()
                self.moved.clear()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_module, "_LOOKS_S", (0.0, 0.01))
    monkeypatch.setattr(people_module, "_ACTS_S", (0.0, 0.01))
    monkeypatch.setattr(people_module, "_SAYS_RECEIVED", 0.0)


async def with_answers(
    gateway: Gateway, notes: Notes, play: Callable[[Answers], Awaitable[None]], course: Course = USUAL
) -> None:
    """`play` with the people who are told of two alerts, of which the first takes this course."""
    app = web.Application()
    app.router.add_post("/alerts/{alert_id}/receipts", gateway.receipts)
    oracle = Oracle({}.get, {}.get, {}.get)
    oracle.raised |= dict.fromkeys((ALERT, ANOTHER), Raised("RED", LADDER))
    people = People({}, 60_000, 10_000, 240_000)
    people.courses = {ALERT: course}
    failures: list[BaseException] = []
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        answers = Answers(url, lambda who: f"token of {who}", oracle, people, notes, failures.append)
        try:
            await play(answers)
        finally:
            await answers.close()
    assert not failures


def event(state: str, addressee: str = "gw-000001", due_at: int | None = 1, alert_id: str = ALERT) -> dict[str, Any]:
    return {"alert_id": alert_id, "state": state, "addressee": addressee, "due_at": due_at}


async def test_whoever_is_told_looks_and_then_acts_each_with_an_id_of_its_own() -> None:
    gateway, notes = Gateway(), Notes()

    async def play(answers: Answers) -> None:
        answers.take("gw-000001", event("RAISED"))
        answers.take("gw-000001", event("SEEN"))
        await notes.until(2)

    await with_answers(gateway, notes, play)
    assert [said["kind"] for said in gateway.said] == ["SEEN", "ACTED"]
    assert [said["event_id"] for said in gateway.said] == notes.acknowledged
    assert notes.seen_ids == notes.acknowledged[:1]
    assert len({uuid.UUID(id_) for id_ in notes.acknowledged}) == 2
    assert gateway.said[0]["outcome"] is None
    assert gateway.said[1]["outcome"] in ("VISITED", "PHONED", "ISOLATED", "OTHER")
    assert set(gateway.tokens) == {"Bearer token of gw-000001"}


async def test_a_receipt_that_is_not_taken_is_sent_again_with_the_same_id_and_a_later_ago() -> None:
    gateway, notes = Gateway(503, 503), Notes()

    async def play(answers: Answers) -> None:
        answers.take("gw-000001", event("RAISED"))
        await notes.until(1)

    await with_answers(gateway, notes, play)
    first = gateway.said[:3]
    assert len({said["event_id"] for said in first}) == 1
    assert [said["kind"] for said in first] == ["SEEN"] * 3
    assert [said["ago_ms"] for said in first] == sorted(said["ago_ms"] for said in first)


async def test_a_refusal_is_noted_and_not_repeated() -> None:
    gateway, notes = Gateway(403), Notes()

    async def play(answers: Answers) -> None:
        answers.take("gw-000001", event("RAISED"))
        await notes.until(2)

    await with_answers(gateway, notes, play)
    assert notes.statuses == [403]
    assert [said["kind"] for said in gateway.said] == ["SEEN", "ACTED"]


async def test_once_an_alert_is_over_nobody_looks_at_it() -> None:
    gateway, notes = Gateway(), Notes()

    async def play(answers: Answers) -> None:
        answers.take("gw-000001", event("RAISED"))
        answers.take("gw-000001", event("RETRACTED", due_at=None))
        answers.take("gw-000001", event("RAISED", alert_id=ANOTHER))
        await notes.until(2)

    await with_answers(gateway, notes, play)
    assert [said["alert_id"] for said in gateway.said] == [ANOTHER] * 2


async def test_who_ignores_it_says_nothing_and_who_is_told_next_answers() -> None:
    gateway, notes = Gateway(), Notes()

    async def play(answers: Answers) -> None:
        answers.take("gw-000001", event("RAISED"))
        for told in ("gw-000001", "gw-000002"):
            answers.take(told, event("ESCALATED", "gw-000002"))
        await notes.until(2)

    await with_answers(gateway, notes, play, Course(ignored=1))
    assert set(gateway.tokens) == {"Bearer token of gw-000002"}
    assert notes.seen_ids == notes.acknowledged[:1]


async def test_who_is_told_because_another_was_late_answers_too_and_his_look_is_not_the_expected_one() -> None:
    gateway, notes = Gateway(), Notes()

    async def play(answers: Answers) -> None:
        answers.take("gw-000002", event("ESCALATED", "gw-000002"))
        await notes.until(2)

    await with_answers(gateway, notes, play)
    assert set(gateway.tokens) == {"Bearer token of gw-000002"}
    assert notes.seen_ids == []


async def test_who_looks_and_never_acts_says_only_that() -> None:
    gateway, notes = Gateway(), Notes()

    async def play(answers: Answers) -> None:
        answers.take("gw-000001", event("RAISED"))
        answers.take("gw-000001", event("RAISED", alert_id=ANOTHER))
        await notes.until(3)

    await with_answers(gateway, notes, play, Course(acts=False))
    assert sorted(said["kind"] for said in gateway.said) == ["ACTED", "SEEN", "SEEN"]
