"""A door to a real registry that a test can shut: behind it the registry goes on, for those in front of it is away."""

import contextlib
import selectors
import socket
import threading
from typing import Self
from urllib.parse import urlsplit


class Door:
    """Passes TCP connections on to the registry of `url` while open; shut, its port refuses them and the ones that were
    open end, as when the registry's machine is switched off. Shut at first."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "", parts.port or 80)
        self._kept = socket.socket()  # bound and not listening: connections are refused, the port stays ours
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._kept.bind(("127.0.0.1", 0))
        self._port: int = self._kept.getsockname()[1]
        self.url = parts._replace(netloc=f"127.0.0.1:{self._port}").geturl()
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def open(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        if self._listener is not None:
            for end in (self._listener, *self._open):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self._listener = None
            self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.shut()
        self._kept.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                front, _ = listener.accept()
                back = socket.create_connection(self._to)
                self._open |= {front, back}
                threading.Thread(target=_pass_on, args=(front, back), daemon=True).start()


def _pass_on(front: socket.socket, back: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as ready, front, back:
        ready.register(front, selectors.EVENT_READ, back)
        ready.register(back, selectors.EVENT_READ, front)
        while True:
            for key, _ in ready.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # only sockets are registered
                if not data:
                    return
                key.data.sendall(data)
