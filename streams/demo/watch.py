"""The watcher: a thread that reads what the bus writes for itself (changes, audit, dead letters) from the offsets noted
before the outbreak began, and hands it to the simulator's loop. It joins no group and disturbs nobody.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence

from streams.engine.reader import Reader
from streams.engine.record import Record
from streams.errors import SystemFailure

_WAIT_S = 0.2


class Watcher:
    """Reads from `start` ((topic, partition) -> offset); `take` gets each batch on `loop`, `failed` what ended it."""

    def __init__(
        self,
        bootstrap: str,
        start: Mapping[tuple[str, int], int],
        loop: asyncio.AbstractEventLoop,
        take: Callable[[Sequence[Record]], None],
        failed: Callable[[SystemFailure], None],
    ) -> None:
        topics = sorted({topic for topic, _ in start})
        self._reader = Reader(bootstrap, topics, start, client_id="demo-watcher")
        self._loop, self._take, self._failed = loop, take, failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; returns when it has let go of the broker."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with self._reader as reader:
            try:
                while not self._stop.is_set():
                    records = reader.read(2_000, _WAIT_S)
                    if records and not self._loop.is_closed():
                        self._loop.call_soon_threadsafe(self._take, records)
            except SystemFailure as failure:
                self._loop.call_soon_threadsafe(self._failed, failure)
            except RuntimeError:
                return  # the loop closed in between: the run is over
