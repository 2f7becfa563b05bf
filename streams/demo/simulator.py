"""Plays the outbreak: 500 inputs a second for a while, then bursts as fast as they go, and always one person's next
event only after the effect of the former was seen.

One asyncio loop does it all, beside a thousand listening phones, on a machine that it shares with the bus: the inputs
of the bursts are made and encoded before the clock starts, and the steady part is sent in slices of 10 ms.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from streams.demo.ledger import Ledger
from streams.demo.oracle import Change
from streams.demo.publish import Publishers
from streams.demo.scenario import Draft, Scenario, Script
from streams.demo.spoil import LARGE, SMALL
from streams.errors import SystemFailure

SLICE_S = 0.01
STUCK_S = 60.0
"""Nothing that is outstanding has come for so long: it will not. Longer than a killed worker's slot may take."""

WARM_S = 3
WARM_STORIES = 24
"""The warm-up before the steady part: seconds, at half its rate, and people who get a script in it."""

_BETWEEN_BURSTS_S = 6.0
_QUIET_S = 1.5
_CHUNK = 250


class Plan(NamedTuple):
    """How large the outbreak is: `seconds` at `rate` inputs a second, then `bursts` of `burst` inputs each."""

    seconds: int = 20
    rate: int = 500
    bursts: int = 4
    burst: int = 10_300
    chaos: bool = False

    @property
    def steady_stories(self) -> int:
        return self.seconds * 30

    @property
    def expiring_stories(self) -> int:
        return max(12, self.seconds * 3)

    @property
    def burst_stories(self) -> int:
        return self.burst // 21

    @property
    def stories(self) -> int:
        return WARM_STORIES + self.steady_stories + self.expiring_stories + self.bursts * self.burst_stories

    @property
    def expiry(self) -> tuple[int, int]:
        """When backdated evidence is over, in ms after the beginning: well after it was published."""
        first = max(18, self.seconds + WARM_S + 3) * 1000
        return first, first + 12_000


class _Item(NamedTuple):
    """One input that waits to be sent. `script` and `stage` when more may follow from it."""

    draft: Draft
    value: bytes | None = None
    script: Script | None = None
    stage: int = 0
    last: bool = False


_Start = tuple[int, list[_Item]]
"""The number of an input, and what begins there."""


def _sorted(starts: list[_Start]) -> deque[_Start]:
    return deque(sorted(starts, key=lambda start: start[0]))


class Simulator:
    """Plays one run into `publishers` and notes it in `ledger`. `kill` ends one process of the bus (chaos only)."""

    def __init__(
        self, plan: Plan, scenario: Scenario, ledger: Ledger, publishers: Publishers, kill: Callable[[], None]
    ) -> None:
        self._plan, self._scenario, self._ledger, self._publishers, self._kill = (
            plan,
            scenario,
            ledger,
            publishers,
            kill,
        )
        self._rng = random.Random(scenario.next_person)
        self._ready: deque[_Item] = deque()
        self._waiting: dict[str, tuple[Script, int]] = {}
        self._cause: dict[str, Change] = {}
        self._fillers = scenario.negatives(1 << 40)
        self._failure: BaseException | None = None
        self.phase = "getting ready"
        self._starts = self._steady_starts()
        self._bursts = [self._burst() for _ in range(plan.bursts)]

    def seen(self, change: Change) -> None:
        """A change of colour was read from the bus: what waited for it may be published."""
        waiting = self._waiting.pop(change.event_id, None)
        if waiting is not None:
            self._ready.extend(self._stage(*waiting))

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
        await self._steady()
        for number, burst in enumerate(self._bursts, 1):
            self.phase = f"burst {number} of {plan.bursts}"
            await self._send_burst(burst)
            await self._drain(_BETWEEN_BURSTS_S)
        self.phase = "waiting for the last effects"
        await self._finish()

    # The steady part.

    def _steady_starts(self) -> deque[_Start]:
        """What begins at which input number: stories evenly spread, those that expire in the first third."""
        plan, rng = self._plan, self._rng
        total = plan.seconds * plan.rate
        stories = [(rng.randrange(total // 3), s) for s in self._scenario.scripts(plan.expiring_stories, expiring=True)]
        stories += [(rng.randrange(total * 9 // 10), s) for s in self._scenario.scripts(plan.steady_stories)]
        starts = [(at, list(self._stage(script, 0))) for at, script in stories]
        spoilt = self._scenario.spoilt([*SMALL] * max(1, plan.seconds // 5))
        starts += [(rng.randrange(total * 9 // 10), [_Item(draft)]) for draft in spoilt]
        return _sorted(starts)

    async def _warm_up(self) -> None:
        """Inputs like any others, of which everything is accounted for but the latency: the first ones meet a broker
        that is still being compiled and workers that see each schema for the first time."""
        total = WARM_S * self._plan.rate // 2
        scripts = self._scenario.scripts(WARM_STORIES)
        starts = [(self._rng.randrange(total), list(self._stage(script, 0))) for script in scripts]
        await self._pace(total, self._plan.rate // 2, _sorted(starts), deque(), measured=False)

    async def _steady(self) -> None:
        plan = self._plan
        total = plan.seconds * plan.rate
        kills = deque(total * part // 100 for part in (15, 35, 58, 80)) if plan.chaos else deque[int]()
        await self._pace(total, plan.rate, self._starts, kills, measured=True)

    async def _pace(self, total: int, rate: int, starts: deque[_Start], kills: deque[int], measured: bool) -> None:
        """Send `total` inputs at `rate` a second: what follows from effects that were seen, then what `starts` has for
        that number, otherwise a negative test of somebody. `kills` says at which numbers a process is killed."""
        began, sent = time.perf_counter(), 0
        while sent < total:
            due = min(total, int((time.perf_counter() - began) * rate) + 1)
            while sent < due:
                while starts and starts[0][0] <= sent:
                    self._ready.extend(starts.popleft()[1])
                self._send(self._ready.popleft() if self._ready else _Item(next(self._fillers)), measured)
                sent += 1
            if kills and kills[0] <= sent:
                kills.popleft()
                self._kill()
            self._check()
            await asyncio.sleep(max(0.001, SLICE_S - (time.perf_counter() - began) % SLICE_S))
        while starts:
            self._ready.extend(starts.popleft()[1])

    # The bursts.

    def _burst(self) -> list[_Item]:
        """One burst, encoded and in the order in which it will be sent."""
        plan, rng, scenario = self._plan, self._rng, self._scenario
        units = [list(self._stage(script, 0)) for script in scenario.scripts(plan.burst_stories)]
        units += [[_Item(draft)] for draft in scenario.spoilt([*SMALL, *SMALL, *LARGE])]
        units += [[_Item(draft)] for draft in scenario.negatives(plan.burst - sum(map(len, units)))]
        rng.shuffle(units)
        encode = self._publishers.encoded
        return [item._replace(value=encode(item.draft)) for unit in units for item in unit]

    async def _send_burst(self, burst: list[_Item]) -> None:
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
        expired = self._scenario.base + self._plan.expiry[1]
        least, moved = 1 << 60, time.monotonic()
        while True:
            await self._step()
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
        await asyncio.sleep(_QUIET_S)

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

    def _stage(self, script: Script, stage: int) -> Iterator[_Item]:
        drafts = script.stages[stage]
        for number, draft in enumerate(drafts, 1):
            yield _Item(draft, None, script, stage, number == len(drafts))

    def _send(self, item: _Item, measured: bool = False) -> None:
        draft = item.draft
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
