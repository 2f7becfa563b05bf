"""The people behind the phones: whoever is told of an alert looks at it after a while and acts after a while more, and
says both to the gateway, again and again with the same event_id until it is taken.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import aiohttp

from streams.demo.oracle import Oracle
from streams.demo.people import Does, People
from streams.errors import SystemFailure

_AT_ONCE = 64
"""Receipts on their way at the same time: each waits for the broker, and a gateway that is away is not asked by all."""
_TIMEOUT_S = 15
"""Longer than the gateway waits for the broker."""


class Notes(Protocol):
    """Who wants to know what becomes of receipts."""

    def will_look(self, alert_id: str, seen_id: str, due_ms: int) -> None:
        """Who is going to answer an alert was told, must see it until `due_ms`, and says so with a SEEN of this id."""

    def taken(self, event_id: str) -> None:
        """The gateway has acknowledged it."""

    def refuse(self, status: int) -> None:
        """The gateway will never take it."""


class Answers:
    """What all people of a run say. `oracle` knows an alert's ladder, `people` what is done about it, `failed` is told
    of a fault that no retry mends."""

    def __init__(
        self,
        url: str,
        token: Callable[[str], str],
        oracle: Oracle,
        people: People,
        notes: Notes,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._url, self._token = url, token
        self._oracle, self._people, self._notes, self._failed = oracle, people, notes, failed
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_AT_ONCE), timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)
        )
        self._told: set[tuple[str, str]] = set()
        self._over: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, addressee: str, value: Mapping[str, Any]) -> None:
        """An event of an alert of this run has reached `addressee`, who may answer it."""
        alert_id = value["alert_id"]
        if value["state"] in ("RETRACTED", "CLOSED"):
            self._over.add(alert_id)
        if value["due_at"] is None or value["addressee"] != addressee or (alert_id, addressee) in self._told:
            return
        self._told.add((alert_id, addressee))
        ladder = [rung.addressee for rung in self._oracle.raised[alert_id].ladder]
        step = ladder.index(addressee) if addressee in ladder else len(ladder)
        does = self._people.does(alert_id, step, addressee)
        if does is not None:
            if step == self._people.course(alert_id).ignored:
                self._notes.will_look(alert_id, _event_id(alert_id, addressee, "SEEN"), value["due_at"])
            if does.says_received:  # the device says that, whatever becomes of the rest
                self._start(self._say(alert_id, addressee, "RECEIVED", None))
            self._start(self._answer(alert_id, addressee, does))

    def _start(self, saying: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(saying)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """Whoever has not answered yet will not."""
        for task in self._tasks:
            task.remove_done_callback(self._done)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def _answer(self, alert_id: str, addressee: str, does: Does) -> None:
        await asyncio.sleep(does.looks_s)
        if alert_id in self._over:
            return  # nothing to look at any more
        await self._say(alert_id, addressee, "SEEN", None)
        if does.acts_s is None:
            return
        await asyncio.sleep(does.acts_s)
        if alert_id not in self._over:
            await self._say(alert_id, addressee, "ACTED", does.outcome)

    async def _say(self, alert_id: str, addressee: str, kind: str, outcome: str | None) -> None:
        """Send one receipt until it is taken."""
        event_id, happened = _event_id(alert_id, addressee, kind), time.monotonic()
        body: dict[str, Any] = {"event_id": event_id, "kind": kind, "outcome": outcome}
        while True:
            body["ago_ms"] = int((time.monotonic() - happened) * 1000)
            async with self._gate:
                status, wait = await self._post(alert_id, addressee, body)
            if status == 202:
                self._notes.taken(event_id)
                return
            if status is not None and status != 503:
                self._notes.refuse(status)
                return
            await asyncio.sleep(wait)

    async def _post(self, alert_id: str, addressee: str, body: Mapping[str, Any]) -> tuple[int | None, float]:
        """The gateway's status, None when it is away, and after how many seconds to ask again."""
        try:
            async with self._session.post(
                f"{self._url}/alerts/{alert_id}/receipts",
                json=body,
                headers={"Authorization": f"Bearer {self._token(addressee)}"},
            ) as response:
                await response.read()
                return response.status, float(response.headers.get("Retry-After", 1))
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None, random.uniform(0.2, 0.6)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(SystemFailure(f"a receipt could not be sent: {type(error).__name__}"))


def _event_id(alert_id: str, addressee: str, kind: str) -> str:
    """The same for every retry, another for every receipt."""
    return str(uuid.uuid5(uuid.UUID(alert_id), f"{addressee}/{kind}"))
