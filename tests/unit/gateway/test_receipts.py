"""A receipt answered 202 is in the log, whole and valid; any other answer says what to mend, or to come again."""

import asyncio
import json
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from connectors.base import Positions
from connectors.gateway.access import COOKIE
from connectors.gateway.ends import Ends
from connectors.gateway.index import Index
from connectors.gateway.receipts import EARLY, EARLY_S, KINDS, MAX_AGO_MS, MAX_BODY, OUTCOMES, PUBLISHER, parse
from connectors.memory import MemoryLog, MemorySource
from tests.unit.gateway.in_memory import KEYS, Gateway, alert_at, bearer, event, receipted, running

ALERT = "018f4d2e-7c3a-4b5d-8e9f-00000000000d"
UNKNOWN = "018f4d2e-7c3a-4b5d-8e9f-0000000000ff"
ID = "018f4d2e-7c3a-4b5d-8e9f-000000000026"
SEEN: dict[str, Any] = {"event_id": ID, "kind": "SEEN"}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running(MemoryLog()) as one:
        yield one


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as one:
        yield one


Answer = Callable[..., Any]


@pytest.fixture
def answer(gateway: Gateway, session: ClientSession) -> Answer:
    async def post(
        body: object = SEEN, *, alert: str = ALERT, headers: dict[str, str] | None = None, **more: str
    ) -> ClientResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | (bearer() if headers is None else headers) | more
        return await session.post(f"{gateway.url}/alerts/{alert}/receipts", data=data, headers=sent)

    return post


async def has_read(gateway: Gateway, *events: dict[str, Any]) -> None:
    """The gateway knows these by now."""
    for one in events:
        gateway.write(0, one)
    async with asyncio.timeout(5):
        while gateway.hub.index.positions != gateway.log.ends():  # noqa: ASYNC110  # the index tells nobody
            await asyncio.sleep(0.01)


async def test_an_accepted_receipt_is_an_event_of_its_contract_under_its_alert(
    gateway: Gateway, answer: Answer
) -> None:
    before = time.time()
    response = await answer({"event_id": ID, "kind": "ACTED", "outcome": "VISITED", "ago_ms": 5000})
    assert (response.status, await response.json()) == (202, {"event_id": ID})
    (event,) = gateway.answers()
    occurred = event.pop("occurred_at") / 1000
    assert event == {"event_id": ID, "publisher": "jinzhitong", "alert_id": ALERT, "kind": "ACTED",
                     "addressee": "gw-000001", "outcome": "VISITED"}  # fmt: skip
    assert before - 5.01 <= occurred <= time.time() - 5 + 0.01
    (record,) = MemorySource(gateway.receipts).read(10, 0)
    assert record.key == ALERT.encode()
    assert receipted().check(record.value or b"", PUBLISHER, record.timestamp) == ALERT.encode()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_least_that_one_must_say_is_what_happened(gateway: Gateway, answer: Answer, kind: str) -> None:
    assert (await answer({"event_id": ID, "kind": kind})).status == 202
    assert gateway.answers()[0]["outcome"] is None


async def test_ids_in_capitals_are_the_same_ids(gateway: Gateway, answer: Answer) -> None:
    response = await answer({"event_id": ID.upper(), "kind": "SEEN"}, alert=ALERT.upper())
    assert await response.json() == {"event_id": ID}
    (record,) = MemorySource(gateway.receipts).read(10, 0)
    assert record.key == ALERT.encode()


