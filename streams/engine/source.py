"""The heart of a worker: one member of a consumer group and one transaction, serving one agent with batches.

Reading, working, committing take turns on one agent, so the consumer is never used from two threads at once: blocking
calls run in a pool of one thread while the agent waits for them. Every failure takes one path: abort, drop the state
overlay, seek to the last committed offsets, read again.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, TypeVar

import structlog
from confluent_kafka import KafkaException, Message, TopicPartition
from mode import Service

from streams.engine.batch import Batch, TopicPart, place
from streams.engine.faults import Way, way_out, where
from streams.engine.fetched import IDLE_GRACE, Fetched
from streams.engine.handler import Handler
from streams.engine.isolation import Isolation
from streams.engine.membership import Membership, SourceConfig
from streams.engine.state import KeyedState
from streams.engine.transaction import Transaction

log = structlog.get_logger(__name__)
T = TypeVar("T")

COMMIT_INTERVAL = 0.1
"""Seconds a transaction stays open at most under load; it ends earlier as soon as nothing is prefetched."""
POLL_SECONDS = 0.2
"""How long one wait for records lasts, and so how late an idle partition's timers may be noticed."""
KEEPALIVE = 30.0
"""A batch worked on for longer is paused and polled around, to stay in the group (max.poll.interval is 5 minutes)."""
MAX_ATTEMPTS = 30
"""How often in a row the same work is tried again before the process gives up and is restarted."""
DRAIN_SECONDS = 10.0


class Source(Service):  # type: ignore[misc]  # mode ships without usable annotations
    """Started after the agents and stopped before them. `failure` is set, once, when only a restart can help."""

    logger = logging.getLogger("mode.source")  # its comings and goings are as loud as mode's own

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
        self._isolation = Isolation(config.max_batch)
        self._fetched = Fetched(self._group, self._isolation, bool(config.changelog), handler.lagging)
        self._last_commit = self._last_poll = time.monotonic()
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
            if self._inflight is None or time.monotonic() - self._last_poll < KEEPALIVE:
                continue
            try:
                self._group.at.paused = True
                self._group.at.settle(self._group.consumer)
                if (message := self._group.consumer.poll(0)) is not None and not self._fetched.errors_of([message]):
                    self._group.rewind()  # it was under way before the pause: read it again, in its place
                self._last_poll = time.monotonic()
            except Exception as exc:
                self.fail(exc)

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
                    self._inflight = batch
                    self._last = batch if batch.messages else self._last
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
            if (
                self._isolation.active
                or self.transaction.refused
                or time.monotonic() - self._last_commit >= COMMIT_INTERVAL
            ):
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
        consumer, at, epoch = self._group.consumer, self._group.at, self.epoch
        at.paused = False
        at.settle(consumer)
        self._last_poll = time.monotonic()
        messages = consumer.consume(self._isolation.limit, 0)  # what librdkafka has prefetched; never waits
        if not messages and self._pending:
            await self._commit()  # nothing is gained by waiting
            return []
        if not messages:
            self._fetched.nothing()
            first = await self._call(consumer.poll, POLL_SECONDS)
            if first is not None:
                messages = [first]
                if self._isolation.limit > 1:
                    messages += consumer.consume(self._isolation.limit - 1, 0)
        if self.epoch != epoch and messages:  # a rebalance in between: they may be of the time before it
            self._group.rewind()
            return []
        return messages

    def _batch_of(self, messages: list[Message]) -> Batch | None:
        records, offsets, ticks = self._fetched.sort(messages)
        return Batch(self, records, offsets, ticks) if records else None

    def _timer_batch(self) -> Batch | None:
        """Idle partitions with due timers, as a batch without records. It carries their current offsets: a transaction
        without offsets would not be fenced when the group has moved on."""
        wall = int((time.time() - IDLE_GRACE) * 1000)
        due = [p for p in self.keyed.partitions if self.keyed.next_due(p) <= wall]
        if self._pending or self._isolation.active or not due:
            return None
        at = self._group.at
        ticks = {p: wall for p in at.idle(self._group.consumer, IDLE_GRACE) if p in due}
        offsets = {key: offset for key, offset in at.floor.items() if key[1] in ticks}
        return Batch(self, [], offsets, ticks) if ticks else None

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
        if self._isolation.committed(self._group.at.floor):
            self._group.at.focus(None)
        self._last_commit = time.monotonic()

    def _abort(self) -> None:
        self.transaction.abort()
        self.keyed.rollback()
        self.handler.aborted()
        self._uncommitted = 0

    async def _recover(self, exc: BaseException) -> None:
        """Abort and read again; ends the process when only a restart, or a person, can repair it."""
        taken, self._inflight, self._error = self._inflight, None, None
        count, epoch = self._uncommitted + (len(taken.messages) if taken else 0), self.epoch
        read = {**self._pending, **(taken.offsets if taken else {})}
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
        self._idle.set()
        ours = epoch == self.epoch
        if ours:
            self._pending.clear()
            self._group.rewind()
        if ours and way is Way.RECORD:
            # What the broker refused is noticed later, by `produce` failing for a record that is not to blame.
            raised = not (self.transaction.refused or isinstance(exc, KafkaException))
            culprit = taken.at if taken and raised else None
            if culprit is None and count == 1 and self._last is not None:
                culprit = self._last.messages[0]
            if culprit is None and count == 0:
                await self._fail(exc)  # a timer's fault: there is no record to refuse
            if culprit is None:
                self._group.at.focus(self._isolation.suspect(read, count))
                return
            if self._isolation.failed(place(culprit)):
                self.handler.poison(culprit, reason, exc)
                return
        self._attempts += 1
        if self._attempts > MAX_ATTEMPTS:
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
        self._isolation.clear()
