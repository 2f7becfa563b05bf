"""The feed: the thread that reads the view topic and hands decoded alerts to the hub, batch by batch.

It decodes and encodes here, so that the event loop only indexes and writes. A record that cannot be read is counted,
logged by its offset and passed over: one bad record must not keep every grid worker from his alerts. Anything else that
goes wrong ends the process, which reads again.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from connectors.base import Positions, Source
from connectors.gateway.alert import Alert, Decoder
from connectors.gateway.hub import Hub
from connectors.gateway.place import reaches
from streams.engine.record import Record
from streams.errors import Rejection

_log = structlog.get_logger(__name__)

_MAX_RECORDS = 2_000
_WAIT_S = 0.2


class Feed:
    """Reads `source` into `hub`, whose event loop is `loop`. `failed` is called on the loop with what ended it."""

    def __init__(
        self,
        source: Source,
        decoder: Decoder,
        hub: Hub,
        loop: asyncio.AbstractEventLoop,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._source = source
        self._decoder = decoder
        self._hub = hub
        self._loop = loop
        self._failed = failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; returns when it has closed the source. Not to be called on the event loop."""
        self._stop.set()
        if self._thread.ident is not None:  # a gateway that cannot listen stops before it began
            self._thread.join()

    def _run(self) -> None:
        try:
            if self._load():
                self._follow()
        except BaseException as error:
            # Also a MemoryError or a bug in here: a gateway that no longer reads must not look alive.
            self._post(self._failed, error)
        finally:
            self._source.close()

    def _load(self) -> bool:
        """Whether the index is whole (False: told to stop before it was)."""
        began, alerts = time.monotonic(), 0
        # The end as of now: while the city is busy there is always one more record.
        end = self._source.readable_ends()
        while not reaches(self._source.positions(), end):
            if self._stop.is_set():
                return False
            batch = self._decode(self._source.read(_MAX_RECORDS, _WAIT_S))
            alerts += len(batch)
            self._hub.take(batch, self._source.positions())
        _log.info(
            "index built", alerts=alerts, open=self._hub.index.open_alerts, seconds=round(time.monotonic() - began, 2)
        )
        # The index lives as long as the process: the collector need not walk through it while clients wait.
        gc.freeze()
        self._post(self._hub.ready.set)
        return True

    def _follow(self) -> None:
        before = self._source.positions()
        while not self._stop.is_set():
            batch = self._decode(self._source.read(_MAX_RECORDS, _WAIT_S))
            positions = self._source.positions()
            if positions != before:
                before = positions
                self._hand_over(batch, positions)

    def _hand_over(self, batch: Sequence[Alert], positions: Positions) -> None:
        """One batch at a time: a loop that is busy slows the reading down instead of piling up batches."""
        taken = threading.Event()

        def take() -> None:
            try:
                self._hub.take(batch, positions)
            except BaseException as error:
                self._stop.set()
                self._failed(error)
            finally:
                taken.set()

        self._post(take)
        while not taken.wait(_WAIT_S) and not self._stop.is_set():
            pass

    def _decode(self, records: Sequence[Record]) -> list[Alert]:
        alerts = []
        for record in records:
            alert = self._decoder.decode(record)
            if isinstance(alert, Rejection):
                self._hub.metrics.records.labels("gateway", "push", alert.step, "rejected").inc()
                _log.warning(
                    "record passed over",
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                    step=alert.step,
                    reason=alert.reason,
                    detail=alert.detail,
                )
            else:
                alerts.append(alert)
        return alerts

    def _post(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # The loop is closed: the process is ending anyway.
            self._stop.set()
