"""The producer of one worker slot: everything a chain writes goes through one transaction at a time.

The transactional id is the group and the slot, stable over restarts: the restart aborts what a killed process left
open, and a second process with the same slot fences the first.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from streams.engine.faults import Fenced, Refused
from streams.errors import SystemFailure
from streams.observe.metrics import METRICS

log = structlog.get_logger(__name__)

CALL_TIMEOUT = 30.0
"""Seconds one transactional call may take before it says `retriable`."""
RETRY_FOR = 120.0
"""Seconds for which retriable calls are repeated: brokers in failover took up to 18 s."""
MAX_QUEUED = 400_000
"""Records in the producer's queue before the agent waits for a flush (instead of meeting BufferError)."""


class Transaction:
    """Blocking calls, one thread at a time. `produce` is librdkafka's own: (topic, value, key, partition, ...)."""

    def __init__(self, chain: str, config: dict[str, Any]):
        self.chain = chain
        self.open = False
        self.refused: list[tuple[KafkaError, str]] = []
        self.id: str = config["transactional.id"]
        self._producer = Producer(
            {**config, "delivery.report.only.error": True, "on_delivery": self._on_refused, "error_cb": self._on_error}
        )
        self.produce = self._producer.produce

    def init(self) -> None:
        """Fence whoever had this id and abort what it left open. Blocks; raises KafkaException."""
        self._retry(self._producer.init_transactions)

    def begin(self) -> None:
        """Open a transaction unless one is open."""
        if not self.open:
            self.refused.clear()
            self._producer.begin_transaction()
            self.open = True

    def breathe(self) -> bool:
        """Serve delivery reports; True when the queue is so full that the caller should flush first."""
        self._producer.poll(0)
        return len(self._producer) > MAX_QUEUED

    def flush(self, seconds: float) -> int:
        """Wait for delivery; the number of records still waiting."""
        return int(self._producer.flush(seconds))

    def commit(self, offsets: Callable[[], list[TopicPartition]], metadata: Callable[[], Any]) -> None:
        """flush, send_offsets_to_transaction, commit_transaction.

        Flush comes first: after a refused record `commit_transaction` would wait for the transaction's timeout, and
        `send_offsets` right after the last commit would meet CONCURRENT_TRANSACTIONS and wait out retry.backoff.ms.
        `metadata` is called as late as possible and raises Fenced when the membership is gone.
        Raises Refused, Fenced, KafkaException; SystemFailure when records stay undelivered for RETRY_FOR seconds.
        """
        started = time.monotonic()
        end = started + RETRY_FOR
        while self._producer.flush(0.5) and not self.refused:
            if time.monotonic() > end:
                raise SystemFailure(f"records stayed undelivered for {RETRY_FOR:.0f} s: the brokers are away")
            # Raises at once if the transaction failed without a delivery report.
            self._send_offsets(offsets(), metadata)
        if self.refused:
            raise Refused(self.refused)
        flushed = time.monotonic()
        self._send_offsets(offsets(), metadata)
        sent = time.monotonic()
        self._retry(self._producer.commit_transaction)
        self.open = False
        seconds = METRICS.step_seconds.labels
        seconds(self.chain, "flush").observe(flushed - started)
        seconds(self.chain, "offsets").observe(sent - flushed)
        seconds(self.chain, "commit").observe(time.monotonic() - sent)

    def abort(self) -> None:
        """Give up what is open. Delivery reports of the failure stay in `refused` until the next `begin`."""
        if self.open:
            # An abort that overtakes AddPartitionsToTxn, right after a commit, was once fatal INVALID_TXN_STATE.
            if not self.refused:
                self._producer.flush(0.3)
            self._retry(self._producer.abort_transaction)
            self.open = False

    def _send_offsets(self, offsets: list[TopicPartition], metadata: Callable[[], Any]) -> None:
        self._retry(self._producer.send_offsets_to_transaction, offsets, metadata())

    def _retry(self, call: Callable[..., object], *args: object) -> None:
        end = time.monotonic() + RETRY_FOR
        while True:
            try:
                call(*args, CALL_TIMEOUT)
                return
            except KafkaException as exc:
                error = exc.args[0]
                if not error.retriable() or error.txn_requires_abort() or time.monotonic() > end:
                    raise
                log.warning("transactional call repeated", call=call.__name__, error=str(error))
                self._producer.poll(0.1)

    def _on_refused(self, error: KafkaError | None, message: Message) -> None:
        # Purged records are those of our own abort.
        if error is not None and error.code() not in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            self.refused.append((error, f"{message.topic()}[{message.partition()}]: {error}"))

    def _on_error(self, error: KafkaError) -> None:
        log.warning("kafka client", transactional_id=self.id, error=str(error))


__all__ = ["Fenced", "Refused", "Transaction"]
