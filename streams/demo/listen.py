"""The grid workers' phones: one connection of server-sent events for each addressee, held to what clients are promised.

A phone begins at the place noted before the outbreak, remembers the last id, and when its connection breaks comes back
with it. It does nothing else to tell repeats: whatever arrives twice is a duplicate in the report.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import aiohttp

from streams.errors import SystemFailure

OnAlert = Callable[[str, Mapping[str, Any], float], None]
_AT_ONCE = 100
_CONNECT_S = 60
_SILENCE_S = 45
"""Three heartbeats: a connection that is silent for longer is dead."""


class Phones:
    """All phones of a run. `token` signs for an addressee, `on_alert` gets addressee, alert and time of arrival
    (perf_counter), `on_reset` is told when the gateway could not resume a phone."""

    def __init__(
        self,
        url: str,
        token: Callable[[str], str],
        on_alert: OnAlert,
        on_reset: Callable[[str], None],
    ) -> None:
        self._url, self._token, self._on_alert, self._on_reset = url, token, on_alert, on_reset
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SILENCE_S),
            read_bufsize=16 * 1024,
        )
        self.connected = 0
        self.reconnects = 0

    async def place(self, addressee: str) -> str:
        """Where the gateway is now: the id that it gives a phone that comes for the first time."""
        async with self._open(addressee, "") as response:
            return await _first_id(response)

    async def connect(self, addressees: Iterable[str], place: str) -> None:
        """Connect them all from `place`; returns when every one is."""
        began = [asyncio.Event() for _ in addressees]
        for addressee, event in zip(addressees, began, strict=True):
            self._tasks.append(asyncio.create_task(self._live(addressee, place, event)))
        try:
            async with asyncio.timeout(_CONNECT_S):
                for event in began:
                    await event.wait()
        except TimeoutError:
            missing = f"only {self.connected} of {len(began)} phones could connect to the gateway"
            raise SystemFailure(missing) from self.failed()

    def failed(self) -> BaseException | None:
        """What ended a phone for good, if anything did."""
        return next((e for t in self._tasks if t.done() and not t.cancelled() and (e := t.exception())), None)

    async def close(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def _open(self, addressee: str, place: str) -> Any:
        headers = {"Authorization": f"Bearer {self._token(addressee)}", "Accept": "text/event-stream"}
        if place:
            headers["Last-Event-ID"] = place
        return self._session.get(f"{self._url}/grid-workers/{addressee}/alerts", headers=headers)

    async def _live(self, addressee: str, place: str, began: asyncio.Event) -> None:
        stream = _Stream(addressee, place, self._on_alert, self._on_reset)
        while True:
            try:
                async with self._gate:
                    response: aiohttp.ClientResponse = await self._open(addressee, stream.place)
                try:
                    if response.status in (401, 403):
                        raise SystemFailure(f"the gateway refuses {addressee}: {response.status}")
                    if response.status == 200:
                        self.connected += 1
                        began.set()
                        try:
                            await stream.follow(response.content)
                        finally:
                            self.connected -= 1
                finally:
                    response.close()
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass  # a killed gateway: come back
            self.reconnects += 1
            # Not all at the same moment: so do the phones.
            await asyncio.sleep(random.uniform(0.1, 0.5))


class _Stream:
    """What one phone has understood so far (HTML living standard, 9.2.6: fields, dispatch on the empty line)."""

    def __init__(self, addressee: str, place: str, on_alert: OnAlert, on_reset: Callable[[str], None]) -> None:
        self.place = place
        self._addressee, self._on_alert, self._on_reset = addressee, on_alert, on_reset

    async def follow(self, content: aiohttp.StreamReader) -> None:
        """Until the connection ends. An event that was cut off is not dispatched, nor is its id taken."""
        event, data, place = b"", b"", self.place
        while line := await content.readline():
            if not line.endswith(b"\n"):
                return
            name, _, value = line[:-1].partition(b":")
            value = value.removeprefix(b" ")
            if name == b"id":
                place = value.decode()
            elif name == b"event":
                event = value
            elif name == b"data":
                data = value
            elif line == b"\n":
                self.place = place
                if event == b"alert":
                    self._on_alert(self._addressee, json.loads(data), time.perf_counter())
                elif event == b"reset":
                    self._on_reset(self._addressee)
                event = data = b""


async def _first_id(response: aiohttp.ClientResponse) -> str:
    if response.status != 200:
        raise SystemFailure(f"the gateway answers {response.status} to a phone")
    async for line in response.content:
        if line.startswith(b"id:"):
            return line[3:].strip().decode()
    raise SystemFailure("the gateway gave no place to start from")
