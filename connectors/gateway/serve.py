"""The gateway as a process: starts everything in order, waits for a signal or a failure, ends everything in order."""

import asyncio
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import structlog
from aiohttp import web

from connectors.base import Publisher, Source
from connectors.gateway.access import Access
from connectors.gateway.alert import Decoder
from connectors.gateway.app import Gate
from connectors.gateway.board import Board
from connectors.gateway.feed import Feed
from connectors.gateway.hub import Hub, window_ms
from connectors.gateway.index import Index
from connectors.gateway.keys import Keys
from connectors.gateway.pages import Pages
from connectors.gateway.place import Places
from connectors.gateway.receipts import Receipts
from connectors.gateway.screens import Screens
from streams.contract.division import Divisions
from streams.contract.version import Version
from streams.errors import HaiheError, SystemFailure, UserError

_log = structlog.get_logger(__name__)

_SPARE_FILES = 200
"""Files that are not streams: the broker's sockets, the log, scrapes, the pages."""

_LEAVE_S = 1.0


class Bus(NamedTuple):
    """What connects the gateway to the bus. `receipted` gives the newest version of the receipts' contract."""

    source: Source
    decoder: Decoder
    publisher: Publisher
    receipted: Callable[[], Version]
    divisions: Divisions


class Listen(NamedTuple):
    """Where the gateway listens. Port 0 takes a free one; `port_file` then says which, as soon as it listens."""

    host: str
    port: int
    port_file: Path | None
    demo: bool


async def serve(bus: Bus, keys: Keys, listen: Listen, clock: Callable[[], float]) -> None:
    """Runs until SIGTERM or SIGINT. `clock` is the wall clock, seconds since 1970.

    Raises SystemFailure when the log can no longer be read, UserError when the port is taken.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def failed(error: BaseException) -> None:
        if not over.done():
            over.set_exception(error)

    def stop() -> None:
        if not over.done():
            over.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    source = bus.source
    window = window_ms(await asyncio.to_thread(source.keeps_ms))
    floor = await asyncio.to_thread(source.complete_from, int(clock() * 1000) - window)
    hub = Hub(Index(floor), Board(bus.divisions, clock), Places(source.identity, len(floor)))
    gate = Gate(hub, source, Access(keys, clock), limit=_raise_file_limit() - _SPARE_FILES)
    app = gate.app()
    Receipts(gate, bus.publisher, bus.receipted).add(app)
    Screens(gate, bus.divisions).add(app)
    Pages(gate.access, listen.demo).add(app)
    # A stream whose client is gone must end now, not at its next heartbeat: hence handler_cancellation.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_LEAVE_S)
    feed = Feed(source, bus.decoder, hub, loop, failed)
    keeper = loop.create_task(hub.keep())
    await runner.setup()
    try:
        port = await _listen(runner, listen)
        feed.start()
        _log.info(
            "gateway listens", address=f"http://{listen.host}:{port}", demo=listen.demo, resumable_s=window // 1000
        )
        await over
    except (HaiheError, asyncio.CancelledError):
        raise
    except BaseException as error:
        _log.error("gateway failed", exc_info=error)
        raise SystemFailure(f"the gateway failed: {type(error).__name__}") from None
    finally:
        hub.close()
        keeper.cancel()
        await runner.cleanup()
        await asyncio.to_thread(feed.stop)
        _log.info("gateway stopped")


async def _listen(runner: web.AppRunner, listen: Listen) -> int:
    site = web.TCPSite(runner, listen.host, listen.port, backlog=4096)
    try:
        await site.start()
    except OSError as error:
        raise UserError(f"cannot listen on {listen.host}:{listen.port}: {error.strerror}") from None
    port = int(runner.addresses[0][1])
    if listen.port_file is not None:
        draft = listen.port_file.with_name(listen.port_file.name + ".new")
        draft.write_text(f"{port}\n")
        draft.replace(listen.port_file)
    print(f"http://{listen.host}:{port}/", file=sys.stderr, flush=True)  # noqa: T201  # for a person, also under JSON logs
    return port


def _raise_file_limit() -> int:
    """As many open files as we may have: every stream is one. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 1_048_576)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