def test_kinds_and_outcomes_are_those_of_the_contract() -> None:
    symbols = {field["name"]: field["type"] for field in receipted().schema["fields"]}
    assert symbols["kind"]["symbols"] == list(KINDS)
    assert symbols["outcome"][1]["symbols"] == list(OUTCOMES)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 4000, "not JSON"),
        (b"[]", "must be a JSON object"),
        (b'"SEEN"', "must be a JSON object"),
        (SEEN | {"ago": 1}, "unknown key `ago`, did you mean `ago_ms`?"),
        (SEEN | {"addressee": "gw-000002"}, "unknown key `addressee`, known are: ago_ms, event_id, kind, outcome"),
        (SEEN | {"x" * 4000: 1}, "unknown key `xxxx"),
        ({"kind": "SEEN"}, "event_id must be a UUID"),
        (SEEN | {"event_id": 7}, "event_id must be a UUID"),
        (SEEN | {"event_id": ID + "0"}, "event_id must be a UUID"),
        (SEEN | {"event_id": "{" + ID + "}"}, "event_id must be a UUID"),
        ({"event_id": ID}, "kind must be one of RECEIVED, SEEN, ACTED"),
        (SEEN | {"kind": "seen"}, "kind must be one of"),
        (SEEN | {"kind": ["SEEN"]}, "kind must be one of"),
        (SEEN | {"kind": "ACTED", "outcome": "visited"}, "outcome must be null or one of"),
        (SEEN | {"outcome": "VISITED"}, "leave it out with SEEN"),
        (SEEN | {"ago_ms": -1}, "ago_ms must be a whole number"),
        (SEEN | {"ago_ms": MAX_AGO_MS + 1}, "from 0 to 86400000"),
        (SEEN | {"ago_ms": 1.5}, "ago_ms must be a whole number"),
        (SEEN | {"ago_ms": "1"}, "ago_ms must be a whole number"),
        (SEEN | {"ago_ms": True}, "ago_ms must be a whole number"),
        (SEEN | {"ago_ms": None}, "ago_ms must be a whole number"),
        (SEEN | {"ago_ms": 10**30}, "ago_ms must be a whole number"),
    ],
)
async def test_a_body_that_is_not_one_is_400_and_says_what_to_mend(
    gateway: Gateway, answer: Answer, body: object, says: str
) -> None:
    response = await answer(body)
    assert response.status == 400
    assert says in await response.text()
    assert gateway.answers() == []


async def test_the_longest_ago_is_a_day(gateway: Gateway, answer: Answer) -> None:
    assert (await answer(SEEN | {"ago_ms": MAX_AGO_MS})).status == 202


@pytest.mark.parametrize("alert", ["a1", ALERT + "0", "urn:uuid:" + ALERT, "%00", "张三"])
async def test_an_alert_is_named_by_its_uuid(gateway: Gateway, answer: Answer, alert: str) -> None:
    response = await answer(alert=alert)
    assert response.status == 400
    assert "alert_id" in await response.text()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_only_json_is_taken_so_no_form_of_another_site_can_send_one(answer: Answer, kind: str) -> None:
    response = await answer(**{"Content-Type": kind})
    assert response.status == 415
    assert "application/json" in await response.text()


async def test_json_may_say_its_encoding(answer: Answer) -> None:
    assert (await answer(**{"Content-Type": "application/json; charset=utf-8"})).status == 202


async def test_a_body_may_have_4_kib_and_no_more_announced_or_not(
    gateway: Gateway, session: ClientSession, answer: Answer
) -> None:
    exact = json.dumps(SEEN).encode().ljust(MAX_BODY)
    assert (await answer(exact)).status == 202
    assert (await answer(exact + b" ")).status == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    url = f"{gateway.url}/alerts/{ALERT}/receipts"
    response = await session.post(url, data=chunks(), headers=bearer() | {"Content-Type": "application/json"})
    assert response.status == 413


