"""The feed is ready when it has read what was there, whatever still comes, and learns a new schema before judging."""

import asyncio
import json
import time
from collections.abc import Sequence

import pytest

from connectors.gateway.alert import Alert, Decoder, Version
from connectors.gateway.board import Board
from connectors.gateway.feed import Feed
from connectors.gateway.hub import Hub, window_ms
from connectors.gateway.index import Index
from connectors.gateway.place import Places
from connectors.memory import MemoryLog, MemorySource
from streams.contract.wire import header
from streams.engine.record import Record
from streams.errors import Rejection, SystemFailure
from streams.observe.metrics import Metrics
from tests.unit.gateway.in_memory import DIVISIONS, JsonVersion, event

HOUR_MS = 3_600_000


def hub_of(log: MemoryLog) -> Hub:
    return Hub(Index((0,)), Board(DIVISIONS, time.time), Places(log.identity, 1), Metrics(process=False))


def value(schema_id: int = 7) -> bytes:
    return header(schema_id) + json.dumps(event(1)).encode()


class Busy(MemorySource):
    """A log to which a record is added before every read."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log)
        self._busy = log

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        self._busy.append(0, b"a1", value())
        return super().read(1, timeout)


async def test_a_log_that_never_pauses_does_not_keep_the_gateway_from_being_ready() -> None:
    log = MemoryLog()
    for _ in range(10):
        log.append(0, b"a1", value())
    hub = hub_of(log)
    failures: list[BaseException] = []
    decoder = Decoder(lambda schema_id: JsonVersion(), lambda: None)
    feed = Feed(Busy(log), decoder, hub, asyncio.get_running_loop(), failures.append)
    feed.start()
    try:
        await asyncio.wait_for(hub.ready.wait(), 10)
    finally:
        await asyncio.to_thread(feed.stop)
    assert hub.index.positions >= (10,)
    assert not failures


def test_an_unknown_schema_is_looked_up_before_it_is_judged() -> None:
    known: dict[int, Version] = {}
    decoder = Decoder(known.get, lambda: known.update({9: JsonVersion()}))
    assert isinstance(decoder.decode(Record("t", 0, 0, 0, b"a1", value(9))), Alert)
    assert decoder.decode(Record("t", 0, 0, 0, b"a1", value(8))) == Rejection("decode", "unknown-schema", "id 8")


def test_when_the_released_schemas_cannot_be_read_nothing_is_judged() -> None:
    def away() -> None:
        raise SystemFailure("bus.policy does not answer")

    with pytest.raises(SystemFailure):
        Decoder(lambda schema_id: None, away).decode(Record("t", 0, 0, 0, b"a1", value()))


def test_what_cannot_be_pushed_is_rejected_by_the_field_it_lacks() -> None:
    decoder = Decoder(lambda schema_id: JsonVersion(), lambda: None)
    for field in ("alert_id", "state", "addressee"):
        fields = header(7) + json.dumps(event(1) | {field: None}).encode()
        assert decoder.decode(Record("t", 0, 0, 0, b"a1", fields)) == Rejection("decode", "missing", field)


def test_clients_can_resume_as_far_back_as_the_log_keeps_everything_less_a_margin() -> None:
    assert window_ms(24 * HOUR_MS) == window_ms(None) == window_ms(1000 * HOUR_MS) == 23 * HOUR_MS
    assert window_ms(2 * HOUR_MS) == HOUR_MS
    assert window_ms(0) == 0


async def test_a_feed_that_never_began_can_be_stopped() -> None:
    """As when the gateway's port is taken: the mistake must be told, not what went wrong in cleaning up after it."""
    log = MemoryLog()
    hub = hub_of(log)
    decoder = Decoder(lambda schema_id: JsonVersion(), lambda: None)
    feed = Feed(MemorySource(log), decoder, hub, asyncio.get_running_loop(), lambda error: None)
    await asyncio.wait_for(asyncio.to_thread(feed.stop), 10)
    assert not hub.ready.is_set()
