"""Plays the outbreak: 500 inputs a second for a while, then bursts as fast as they go, and always one person's next
event only after the effect of the former was seen.

One asyncio loop does it all, beside a thousand listening phones, on a machine that it shares with the bus: the inputs
of the bursts are made and encoded before the clock starts, and the steady part is sent in slices of 10 ms.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from streams.demo.ledger import Ledger
from streams.demo.oracle import Change
from streams.demo.outline import WARM_S, Item, Outline, Start, items
from streams.demo.publish import Publishers
from streams.demo.scenario import Script
from streams.errors import SystemFailure

SLICE_S = 0.01
STUCK_S = 60.0
"""Nothing that is outstanding has come for so long: it will not. Longer than a killed worker's slot may take."""

_BETWEEN_BURSTS_S = 6.0
_QUIET_S = 1.5
_LOOK_S = 0.2
_SETTLE_S = 10.0
_CHUNK = 250


class Simulator:
    """Plays one run into `publishers` and notes it in `ledger`. `kill` ends one process of the bus (chaos only)."""

    def __init__(
        self, outline: Outline, base: int, ledger: Ledger, publishers: Publishers, kill: Callable[[], None]
    ) -> None:
        self._plan, self._base, self._ledger, self._publishers, self._kill = (
            outline.plan,
            base,
            ledger,
            publishers,
            kill,
        )
        self._ready: deque[Item] = deque()
        self._waiting: dict[str, tuple[Script, int]] = {}
        self._cause: dict[str, Change] = {}
        self._fillers = outline.fillers
        self._failure: BaseException | None = None
        self.phase = "getting ready"
        self._warm, self._steady = outline.warm, outline.steady
        self._bursts = [[self._encoded(item) for item in burst] for burst in outline.bursts]

    def seen(self, change: Change) -> None:
        """A change of colour was read from the bus: what waited for it may be published."""
        waiting = self._waiting.pop(change.event_id, None)
        if waiting is not None:
            self._ready.extend(items(*waiting))

    def fail(self, failure: BaseException) -> None:
        """Something the run depends on has ended: `play` raises it."""
        self._failure = failure
        self._ledger.moved.set()

    async def play(self) -> None:
        """The whole run, until all that is expected was seen, or nothing has come for STUCK_S. Raises SystemFailure
        when an input cannot be published."""
        plan = self._plan
        self.phase = "warming up"
        await self._warm_up()
        self.phase = f"{plan.rate} events/s"
        await self._run_steady()
        for number, burst in enumerate(self._bursts, 1):
            self.phase = f"burst {number} of {plan.bursts}"
            await self._send_burst(burst)
            await self._drain(_BETWEEN_BURSTS_S)
        self.phase = "waiting for the last effects"
        await self._finish()

    # The steady part.

    async def _warm_up(self) -> None:
        """Inputs like any others, of which everything is accounted for but the latency: the first ones meet a broker
        that is still being compiled and workers that see each schema for the first time."""
        rate = self._plan.rate // 2
        await self._pace(WARM_S * rate, rate, self._warm, deque(), measured=False)

    async def _run_steady(self) -> None:
        plan = self._plan
        total = plan.seconds * plan.rate
        kills = deque(total * part // 100 for part in (15, 35, 58, 80)) if plan.chaos else deque[int]()
        await self._pace(total, plan.rate, self._steady, kills, measured=True)

    async def _pace(self, total: int, rate: int, starts: deque[Start], kills: deque[int], measured: bool) -> None:
        """Send `total` inputs at `rate` a second: what follows from effects that were seen, then what `starts` has for
        that number, otherwise a negative test of somebody. `kills` says at which numbers a process is killed."""
        began, sent = time.perf_counter(), 0
        while sent < total:
            due = min(total, int((time.perf_counter() - began) * rate) + 1)
            while sent < due:
                while starts and starts[0].at <= sent:
                    self._ready.extend(starts.popleft().items)
                self._send(self._ready.popleft() if self._ready else Item(next(self._fillers)), measured)
                sent += 1
            if kills and kills[0] <= sent:
                kills.popleft()
                self._kill()
            self._check()
            await asyncio.sleep(max(0.001, SLICE_S - (time.perf_counter() - began) % SLICE_S))
        while starts:
            self._ready.extend(starts.popleft().items)

    # The bursts.

    async def _send_burst(self, burst: list[Item]) -> None:
        plan = self._plan
        kills = -(-3 // plan.bursts) if plan.chaos else 0
        at = {len(burst) * (n + 1) // (kills + 1) // _CHUNK for n in range(kills)}
        for number, start in enumerate(range(0, len(burst), _CHUNK)):
            for item in burst[start : start + _CHUNK]:
                self._send(item)
            while self._ready:
                self._send(self._ready.popleft())
            if number in at:
                self._kill()
            self._check()
            await asyncio.sleep(0)

    async def _drain(self, patience: float) -> None:
        """Until no story waits for an effect, or for so many seconds."""
        end = time.monotonic() + patience
        while (self._waiting or self._ready or self._ledger.lag()) and time.monotonic() < end:
            await self._step()

    async def _finish(self) -> None:
        """Until everything has come out: first all stories to their end, then what expires, then quiet."""
        expired = self._base + self._plan.expiry[1]
        least, moved = 1 << 60, time.monotonic()
        while True:
            await self._step()
            if not (self._waiting or self._ready):
                await asyncio.sleep(_LOOK_S)  # counting what is left takes a while
            now = int(time.time() * 1000)
            self._ledger.oracle.pass_time(min(now, expired))
            left = self._ledger.outstanding() + len(self._waiting) + len(self._ready) + (now < expired)
            if left < least or now < expired:
                least, moved = left, time.monotonic()
            if not left:
                break
            if time.monotonic() - moved > STUCK_S:
                self.phase = "nothing more comes"
                return
        self.phase = "listening for repeats"
        end = time.monotonic() + _QUIET_S
        while time.monotonic() < end or not (self._ledger.settled() or time.monotonic() > end + _SETTLE_S):
            await self._step()

    async def _step(self) -> None:
        """Send what may be sent, then wait for news, a moment at most."""
        while self._ready:
            self._send(self._ready.popleft())
        self._check()
        self._ledger.moved.clear()
        try:
            await asyncio.wait_for(self._ledger.moved.wait(), 0.1)
        except TimeoutError:
            return

    # One input.

    def _encoded(self, item: Item) -> Item:
        """With its bytes: for those that are made ready before the clock runs."""
        return item._replace(value=self._publishers.encoded(item.draft.dated(self._base)))

    def _send(self, item: Item, measured: bool = False) -> None:
        draft = item.draft.dated(self._base)
        value = item.value if item.value is not None else self._publishers.encoded(draft)
        if draft.spoilt is not None:
            self._ledger.sent_spoilt(draft.spoilt, value)
            self._publishers.publish(draft, value)
            return
        changes = self._ledger.sent(draft.type, draft.value, int(time.time() * 1000), measured)
        self._publishers.publish(draft, value)
        if item.script is None or item.stage + 1 == len(item.script.stages):
            return
        person = draft.value["person_id"]
        if changes:
            self._cause[person] = changes[-1]
        if item.last:
            self._waiting[self._cause.pop(person).event_id] = (item.script, item.stage + 1)

    def _check(self) -> None:
        if self._failure is not None:
            raise SystemFailure("the run was broken off") from self._failure
