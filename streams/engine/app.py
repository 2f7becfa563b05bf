"""A worker process: a Faust app whose one agent runs a chain over the batches of one source.

Faust brings the agent, its supervision, timers and life cycle; its own Kafka client is switched off.
"""

import asyncio
import logging
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
import structlog
from faust.app.base import BootStrategy

from streams.engine.batch import BatchChannel
from streams.engine.client import consumer_config, producer_config
from streams.engine.faults import describe, where
from streams.engine.handler import Handler
from streams.engine.membership import SourceConfig
from streams.engine.restore import PartitionedTable
from streams.engine.source import Source
from streams.engine.state import KeyedState
from streams.engine.transaction import Transaction
from streams.errors import SystemFailure

log = structlog.get_logger(__name__)

EXIT_SYSTEM_FAILURE = 70
"""Exit code of a worker that met what only a restart can repair: nothing was acknowledged. Supervisors restart it."""


class _Boot(BootStrategy):  # type: ignore[misc]  # faust ships without usable annotations
    enable_kafka = False  # no aiokafka consumer, producer, conductor, tables
    enable_web = False  # metrics and health are served by a thread of their own, alive while the loop is busy
    enable_sensors = False

    def agents(self) -> Any:
        # Services stop in reverse order: sources before agents.
        return [*super().agents(), self.app.source]


class BusApp(faust.App):  # type: ignore[misc]
    BootStrategy = _Boot
    logger = logging.getLogger("mode.app")
    source: Source


@dataclass(frozen=True)
class WorkerSpec:
    """One slot of one chain. The group is the chain's name; slot and group make the transactional and instance ids."""

    bootstrap: str
    chain: str
    slot: int
    topics: tuple[str, ...]
    changelog: str | None = None
    tables: tuple[str, ...] = ()
    max_batch: int = 2000


@dataclass(frozen=True)
class Parts:
    """What a handler is built from: librdkafka's produce method, the chain's state and its partitioned tables."""

    produce: Callable[..., None]
    state: KeyedState
    tables: dict[str, PartitionedTable]


def group_of(chain: str) -> str:
    return f"haihe.{chain}"


async def _work(spec: WorkerSpec, build: Callable[[Parts], Handler]) -> int:
    slot_id = f"{group_of(spec.chain)}.{spec.slot}"
    transaction = Transaction(spec.chain, producer_config(spec.bootstrap, transactional_id=slot_id))
    produce, changelog = transaction.produce, spec.changelog or ""

    def write(partition: int, key: bytes, value: bytes | None) -> None:
        produce(changelog, value, key, partition)

    state = KeyedState(write)
    tables = {topic: PartitionedTable(topic) for topic in spec.tables}
    handler = build(Parts(produce, state, tables))
    consumer = consumer_config(spec.bootstrap, group_of(spec.chain), instance=slot_id, enable_partition_eof=True)
    config = SourceConfig(spec.bootstrap, (*spec.topics, *spec.tables), consumer, changelog, spec.max_batch, tables)

    # Faust makes a directory for tables that it then leaves empty.
    unused = str(Path(tempfile.gettempdir()) / "haihe-faust")
    app = BusApp(slot_id, broker=f"kafka://{spec.bootstrap}", store="memory://", autodiscover=False, datadir=unused)
    app.source = source = Source(config, transaction, state, handler)

    async def run(stream: Any) -> None:
        try:
            async for batch in stream:
                async with batch:
                    for _ in handler.run(batch):
                        await asyncio.sleep(0)
                        if batch.stale:
                            break
        except Exception as exc:  # Faust's supervisor would start the agent again and carry on past it
            source.fail(exc)
            raise

    app.agent(BatchChannel(app, source), name=f"{spec.chain}.agent")(run)

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await app.start()
    except Exception as exc:
        source.fail(exc)
    # Faust marks a service that failed and goes on: whatever it is, the worker is no longer one.
    crashes = [asyncio.create_task(service._crashed.wait()) for service in (app, source)]
    ends: set[asyncio.Future[Any]] = {asyncio.create_task(stop.wait()), source.failure, *crashes}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if source.failure.done() or any(crash.done() for crash in crashes):
        failure = source.failure.result() if source.failure.done() else SystemFailure("a service of the worker ended")
        log.error("stopping: nothing more is acknowledged", reason=describe(failure), where=where(failure))
        os._exit(EXIT_SYSTEM_FAILURE)  # a clean stop would commit
    for crash in crashes:
        crash.cancel()
    await app.stop()
    return 0


def work(spec: WorkerSpec, build: Callable[[Parts], Handler]) -> int:
    """Run one slot of a chain until SIGTERM or SIGINT (0), or a failure only a restart can repair (exit 70).

    `build` makes the chain's handler."""
    return asyncio.run(_work(spec, build))