async def test_a_body_that_does_not_come_is_not_waited_for(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.gateway.receipts._BODY_S", 0.1)
    port = int(gateway.url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /alerts/{ALERT}/receipts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9"
    writer.write(f"{head}\r\nAuthorization: {bearer()['Authorization']}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        assert b" 408 " in await reader.readline()
    writer.close()


async def test_without_a_valid_token_nobody_answers(gateway: Gateway, answer: Answer) -> None:
    for headers in ({}, bearer(hours=-1), {"Cookie": f"{COOKIE}=x"}):
        assert (await answer(headers=headers)).status == 401
    assert gateway.answers() == []


async def test_a_page_answers_with_its_cookie_but_not_from_another_site(gateway: Gateway, answer: Answer) -> None:
    cookie = {"Cookie": f"{COOKIE}={KEYS.sign('desk-12', time.time())}"}
    assert (await answer(headers=cookie | {"Sec-Fetch-Site": "cross-site"})).status == 403
    assert (await answer(headers=cookie | {"Origin": "https://elsewhere.example"})).status == 403
    assert gateway.answers() == []
    assert (await answer(headers=cookie | {"Sec-Fetch-Site": "same-origin"})).status == 202
    assert gateway.answers()[0]["addressee"] == "desk-12"


async def test_who_was_never_told_of_an_alert_cannot_answer_it(gateway: Gateway, answer: Answer) -> None:
    await has_read(gateway, event(1, ALERT, addressee="gw-000002"))
    response = await answer()
    assert response.status == 403
    assert "not told" in await response.text()
    assert gateway.answers() == []


async def test_whoever_was_told_may_answer_also_when_it_is_somebody_elses_by_now_or_over(
    gateway: Gateway, answer: Answer
) -> None:
    step = {"cause": "COLOUR", "relieved_at": 7, "seen_at": None, "acted_at": None}
    told = [step | {"addressee": "gw-000001"}, step | {"addressee": "gw-000002", "relieved_at": None}]
    later = event(2, ALERT, "HANDED_OVER", "gw-000002") | {"told": told}
    await has_read(gateway, event(1, ALERT), later)
    assert (await answer()).status == 202
    await has_read(gateway, later | {"state": "CLOSED"})
    assert (await answer()).status == 202


async def test_before_somebody_is_refused_what_the_log_holds_by_now_is_read(
    gateway: Gateway, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another gateway process may have pushed him a step that this one has not read yet."""
    says = [frozenset({"gw-000002"}), frozenset({"gw-000002", "gw-000001"})]
    monkeypatch.setattr(Index, "told", lambda self, alert_id: says.pop(0))
    assert (await answer()).status == 202
    assert says == []


async def test_while_the_log_cannot_be_asked_only_who_is_known_to_have_been_told_is_taken(
    gateway: Gateway, answer: Answer
) -> None:
    await has_read(gateway, event(1, ALERT, addressee="gw-000002"))
    gateway.log.fail("away")
    for alert in (ALERT, UNKNOWN):
        response = await answer(alert=alert)
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert "same event_id" in await response.text()
    assert gateway.answers() == []
    assert (await answer(headers=bearer("gw-000002"))).status == 202


async def test_while_the_log_is_ahead_of_what_was_read_nobody_is_refused_or_taken_for_early(
    gateway: Gateway, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.gateway.app._CATCH_UP_S", 0.1)
    monkeypatch.setattr(MemorySource, "readable_ends", lambda self: (1,))
    assert (await answer()).status == 503
    await has_read(gateway, event(1, ALERT))
    assert (await answer()).status == 202


async def test_before_the_index_is_built_nobody_may_answer_and_is_told_to_come_again(session: ClientSession) -> None:
    async with running(MemoryLog(), feeding=False) as gateway:
        gateway.hub.take([alert_at(0, 0, ALERT, addressee="gw-000002")], (1,))
        gateway.log.append(0, None, None)
        url = f"{gateway.url}/alerts/{ALERT}/receipts"
        for subject, status in (("gw-000001", 403), ("gw-000002", 202)):
            gateway.hub.ready.clear()
            response = await session.post(url, json=SEEN, headers=bearer(subject))
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
            gateway.hub.ready.set()
            assert (await session.post(url, json=SEEN, headers=bearer(subject))).status == status


async def test_an_alert_that_nobody_knows_may_be_answered_but_not_by_the_same_without_end(
    gateway: Gateway, answer: Answer
) -> None:
    await has_read(gateway, event(1, ALERT))
    for number in range(EARLY):
        assert (await answer(alert=f"{UNKNOWN[:-2]}{number:02}")).status == 202
    response = await answer(alert=UNKNOWN)
    assert response.status == 429
    assert 0 < int(response.headers["Retry-After"]) <= EARLY_S
    assert "same event_id" in await response.text()
    assert len(gateway.answers()) == EARLY
    assert (await answer()).status == 202, "an alert that he was told of"
    assert (await answer(alert=UNKNOWN, headers=bearer("gw-000002"))).status == 202, "somebody else"


async def test_many_strangers_at_once_ask_the_broker_twice_at_most(
    gateway: Gateway, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question is under way; all who come meanwhile share the next."""
    await has_read(gateway, event(1, ALERT))
    release, asked, waiting = threading.Event(), [], []
    readable_ends, now = MemorySource.readable_ends, Ends.now

    def slowly(source: MemorySource) -> Positions:
        asked.append(release.wait(10))
        return readable_ends(source)

    async def counted(ends: Ends) -> Positions | None:
        waiting.append(ends)
        if len(waiting) == 10:
            release.set()
        return await now(ends)

    monkeypatch.setattr(MemorySource, "readable_ends", slowly)
    monkeypatch.setattr(Ends, "now", counted)
    answers = await asyncio.gather(*(answer(headers=bearer(f"gw-{number:06}")) for number in range(2, 12)))
    assert [response.status for response in answers] == [403] * 10
    assert asked in ([True], [True, True])


async def test_without_an_acknowledgement_the_answer_is_to_send_the_same_again(
    gateway: Gateway, answer: Answer
) -> None:
    gateway.publisher.patience_s = 0.05
    gateway.publisher.silent()
    response = await answer()
    assert (response.status, response.headers["Retry-After"]) == (503, "5")
    assert "same event_id" in await response.text()
    gateway.publisher.silent(False)
    assert (await answer()).status == 202
    assert [event["event_id"] for event in gateway.answers()] == [ID]


async def test_nothing_is_202_before_the_log_has_it(gateway: Gateway, answer: Answer) -> None:
    gateway.publisher.silent()
    waiting = asyncio.ensure_future(answer())
    async with asyncio.timeout(5):
        while not gateway.publisher.waiting:  # noqa: ASYNC110  # a count has no event to await
            await asyncio.sleep(0.01)
    assert not waiting.done()
    gateway.publisher.silent(False)
    assert (await waiting).status == 202


async def test_what_intake_would_refuse_is_refused_here_with_its_reason(
    gateway: Gateway, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contract may grow stricter than a day; then a 202 would end in the dead letters."""
    monkeypatch.setattr("connectors.gateway.receipts.MAX_AGO_MS", 30 * MAX_AGO_MS)
    response = await answer(SEEN | {"ago_ms": 8 * MAX_AGO_MS})
    assert (response.status, response.content_type) == (422, "application/json")
    assert await response.json() == {"step": "validate", "reason": "too-old", "detail": "field occurred_at"}
    assert gateway.answers() == []


async def test_metrics_count_receipts_by_kind_and_answer(
    gateway: Gateway, session: ClientSession, answer: Answer
) -> None:
    await answer()
    await answer(b"{")
    await answer(headers={})
    text = await (await session.get(f"{gateway.url}/metrics")).text()
    for line in ('haihe_receipts_total{kind="SEEN",status="202"} 1.0',
                 'haihe_receipts_total{kind="unknown",status="400"} 1.0',
                 'haihe_receipts_total{kind="unknown",status="401"} 1.0'):  # fmt: skip
        assert line in text


async def test_no_log_line_says_who_answered_what(
    gateway: Gateway, answer: Answer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.publisher.patience_s = 0.05
    await answer()
    await answer(SEEN | {"kind": "x"})
    gateway.publisher.silent()
    await answer()
    said = capsys.readouterr()
    for word in (ALERT, ID, "gw-000001"):
        assert word not in caplog.text + said.out + said.err


def test_a_new_uuid_of_any_version_is_taken() -> None:
    for event_id in (uuid.uuid1(), uuid.uuid4(), uuid.uuid5(uuid.NAMESPACE_DNS, "x")):
        assert parse(json.dumps({"event_id": str(event_id), "kind": "SEEN"}).encode()).event_id == str(event_id)
