"""A real Kafka that can be made silent: frozen, it keeps its connections and answers nobody, as a machine does whose
disk or network hangs. The worst way to be away, because nothing is refused."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.local.stack import Stack


class FreezableKafka:
    """A Kafka of its own: freezing the one that all tests share would stop those too."""

    def __init__(self, home: Path) -> None:
        self._stack = Stack(home, prometheus=False, registry=False).start()
        self.bootstrap_servers = self._stack.bootstrap_servers
        self._pid = self._stack.processes["kafka"].pid

    def freeze(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Goes on where it was, requests that have come meanwhile included; nothing when it is not frozen."""
        os.kill(self._pid, signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def close(self) -> None:
        self.thaw()
        self._stack.close()
