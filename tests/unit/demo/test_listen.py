"""A phone: it understands server-sent events, and after a break it goes on from the last id it was given."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.demo.listen import Phones

ONE = b'id: a.1\nevent: alert\ndata: {"event_id": "1"}\n\n'
TWO = b'id: a.2\nevent: alert\ndata: {"event_id": "2"}\n\n'


class Gateway:
    """Answers each connection with the next of `streams` and notes what the phones ask for."""

    def __init__(self, *streams: bytes) -> None:
        self.streams = list(streams)
        self.asked: list[str | None] = []
        self.tokens: list[str | None] = []

    async def alerts(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Last-Event-ID"))
        self.tokens.append(request.headers.get("Authorization"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if self.streams:
            await response.write(self.streams.pop(0))
        else:
            await asyncio.sleep(60)
        return response


async def listen(gateway: Gateway, until: int) -> tuple[list[str], list[str]]:
    """What one phone receives until there are `until` alerts and resets."""
    app = web.Application()
    app.router.add_get("/grid-workers/{id}/alerts", gateway.alerts)
    alerts: list[str] = []
    resets: list[str] = []
    enough = asyncio.Event()

    def on_alert(addressee: str, value: Mapping[str, Any], at: float) -> None:
        alerts.append(value["event_id"])
        if len(alerts) + len(resets) >= until:
            enough.set()

    async with TestServer(app) as server:
        phones = Phones(str(server.make_url("")).rstrip("/"), lambda who: f"token of {who}", on_alert, resets.append)
        try:
            await phones.connect(["gw-000001"], "a.0")
            async with asyncio.timeout(10):
                await enough.wait()
        finally:
            await phones.close()
    return alerts, resets


async def test_after_a_break_a_phone_comes_back_with_the_last_id() -> None:
    gateway = Gateway(ONE, TWO)
    assert await listen(gateway, 2) == (["1", "2"], [])
    assert gateway.asked[:2] == ["a.0", "a.1"]
    assert gateway.tokens[0] == "Bearer token of gw-000001"


async def test_an_event_that_was_cut_off_is_neither_taken_nor_is_its_id() -> None:
    gateway = Gateway(ONE + TWO[:-1], TWO)
    assert await listen(gateway, 2) == (["1", "2"], [])
    assert gateway.asked[1] == "a.1"


async def test_a_heartbeat_with_an_id_moves_the_place_and_a_reset_is_noticed() -> None:
    gateway = Gateway(b":\nid: a.7\n\nevent: reset\ndata: {}\n\n", ONE)
    assert await listen(gateway, 2) == (["1"], ["gw-000001"])
    assert gateway.asked[1] == "a.7"


@pytest.mark.parametrize("chunk", [1, 7])
async def test_events_may_come_in_pieces(chunk: int) -> None:
    class Slow(Gateway):
        async def alerts(self, request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for start in range(0, len(ONE + TWO), chunk):
                await response.write((ONE + TWO)[start : start + chunk])
            await asyncio.sleep(60)
            return response

    assert await listen(Slow(), 2) == (["1", "2"], [])
