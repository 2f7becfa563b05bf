"""The heart of a worker: one member of a consumer group and one transaction, serving one agent with batches.

Reading, working, committing take turns on one agent, so the consumer is never used from two threads at once: blocking
calls run in a pool of one thread while the agent waits for them. Every failure takes one path: abort, drop the state
overlay, seek to the last committed offsets, read again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, TypeVar

import structlog
from confluent_kafka import KafkaException, Message, TopicPartition
from mode import Service

from streams.engine.batch import Batch, TopicPart, place
from streams.engine.faults import Way, way_of, way_out, where
from streams.engine.handler import Handler
from streams.engine.membership import Membership, SourceConfig
from streams.engine.state import KeyedState
from streams.engine.transaction import Transaction

log = structlog.get_logger(__name__)
T = TypeVar("T")

COMMIT_INTERVAL = 0.1
"""Seconds a transaction stays open at most under load; it ends earlier as soon as nothing is prefetched."""
POLL_SECONDS = 0.2
"""How long one wait for records lasts, and so how late an idle partition's timers may be noticed."""
IDLE_GRACE = 2.0
"""Seconds without a record before the wall clock may move a partition's time."""
KEEPALIVE = 30.0
"""A batch worked on for longer is paused and polled around, to stay in the group (max.poll.interval is 5 minutes)."""
ATTEMPTS = 3
"""How often one isolated record is tried before it is dead-lettered; ten times as often for faults not its own."""
DRAIN_SECONDS = 10.0


