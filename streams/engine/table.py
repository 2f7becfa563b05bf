"""Topics that a process follows in memory from beginning to end: bus.policy, and reference tables small enough to be
whole in every worker (the roster). A keyed table that is large is part of a chain's state instead.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import structlog

from streams.engine.admin import Admin, Offsets
from streams.engine.client import OPEN_TRANSACTION_S
from streams.engine.reader import Reader
from streams.engine.record import Record
from streams.errors import SystemFailure

_log = structlog.get_logger(__name__)


class Follower:
    """Calls `apply` with every record of a topic, in order within a partition: first, inside `start`, on the caller's
    thread up to the end of the topic, then on a thread of its own as records come.

    What `apply` raises, or a reader's failure, ends the following: `failure` holds it, `on_failure` (on the follower's
    thread) is told, and every later `sync` raises it. Nothing is skipped.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        apply: Callable[[Record], None],
        on_failure: Callable[[SystemFailure], None] | None = None,
    ) -> None:
        self._bootstrap, self._topic, self._apply, self._on_failure = bootstrap, topic, apply, on_failure
        self._admin = Admin(bootstrap)
        self._moved = threading.Condition()
        self._positions: Offsets = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: SystemFailure | None = None

    def start(self, timeout: float = OPEN_TRANSACTION_S) -> Self:
        """Read the topic to its end, then follow it. Blocks; raises SystemFailure when nothing moves for `timeout`
        seconds, UserError when the topic does not exist, and whatever `apply` raises."""
        reader = Reader(self._bootstrap, [self._topic], client_id=f"haihe-follow-{self._topic}")
        try:
            for record in reader.read_to_end(timeout):
                self._apply(record)
        except BaseException:
            reader.close()
            raise
        self._positions = reader.positions
        self._thread = threading.Thread(target=self._follow, args=(reader,), name=f"follow-{self._topic}", daemon=True)
        self._thread.start()
        return self

    def sync(self, timeout: float = 10.0) -> None:
        """Return when everything that the topic held when this was called has been applied.

        Raises SystemFailure when the broker cannot be asked, when it takes longer than `timeout` seconds, or when the
        following has failed.
        """
        ends = self._admin.ends([self._topic])
        end = time.monotonic() + timeout
        with self._moved:
            while any(self._positions.get(tp, 0) < offset for tp, offset in ends.items()):
                self.check()
                left = end - time.monotonic()
                if left <= 0 or self._thread is None:
                    raise SystemFailure(f"{self._topic} could not be read to its end within {timeout:g} s")
                self._moved.wait(left)
        self.check()

    def check(self) -> None:
        """Raise the failure that ended the following, if any."""
        if self.failure is not None:
            raise self.failure

    @property
    def version(self) -> int:
        """The next offset of a topic with one partition (the version of bus.policy); the sum over partitions otherwise.
        Grows with every record applied."""
        return sum(self._positions.values())

    def stop(self) -> None:
        """End the following; a second call does nothing."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start() if self._thread is None else self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _follow(self, reader: Reader) -> None:
        try:
            with reader:
                while not self._stopping.is_set():
                    for record in reader.read(timeout=0.2):
                        self._apply(record)
                    positions = reader.positions
                    if positions != self._positions:
                        with self._moved:
                            self._positions = positions
                            self._moved.notify_all()
        except Exception as exc:
            # The text of a foreign exception may quote a value: only its type is told.
            failure = exc if isinstance(exc, SystemFailure) else SystemFailure(f"{self._topic}: {type(exc).__name__}")
            failure.__cause__ = exc if failure is not exc else exc.__cause__
            with self._moved:
                self.failure = failure
                self._moved.notify_all()
            _log.error("the following of a topic ended", topic=self._topic, reason=str(failure))
            if self._on_failure is not None:
                self._on_failure(failure)


class GlobalTable:
    """A compacted topic as a mapping from its keys to the latest decoded value: a flow's Table.

    `decode` is called once a record with the value's bytes. When it raises ValueError the record is left out: the key
    keeps the value it had, `rejected` counts it, and the log says where it is. One bad roster entry must not stop
    every worker of the city.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        decode: Callable[[bytes], Mapping[str, Any]],
        on_failure: Callable[[SystemFailure], None] | None = None,
    ) -> None:
        self._decode = decode
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._follower = Follower(bootstrap, topic, self._put, on_failure)
        self.rejected = 0

    def start(self) -> Self:
        """Read the whole table, then follow it; blocks and raises as Follower.start does."""
        self._follower.start()
        return self

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The row, or None. Raises SystemFailure once the table is no longer followed: a stale roster would send
        alerts to whoever was on duty then."""
        if self._follower.failure is not None:
            raise self._follower.failure
        return self._rows.get(key)

    def sync(self, timeout: float = 10.0) -> None:
        """As Follower.sync."""
        self._follower.sync(timeout)

    def __len__(self) -> int:
        return len(self._rows)

    def stop(self) -> None:
        """End the following."""
        self._follower.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _put(self, record: Record) -> None:
        if record.key is None:
            return  # a compacted topic has no record without key; there is nothing to look it up by
        key = record.key.decode("utf-8", "replace")
        if record.value is None:
            self._rows.pop(key, None)
            return
        try:
            self._rows[key] = self._decode(record.value)
        except ValueError:
            self.rejected += 1
            _log.warning(
                "a record is no row of its table: the old one stays",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
            )
