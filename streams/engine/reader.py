"""Read topics whole, without a consumer group: reference tables, the gateway, `haihe tail`, tests.

Positions are the caller's own (nothing is committed), only committed records are seen, and "the end" is the HIGH
watermark: transaction markers take offsets, and the records of an open transaction are waited for, since they may yet
become part of the log.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Self

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.engine.admin import Admin, Offsets
from streams.engine.client import OPEN_TRANSACTION_S, consumer_config
from streams.engine.record import BEGINNING, END, Headers, Record, Start
from streams.errors import SystemFailure

__all__ = ["OutOfRange", "Reader", "Record"]

_log = structlog.get_logger(__name__)

_PASSING = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
"""Client errors that librdkafka mends by reconnecting."""


class OutOfRange(SystemFailure):
    """An offset to read from is not in the log: retention has passed it, or it lies beyond the end."""


class Reader:
    """Some topics, whole or in part, from where the caller says. For one thread at a time, `close` included."""

    def __init__(self, bootstrap: str, topics: Sequence[str], start: Start = "beginning", client_id: str = "") -> None:
        """`start` as record.Start says. Raises UserError for a topic that does not exist, OutOfRange for a partition or
        offset that the log does not have, SystemFailure when the broker does not answer."""
        self._admin = Admin(bootstrap)
        self._topics = list(topics)
        begins, ends = self._admin.starts(topics), self._admin.ends(topics)
        if not isinstance(start, str):
            wanted = dict(start)
        else:
            wanted = dict.fromkeys(begins, BEGINNING if start == "beginning" else END)
        self._positions: Offsets = {}
        for tp, offset in wanted.items():
            first, last = begins.get(tp, 0), ends.get(tp, -1)
            self._positions[tp] = {BEGINNING: first, END: last}.get(offset, offset)
            if not first <= self._positions[tp] <= last:
                raise OutOfRange(f"{tp[0]}[{tp[1]}] has no offset {offset}")
        self._consumer = Consumer(
            consumer_config(
                bootstrap,
                "haihe-reader",  # librdkafka wants one; it is never joined and commits nothing
                client_id=client_id or "haihe-reader",
                enable_partition_eof=True,
            )
        )
        self._unread = {tp for tp, offset in wanted.items() if offset == BEGINNING}
        self._assign()

    @property
    def positions(self) -> Offsets:
        """The next offset to read, for each (topic, partition); behind a marker as soon as that is known."""
        return dict(self._positions)

    def read(self, max_records: int = 1000, timeout: float = 1.0) -> list[Record]:
        """What has come, at once; with nothing there, wait up to `timeout` seconds for the first record.

        Records of a partition are in order. Raises SystemFailure for an error that waiting cannot mend.
        """
        end = time.monotonic() + timeout
        while True:
            records = self._fetch(max_records, max(0.0, end - time.monotonic()))
            if records or time.monotonic() >= end:
                return records

    def read_to_end(self, timeout: float = OPEN_TRANSACTION_S) -> Iterator[Record]:
        """Every record up to the HIGH watermarks as of the first step of this iteration.

        Raises SystemFailure when nothing moves for `timeout` seconds: somebody holds a transaction open for longer than
        any transaction may be, or the broker is away.
        """
        ends = self._admin.ends(self._topics)
        left = {tp for tp in self._positions if self._positions[tp] < ends[tp]}
        moved = time.monotonic()
        while left:
            before = [self._positions[tp] for tp in left]
            yield from self._fetch(20_000, 0.5)
            if before != [self._positions[tp] for tp in left]:
                moved = time.monotonic()
                left = {tp for tp in left if self._positions[tp] < ends[tp]}
            elif time.monotonic() - moved > timeout:
                topic, partition = min(left)
                raise SystemFailure(
                    f"{topic}[{partition}] cannot be read to its end: offset {self._positions[topic, partition]} of "
                    f"{ends[topic, partition]} for {timeout:g} s (an open transaction, or the broker is away)"
                )

    def caught_up(self) -> bool:
        """Whether everything up to the HIGH watermarks as of now has been returned already. Asks the broker."""
        ends = self._admin.ends(self._topics)
        return all(position >= ends[tp] for tp, position in self._positions.items())

    def close(self) -> None:
        """Leave; a second call does nothing."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _fetch(self, max_records: int, timeout: float) -> list[Record]:
        """One step: what is prefetched, or the first thing that comes (it may be an end-of-partition event only)."""
        try:
            messages = self._consumer.consume(max_records, 0)
            if not messages and timeout > 0:
                # Not consume(n, timeout): that waits until there are n.
                first = self._consumer.poll(timeout)
                messages = [first, *self._consumer.consume(max_records - 1, 0)] if first is not None else []
        except KafkaException as exc:
            raise SystemFailure(f"reading {', '.join(self._topics)}: {exc.args[0].str()}") from exc
        records = []
        for message in messages:
            if message.error() is None:
                record = _record(message)
                self._positions[record.topic, record.partition] = record.offset + 1
                self._unread.discard((record.topic, record.partition))
                records.append(record)
            else:
                self._event(message)
        if self._stopped:
            self._assign()  # a partition in error cannot be sought
        return records

    def _event(self, message: Message) -> None:
        error, tp = message.error(), (message.topic() or "", message.partition() or 0)
        assert error is not None
        if error.code() == KafkaError._PARTITION_EOF:
            # The offset of the end, past markers and aborted records that are never delivered.
            self._positions[tp] = max(self._positions[tp], message.offset() or 0)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._passed(tp)
        elif error.retriable() or error.code() in _PASSING:
            _log.warning("reading goes on", topic=tp[0], partition=tp[1], error=error.str())
        else:
            raise SystemFailure(f"reading {tp[0]}[{tp[1]}]: {error.str()}")

    def _passed(self, tp: tuple[str, int]) -> None:
        """Retention has passed the next offset: no loss for who asked for the beginning and has read nothing yet."""
        if tp not in self._unread:
            raise OutOfRange(f"{tp[0]}[{tp[1]}]: retention has passed the offset to read next")
        self._positions[tp] = self._admin.starts([tp[0]])[tp]
        self._stopped = True

    def _assign(self) -> None:
        """Fetch from the positions on. Numbers, never Kafka's markers: a client that has just started takes 500 ms to
        resolve one."""
        self._stopped = False
        self._consumer.assign([TopicPartition(t, p, offset) for (t, p), offset in self._positions.items()])


def _record(message: Message) -> Record:
    headers = message.headers()
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1],
        message.key(),
        message.value(),
        _headers(headers) if headers else (),
    )


def _headers(headers: object) -> Headers:
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((name, value if isinstance(value, bytes) else b"") for name, value in pairs)  # type: ignore[attr-defined]  # list of pairs, as librdkafka gives it
