"""The outbreak before it is played: how large it is, whose story begins when, and what the bursts are made of.

All of it is known before the clock runs, so the oracle can play it through beforehand: who will be told of what, and
which alerts will be over before the run is.
"""

import random
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from streams.demo.oracle import Oracle
from streams.demo.scenario import Draft, Scenario, Script
from streams.demo.spoil import LARGE, SMALL

WARM_S = 3
WARM_STORIES = 24
"""The warm-up before the steady part: seconds, at half its rate, and people who get a script in it."""

BURST_S = 4
"""About how long one burst takes, with its effects."""

_WHOLE_LADDER_S = 56
_LONG_S = 20


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

    @property
    def horizon(self) -> int:
        """When all is over, in ms after the beginning: nobody ignores an alert that would escalate later than this. A
        run that is not short gives an alert the time to climb from a grid worker to the city's desk."""
        over = max(self.expiry[1], (WARM_S + self.seconds + self.bursts * BURST_S) * 1000)
        return max(over, _WHOLE_LADDER_S * 1000) if self.seconds >= _LONG_S else over


class Item(NamedTuple):
    """One input that waits to be sent. `script` and `stage` when more may follow from it; `last` of its stage."""

    draft: Draft
    value: bytes | None = None
    script: Script | None = None
    stage: int = 0
    last: bool = False


class Start(NamedTuple):
    """The number of an input, and what begins there."""

    at: int
    items: list[Item]


class Foretold(NamedTuple):
    """One alert that is going to be raised: about when (ms after the beginning), of which colour, for whom, and whether
    it is over before the run is."""

    at: int
    colour: str
    ladder: tuple[str, ...]
    fleeting: bool


def items(script: Script, stage: int) -> list[Item]:
    """The inputs of one stage of a story."""
    drafts = script.stages[stage]
    return [Item(draft, None, script, stage, number == len(drafts)) for number, draft in enumerate(drafts, 1)]


class Outline:
    """What is sent when: `warm` and `steady` by the number of the input, `bursts` one after the other."""

    def __init__(self, plan: Plan, scenario: Scenario) -> None:
        self.plan, self._scenario = plan, scenario
        self.scripted = scenario.scripted
        """The residents, by number, whose colour may change."""
        self._rng = random.Random(scenario.next_person)
        self._told: list[tuple[int, Script]] = []
        self.steady = self._steady()
        self.bursts = [self._burst(number) for number in range(plan.bursts)]
        self.warm = self._warm()
        self.fillers: Iterator[Draft] = scenario.negatives(1 << 40)
        """Negative tests without end: what is sent when no story has anything to say."""

    def foretell(self, oracle: Oracle) -> dict[str, Foretold]:
        """Every alert of the run that an input raises, by alert_id, as `oracle`, still unused, says. (Those
        that time alone raises are missing: their ids depend on the clock.)"""
        when: dict[str, int] = {}
        for at, script in self._told:
            for stage in script.stages:
                for draft in stage:
                    oracle.accept(draft.type, draft.value, 0)
            when |= dict.fromkeys(islice(reversed(oracle.raised), len(oracle.raised) - len(when)), at)
        oracle.pass_time(self.plan.expiry[1])
        over = {alert.alert_id for alert in oracle.alerts.values() if alert.state == "RETRACTED"}
        return {
            id_: Foretold(at, raised.colour, tuple(rung.addressee for rung in raised.ladder), id_ in over)
            for id_, at in when.items()
            for raised in [oracle.raised[id_]]
        }

    def _warm(self) -> deque[Start]:
        rate = self.plan.rate // 2
        starts = [
            self._begin(self._rng.randrange(WARM_S * rate), rate, 0, script)
            for script in self._scenario.scripts(WARM_STORIES)
        ]
        return _sorted(starts)

    def _steady(self) -> deque[Start]:
        """Stories evenly spread, those that expire in the first third."""
        plan, rng, scenario = self.plan, self._rng, self._scenario
        total = plan.seconds * plan.rate
        stories = [(rng.randrange(total // 3), s) for s in scenario.scripts(plan.expiring_stories, expiring=True)]
        stories += [(rng.randrange(total * 9 // 10), s) for s in scenario.scripts(plan.steady_stories)]
        starts = [self._begin(at, plan.rate, WARM_S * 1000, script) for at, script in stories]
        spoilt = scenario.spoilt([*SMALL] * max(1, plan.seconds // 5))
        return _sorted(starts + [Start(rng.randrange(total * 9 // 10), [Item(draft)]) for draft in spoilt])

    def _burst(self, number: int) -> list[Item]:
        """One burst, in the order in which it will be sent."""
        plan, scenario = self.plan, self._scenario
        scripts = scenario.scripts(plan.burst_stories)
        at = (WARM_S + plan.seconds + number * BURST_S) * 1000
        self._told += [(at, script) for script in scripts]
        units = [items(script, 0) for script in scripts]
        units += [[Item(draft)] for draft in scenario.spoilt([*SMALL, *SMALL, *LARGE])]
        units += [[Item(draft)] for draft in scenario.negatives(plan.burst - sum(map(len, units)))]
        self._rng.shuffle(units)
        return [item for unit in units for item in unit]

    def _begin(self, at: int, rate: int, after: int, script: Script) -> Start:
        self._told.append((after + at * 1000 // rate, script))
        return Start(at, items(script, 0))


def _sorted(starts: list[Start]) -> deque[Start]:
    return deque(sorted(starts, key=lambda start: start.at))