class Source(Service):  # type: ignore[misc]  # mode ships without usable annotations
    """Started after the agents and stopped before them. `failure` is set, once, when only a restart can help."""

    def __init__(self, config: SourceConfig, transaction: Transaction, state: KeyedState, handler: Handler):
        super().__init__()
        self.config, self.transaction, self.keyed, self.handler = config, transaction, state, handler
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._group = Membership(config, state, self._release, handler.placed)
        self._joined, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._inflight: Batch | None = None
        self._last: Batch | None = None
        self._error: Exception | None = None
        self._pending: dict[TopicPart, int] = {}
        self._uncommitted = self._attempts = 0
        self._limit = config.max_batch
        self._last_commit = self._last_poll = self._last_lag = time.monotonic()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="kafka")

    @property
    def epoch(self) -> int:
        return self._group.epoch

    # -- life ------------------------------------------------------------------------------------------------
    async def on_start(self) -> None:
        await self._call(self.transaction.init)
        self._group.join()
        self._joined.set()

    async def on_stop(self) -> None:
        try:
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        except TimeoutError:
            log.warning("the agent did not finish its batch: it will be read again")
        try:
            await self._call(self._commit_now)
        except Exception as exc:
            log.warning("last commit failed: its records will be read again", error=type(exc).__name__)
            await self._call(self._abort)
        await self._call(self._group.consumer.close)
        self._pool.shutdown(wait=False)

    async def _call(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)

    def fail(self, exc: BaseException) -> None:
        """Only a restart can help: the process ends without acknowledging anything more."""
        if not self.failure.done():
            self.failure.set_result(exc)

    async def _fail(self, exc: BaseException) -> NoReturn:
        self.fail(exc)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    @Service.task  # type: ignore[untyped-decorator]
    async def _keep_membership(self) -> None:
        """While a handler gives the loop its turn in a long batch. On the loop's thread: rebalance callbacks never run
        beside the handler."""
        while not self.should_stop:
            await self.sleep(KEEPALIVE / 3)
            if self._inflight is not None and time.monotonic() - self._last_poll > KEEPALIVE and self._group.at.floor:
                if not self._group.at.paused:
                    self._group.at.pause(self._group.consumer)
                self._group.consumer.poll(0)
                self._last_poll = time.monotonic()

    # -- the agent's side ------------------------------------------------------------------------------------
    async def next_batch(self, thrown: deque[BaseException]) -> Batch:
        await self._joined.wait()
        try:
            if self._inflight is not None:
                await self._recover(self._error or RuntimeError("the agent left its batch"))
            while True:
                if thrown:
                    raise thrown.popleft()
                messages = [] if self.should_stop else await self._fetch()
                if self.should_stop:  # on_stop commits what is finished; what was just fetched is read again
                    await asyncio.Event().wait()
                batch = self._batch_of(messages) or self._timer_batch()
                if batch is not None:
                    self.transaction.begin()
                    self._inflight = self._last = batch
                    self._idle.clear()
                    return batch
        except StopAsyncIteration:
            raise  # Faust's way to stop an agent
        except Exception as exc:  # a failed rebalance callback, a fatal error: a supervisor must not carry on past it
            await self._fail(exc)

    async def finished(self, batch: Batch) -> None:
        """The agent left its batch cleanly: its offsets may be committed."""
        self._inflight = None
        if not batch.stale:
            self._pending.update(batch.offsets)
            self._uncommitted += len(batch.messages)
            if self.transaction.breathe():
                await self._call(self.transaction.flush, 10.0)
            isolating = self._limit < self.config.max_batch
            if isolating or self.transaction.refused or time.monotonic() - self._last_commit >= COMMIT_INTERVAL:
                await self._commit()
        self._idle.set()

    def failed(self, exc: Exception) -> None:
        """The agent's handler raised: the batch is taken back when it asks for the next one."""
        self._error = exc

    def hold(self, batch: Batch, message: Message) -> None:
        topic, partition, offset = place(message)
        batch.offsets[topic, partition] = offset
        self._group.at.hold(self._group.consumer, (topic, partition), offset)

    async def _fetch(self) -> list[Message]:
        self._group.at.resume(self._group.consumer)
        self._last_poll = time.monotonic()
        messages = self._group.consumer.consume(self._limit, 0)  # what librdkafka has prefetched; never waits
        if not messages:
            if self._pending:
                await self._commit()  # nothing is gained by waiting
                return []
            self._measure_lag()
            first = await self._call(self._group.consumer.poll, POLL_SECONDS)
            if first is not None:
                messages = [first]
                if self._limit > 1 and first.error() is None:
                    messages += self._group.consumer.consume(self._limit - 1, 0)
        return messages

    def _batch_of(self, messages: list[Message]) -> Batch | None:
        good = [m for m in messages if m.error() is None]
        if len(good) != len(messages):
            for error in [e for m in messages if (e := m.error()) is not None]:
                if way_of(error) is Way.FATAL:
                    raise KafkaException(error)
                log.warning("consumer", error=str(error))
        if not good:
            return None
        now = time.monotonic()
        offsets: dict[TopicPart, int] = {}
        for topic, partition, offset in map(place, good):
            offsets[topic, partition] = offset + 1
        for _, partition in offsets:
            self._group.at.seen[partition] = now
        return Batch(self, good, offsets, {})

    def _timer_batch(self) -> Batch | None:
        """Idle partitions with due timers, as a batch without records. It carries their current offsets: a transaction
        without offsets would not be fenced when the group has moved on."""
        if self._pending:
            return None
        now, wall = time.monotonic(), int((time.time() - IDLE_GRACE) * 1000)
        ticks = {
            p: wall
            for p, seen in self._group.at.seen.items()
            if self.keyed.next_due(p) <= wall and now - seen > IDLE_GRACE and p not in self._group.at.held()
        }
        if not ticks:
            return None
        return Batch(self, [], {key: offset for key, offset in self._group.at.floor.items() if key[1] in ticks}, ticks)

    # -- commit, abort, recover ------------------------------------------------------------------------------
    async def _commit(self) -> None:
        try:
            await self._call(self._commit_now)
        except Exception as exc:
            await self._recover(exc)

    def _commit_now(self) -> None:
        """Blocks. Offsets, outputs, changelog and audit in one transaction."""
        if self._inflight is not None:  # would commit half a batch
            self._abort()
            self._pending.clear()
        if not self._pending:
            return
        read = {key: (self._group.at.floor[key], offset) for key, offset in self._pending.items()}
        self.handler.closing(read)
        self.keyed.write_clocks()
        offsets = [TopicPartition(*key, offset) for key, offset in self._pending.items()]
        self.transaction.commit(lambda: offsets, self._group.metadata)
        self._group.at.floor.update(self._pending)
        self._pending.clear()
        self.keyed.commit()
        self.handler.committed()
        self._uncommitted = self._attempts = 0
        self._limit = min(self.config.max_batch, self._limit * 2)
        self._last_commit = time.monotonic()

    def _abort(self) -> None:
        self.transaction.abort()
        self.keyed.rollback()
        self.handler.aborted()
        self._uncommitted = 0

    async def _recover(self, exc: BaseException) -> None:
        """Abort and read again; ends the process when only a restart, or a person, can repair it."""
        self._error = None
        count = self._uncommitted + (len(self._inflight.messages) if self._inflight else 0)
        only, epoch = self._inflight or self._last, self._group.epoch
        if way_out(exc, [])[0] is Way.FATAL:
            await self._fail(exc)
        try:
            await self._call(self._abort)  # also serves the delivery reports that tell why
        except Exception as again:
            await self._fail(again)
        way, reason = way_out(exc, self.transaction.refused)
        if way is Way.FATAL:
            await self._fail(exc)
        log.warning("records read again", way=way.value, records=count, reason=reason, where=where(exc))
        if epoch == self._group.epoch:
            self._pending.clear()
            self._group.rewind()
        self._inflight = None
        self._idle.set()
        if way is Way.RECORD and count > 1:
            self._limit = max(1, min(count, self._limit) // 2)
            return
        self._attempts += 1
        if way is Way.RECORD and self._attempts >= ATTEMPTS:
            if only is None or not only.messages:
                await self._fail(exc)  # a timer's fault: there is no record to refuse
            self.handler.poison(only.messages[0], reason, exc)
            self._attempts = 0
        elif self._attempts > 10 * ATTEMPTS:
            await self._fail(exc)
        await asyncio.sleep(0.01 if way is Way.GROUP else min(5.0, 0.05 * 2**self._attempts))

    def _release(self, commit: bool) -> None:
        """Partitions are about to go; with `commit` what is finished may still be committed."""
        if commit:
            try:
                self._commit_now()
            except Exception as exc:
                log.warning("commit at revocation failed: records will be read again", error=type(exc).__name__)
                self._abort()
        else:
            self._abort()
        self._pending.clear()

    def _measure_lag(self) -> None:
        """Records between the log's end and the last commit; a partition idle for IDLE_GRACE has none (what is left are
        transaction markers, which take offsets)."""
        now = time.monotonic()
        if now - self._last_lag < 1.0:
            return
        self._last_lag = now
        lag: dict[TopicPart, int] = {}
        for key, offset in self._group.at.floor.items():
            idle = now - self._group.at.seen.get(key[1], 0.0) > IDLE_GRACE and key[1] not in self._group.at.held()
            _, high = self._group.consumer.get_watermark_offsets(TopicPartition(*key), cached=True)
            lag[key] = 0 if idle or high < 0 else max(0, high - offset)
        self.handler.lagging(lag)
