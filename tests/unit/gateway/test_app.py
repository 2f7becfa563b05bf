"""The gateway over HTTP: who may listen, what is replayed, how it ends."""

import asyncio
import time
from collections.abc import Callable

import pytest
from aiohttp import ClientPayloadError, ClientSession

from connectors.memory import MemoryLog
from tests.unit.gateway.in_memory import KEYS, Gateway, Stream, bearer, event, running


async def listen(gateway: Gateway, session: ClientSession, last_id: str = "", subject: str = "gw-000001") -> Stream:
    headers = bearer(subject) | ({"Last-Event-ID": last_id} if last_id else {})
    response = await session.get(f"{gateway.url}/grid-workers/{subject}/alerts", headers=headers)
    assert response.status == 200
    return Stream(response)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event to wait on
            await asyncio.sleep(0.01)


async def test_an_alert_reaches_its_addressee_and_nobody_else() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        mine, other = await listen(gateway, session), await listen(gateway, session, subject="desk-120101001")
        assert await mine.event_ids(1) == await other.event_ids(1) == ["reset"]
        gateway.write(0, event(1))
        gateway.write(0, event(2, alert="a2", addressee="desk-120101001"))
        assert await mine.event_ids(1) == ["e1"]
        assert await other.event_ids(1) == ["e2"]


async def test_the_data_is_the_view_and_when_it_was_recorded() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        stream = await listen(gateway, session)
        await stream.block()
        gateway.write(0, event(1) | {"person_name": "张**\n"}, timestamp=1234)
        block = await stream.block()
        assert '"recorded_at":1234' in block["data"]
        assert "张**\\n" in block["data"]


async def test_a_client_resumes_over_a_restart_with_nothing_lost_and_nothing_twice() -> None:
    log = MemoryLog(partitions=2)
    async with ClientSession() as session:
        async with running(log) as gateway:
            stream = await listen(gateway, session)
            await stream.block()
            gateway.write(0, event(1))
            assert await stream.event_ids(1) == ["e1"]
        with pytest.raises(EOFError):
            await stream.block()
        gateway.write(1, event(2, alert="a2"))
        gateway.write(0, event(3, state="RETRACTED"))
        async with running(log) as gateway:
            resumed = await listen(gateway, session, stream.last_id)
            assert sorted(await resumed.event_ids(2)) == ["e2", "e3"]
            gateway.write(1, event(4, alert="a4"))
            assert await resumed.event_ids(1) == ["e4"]


async def test_a_client_whose_place_retention_has_passed_gets_reset_and_its_open_alerts() -> None:
    log = MemoryLog()
    async with running(log) as gateway, ClientSession() as session:
        gateway.write(0, event(1, alert="gone"), timestamp=1)
        gateway.write(0, event(2, alert="kept"), timestamp=2)
        gateway.write(0, event(3, alert="gone", state="RETRACTED"), timestamp=3)
        stream = await listen(gateway, session, gateway.hub.places.text((0,)))
        old_id = stream.last_id or gateway.hub.places.text((0,))
        log.compact(before_ms=10)
        async with running(log, since_ms=10) as later:
            assert await (await listen(later, session, old_id)).event_ids(2) == ["reset", "e2"]


@pytest.mark.parametrize("place", ["nonsense", "aotherone.0", "amemory00.0.0", "amemory00.999"])
async def test_a_place_that_is_not_one_starts_afresh(place: str) -> None:
    """Garbage, another topic's, another number of partitions, beyond the end of the log."""
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        assert await (await listen(gateway, session, place)).event_ids(1) == ["reset"]


