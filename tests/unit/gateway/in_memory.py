"""A gateway without a broker: alerts made by hand, a log in memory, HTTP on a free port."""

import asyncio
import functools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, web

from connectors.gateway.access import Access
from connectors.gateway.alert import Alert, Decoder
from connectors.gateway.app import Gate
from connectors.gateway.board import Board
from connectors.gateway.feed import Feed
from connectors.gateway.hub import Hub
from connectors.gateway.index import Index
from connectors.gateway.keys import Key, Keys
from connectors.gateway.pages import Pages
from connectors.gateway.place import Places
from connectors.gateway.receipts import EVENT, TOPIC, Receipts
from connectors.gateway.screens import Screens
from connectors.memory import MemoryLog, MemoryPublisher, MemorySource
from streams.contract.contracts import load_contracts
from streams.contract.division import Divisions
from streams.contract.released import Released
from streams.contract.version import Version
from streams.contract.wire import header
from streams.observe.metrics import Metrics
from streams.settings import ROOT

KEYS = Keys([Key(b"s" * 32)])
SCHEMA_ID = 7
DIVISIONS = Divisions.load(ROOT / "deploy/tianjin/divisions.csv")


def bearer(subject: str = "gw-000001", hours: float = 0) -> dict[str, str]:
    """The header of somebody who was given a token so many hours from now."""
    return {"Authorization": f"Bearer {KEYS.sign(subject, time.time() + hours * 3600)}"}


@functools.cache
def receipted() -> Version:
    """The newest version of the receipts' contract, as it is released."""
    contracts = load_contracts(ROOT / "schemas/avro")
    released = Released(contracts, DIVISIONS)
    newest = contracts[EVENT].latest
    released.apply(*Released.record(EVENT, newest, 8, contracts[EVENT].versions[newest]))
    return released.latest(EVENT)


class JsonVersion:
    """Stands for a released schema: JSON behind the wire header."""

    def decode(self, value: bytes) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(value[5:])
        return fields


def event(number: int, alert: str = "a1", state: str = "RAISED", addressee: str = "gw-000001") -> dict[str, Any]:
    return {"event_id": f"e{number}", "alert_id": alert, "state": state, "addressee": addressee, "colour": "RED"}


def alert_at(
    partition: int,
    offset: int,
    alert: str = "a1",
    state: str = "RAISED",
    addressee: str = "gw-000001",
    told: tuple[str, ...] | None = None,
    holders: tuple[str, ...] | None = None,
) -> Alert:
    """Without `told` only the addressee was; without `holders` all who were told have it."""
    data = json.dumps({"event_id": f"{partition}/{offset}"}).encode()
    told = (addressee,) if told is None else told
    holders = told if holders is None else holders
    return Alert(partition, offset, 0, alert, state, addressee, b"event: alert\ndata: %b\n\n" % data, told, holders)


def frames(raw: bytes) -> list[dict[str, str]]:
    """The SSE blocks in `raw`, as their fields."""
    blocks = [block for block in raw.decode().split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":")) for block in blocks]


class Stream:
    """An SSE client that takes an answer apart as the bytes come."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.last_id = ""
        self._rest = b""

    async def block(self) -> dict[str, str]:
        """The next block that is an event; ids of silent blocks are kept as a browser keeps them."""
        while True:
            while b"\n\n" not in self._rest:
                some = await self.response.content.readany()
                if not some:
                    raise EOFError
                self._rest += some
            raw, self._rest = self._rest.split(b"\n\n", 1)
            fields = frames(raw + b"\n\n")[0]
            self.last_id = fields.get("id", self.last_id)
            if "event" in fields:
                return fields

    async def event_ids(self, count: int) -> list[str]:
        """The event_ids of the next `count` alerts; a reset counts as "reset"."""
        found = []
        for _ in range(count):
            block = await self.block()
            found.append(json.loads(block["data"])["event_id"] if block["event"] == "alert" else block["event"])
        return found


class Gateway:
    """A running gateway over a MemoryLog. `publisher` writes what its clients answer to `receipts`."""

    def __init__(self, log: MemoryLog, url: str, hub: Hub, failures: list[BaseException]) -> None:
        self.log = log
        self.receipts = MemoryLog(TOPIC)
        self.publisher = MemoryPublisher(self.receipts)
        self.url = url
        self.hub = hub
        self.failures = failures

    def write(self, partition: int, fields: dict[str, Any], timestamp: int = 0) -> None:
        value = header(SCHEMA_ID) + json.dumps(fields).encode()
        self.log.append(partition, fields["alert_id"].encode(), value, timestamp)

    def answers(self) -> list[dict[str, Any]]:
        """The receipts so far, as events."""
        records = MemorySource(self.receipts).read(10_000, 0)
        return [receipted().decode(record.value or b"") for record in records]


@asynccontextmanager
async def running(
    log: MemoryLog, *, demo: bool = False, limit: int = 100, since_ms: int = 0, feeding: bool = True, port: int = 0
) -> AsyncIterator[Gateway]:
    """A gateway over `log`. May be entered again over the same log, as after a restart."""
    loop = asyncio.get_running_loop()
    source = MemorySource(log)
    floor = source.complete_from(since_ms)
    places = Places(source.identity, len(floor))
    hub = Hub(Index(floor), Board(DIVISIONS, time.time), places, Metrics(process=False))
    gate = Gate(hub, source, Access(KEYS), limit)
    app = gate.app()
    failures: list[BaseException] = []
    gateway = Gateway(log, "", hub, failures)
    Receipts(gate, gateway.publisher, receipted, hub.metrics).add(app)
    Screens(gate, DIVISIONS).add(app)
    Pages(gate.access, demo).add(app)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    decoder = Decoder(lambda schema_id: JsonVersion() if schema_id == SCHEMA_ID else None, lambda: None)
    feed = Feed(source, decoder, hub, loop, failures.append)
    if feeding:
        feed.start()
        await hub.ready.wait()
    try:
        yield gateway
    finally:
        hub.close()
        await runner.cleanup()
        if feeding:
            await asyncio.to_thread(feed.stop)