async def test_the_header_of_a_reconnect_wins_over_the_query_of_the_first_connection() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        for number in range(3):
            gateway.write(0, event(number, alert=f"a{number}"))
        places = gateway.hub.places
        url = f"{gateway.url}/grid-workers/gw-000001/alerts?last_event_id={places.text((1,))}"
        assert await Stream(await session.get(url, headers=bearer())).event_ids(2) == ["e1", "e2"]
        headers = bearer() | {"Last-Event-ID": places.text((2,))}
        assert await Stream(await session.get(url, headers=headers)).event_ids(1) == ["e2"]


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "log in"),
        ({"Authorization": "Basic x"}, "log in"),
        ({"Authorization": "Bearer x"}, "not valid"),
        (bearer(hours=-1), "renew it with POST /token"),
        (bearer(hours=-13), "its session is over"),
    ],
)
async def test_without_a_valid_token_the_answer_is_401_and_says_what_to_do(headers: dict[str, str], says: str) -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        response = await session.get(f"{gateway.url}/grid-workers/gw-000001/alerts", headers=headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert says in await response.text()


async def test_a_stream_ends_with_its_token_in_good_order_and_is_resumed_with_another() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        url = f"{gateway.url}/grid-workers/gw-000001/alerts"
        short = KEYS.sign("gw-000001", time.time(), life_s=1.2)
        stream = Stream(await session.get(url, headers={"Authorization": f"Bearer {short}"}))
        gateway.write(0, event(1))
        assert await stream.event_ids(2) == ["reset", "e1"]
        async with asyncio.timeout(5):
            with pytest.raises(EOFError):
                await stream.block()
        gateway.write(0, event(2, alert="a2"))
        assert await (await listen(gateway, session, stream.last_id)).event_ids(1) == ["e2"]


async def test_another_addressees_stream_is_403() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        for other in ("gw-000002", "desk-12", "nobody"):
            async with session.get(f"{gateway.url}/grid-workers/{other}/alerts", headers=bearer()) as response:
                assert response.status == 403


async def test_nothing_of_it_may_be_cached_sniffed_framed_or_buffered() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        stream = await listen(gateway, session)
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        assert stream.response.headers["Content-Type"].startswith("text/event-stream")
        page = await session.get(f"{gateway.url}/me")
        refused = await session.get(f"{gateway.url}/grid-workers/gw-000001/alerts")
        for response in (stream.response, page, refused):
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_a_client_that_comes_before_the_index_is_built_is_held_until_it_is() -> None:
    async with running(MemoryLog(), feeding=False) as gateway, ClientSession() as session:
        assert (await session.get(f"{gateway.url}/readyz")).status == 503
        assert (await session.get(f"{gateway.url}/healthz")).status == 200
        early = asyncio.create_task(listen(gateway, session))
        gateway.hub.ready.set()
        assert await (await early).event_ids(1) == ["reset"]
        assert (await session.get(f"{gateway.url}/readyz")).status == 200


async def test_a_gateway_that_is_full_says_so_and_when_to_come_again() -> None:
    async with running(MemoryLog(), limit=1) as gateway, ClientSession() as session:
        await (await listen(gateway, session)).block()
        response = await session.get(f"{gateway.url}/grid-workers/gw-000001/alerts", headers=bearer())
        assert (response.status, response.headers["Retry-After"]) == (503, "5")


async def test_those_who_wait_for_the_index_are_no_more_than_there_is_room_for() -> None:
    """After a restart everybody comes at once, and is let in at once."""
    async with running(MemoryLog(), feeding=False, limit=1) as gateway, ClientSession() as session:
        url = f"{gateway.url}/grid-workers/gw-000001/alerts"
        waiting = {asyncio.create_task(session.get(url, headers=bearer())) for _ in range(5)}
        refused = []
        async with asyncio.timeout(5):
            while len(refused) < 4:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                refused += [task.result().status for task in done]
        assert refused == [503] * 4
        gateway.hub.ready.set()
        (admitted,) = waiting
        assert await Stream(await admitted).event_ids(1) == ["reset"]
        assert len(gateway.hub) == 1


async def test_who_gave_up_waiting_for_the_index_leaves_his_place_to_another() -> None:
    async with running(MemoryLog(), feeding=False, limit=1) as gateway, ClientSession() as session:
        url = f"{gateway.url}/grid-workers/gw-000001/alerts"
        both = [asyncio.create_task(session.get(url, headers=bearer())) for _ in range(2)]
        async with asyncio.timeout(5):
            (refused,), (early,) = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            assert refused.result().status == 503
            early.cancel()
            gateway.hub.ready.set()
            while (await session.get(url, headers=bearer())).status != 200:
                pass


async def test_a_client_that_leaves_is_forgotten_at_once() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        stream = await listen(gateway, session)
        await stream.block()
        assert len(gateway.hub) == 1
        stream.response.close()
        await until(lambda: len(gateway.hub) == 0)
        assert not gateway.hub.index.inbox("gw-000001").listeners


async def test_a_client_that_reads_nothing_delays_nobody() -> None:
    async with running(MemoryLog()) as gateway, ClientSession(read_bufsize=1024) as session:
        slow, quick = await listen(gateway, session), await listen(gateway, session, subject="gw-000002")
        await quick.block()
        padding = {"address": "x" * 100_000}
        for number in range(100):
            gateway.write(0, event(number, alert=f"a{number}") | padding)
        gateway.write(0, event(1000, alert="quick", addressee="gw-000002"))
        assert await quick.event_ids(1) == ["e1000"]
        assert await slow.event_ids(101) == ["reset"] + [f"e{number}" for number in range(100)]


async def test_a_client_that_never_reads_is_disconnected_and_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.gateway.app.SLOW_S", 0.2)
    async with running(MemoryLog()) as gateway, ClientSession(read_bufsize=1024) as session:
        stuck = await listen(gateway, session, gateway.hub.places.text((0,)))
        for number in range(200):
            gateway.write(0, event(number, alert=f"a{number}") | {"address": "x" * 100_000})
        await until(lambda: gateway.hub.index.events == 200)
        await until(lambda: len(gateway.hub) == 0)
        got = []
        with pytest.raises(ClientPayloadError):
            while True:
                got += await stuck.event_ids(1)
        monkeypatch.undo()
        resumed = await listen(gateway, session, stuck.last_id)
        got += await resumed.event_ids(200 - len(got))
        assert got == [f"e{number}" for number in range(200)]


async def test_metrics_count_connections_open_alerts_and_events() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        stream = await listen(gateway, session)
        gateway.write(0, event(1), timestamp=int(time.time() * 1000))
        await stream.event_ids(2)
        text = await (await session.get(f"{gateway.url}/metrics")).text()
        for line in ("haihe_connected_grid_workers 1.0", "haihe_open_alerts 1.0", "haihe_sse_events_total 1.0",
                     "haihe_sse_latency_seconds_count 1.0"):  # fmt: skip
            assert line in text


async def test_a_record_that_cannot_be_read_is_counted_and_passed_over() -> None:
    log = MemoryLog()
    for value in (b"", b"\x01rubbish", b"\0\0\0\0\x63{}", b"\0\0\0\0\x07{", b"\0\0\0\0\x07{}"):
        log.append(0, b"k", value)
    log.append(0, None, None)
    async with running(log) as gateway, ClientSession() as session:
        stream = await listen(gateway, session)
        gateway.write(0, event(1))
        assert await stream.event_ids(2) == ["reset", "e1"]
        text = await (await session.get(f"{gateway.url}/metrics")).text()
        rejected = [line for line in text.splitlines() if line.startswith('haihe_records_total{chain="gateway"')]
        assert sum(float(line.split()[-1]) for line in rejected) == 5
        assert not gateway.failures


async def test_a_log_that_can_no_longer_be_read_ends_the_gateway() -> None:
    log = MemoryLog()
    async with running(log) as gateway:
        log.fail("the broker is gone")
        await until(lambda: bool(gateway.failures))
        assert str(gateway.failures[0]) == "the broker is gone"
