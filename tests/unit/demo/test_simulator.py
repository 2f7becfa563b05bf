"""The simulator over a bus in memory: its books balance when the bus does what it should, and only then."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streams.demo import report, simulator
from streams.demo.city import City
from streams.demo.ledger import ALERT_VIEW, CHANGE_VIEW, Ledger
from streams.demo.oracle import Oracle
from streams.demo.scenario import Draft, Scenario
from streams.demo.simulator import Plan, Simulator
from streams.demo.spoil import KINDS
from streams.flows import grid_alert, health_code, policy
from streams.flows.flow import Event, Outcome
from streams.flows.memory import MemoryRunner

DEPLOY = Path(__file__).parents[3] / "deploy/tianjin"
PLAN = Plan(seconds=2, rate=200, bursts=1, burst=500)


class Bus:
    """Intake, the person chain and the phones, a moment after each input. Stands for the publishers, too.

    `lose` and `repeat`: number of the alert that never arrives, or that arrives twice.
    """

    def __init__(self, lose: int = -1, repeat: int = -1) -> None:
        self._lose, self._repeat = lose, repeat
        city = City(DEPLOY / "divisions.csv")
        self.scenario = Scenario(city, 0, 0, PLAN.stories, PLAN.expiry)
        self.scenario.base = int(time.time() * 1000) - 60_000
        people = {p.person_id: p for n in self.scenario.scripted for p in [city.resident(n)]}
        homes = {p.person_id: p.cell for p in people.values() if p.registered}
        roster = {duty.division: duty.on_duty for duty in city.roster()}
        self.ledger = Ledger(Oracle(homes.get, roster.get), frozenset(people))
        self._code = MemoryRunner(health_code.make(policy.load(DEPLOY / "health-code-policy.yaml")))
        tables = {
            "ref.residence": {id_: {"cell": cell} for id_, cell in homes.items()},
            "ref.roster": {division: {"on_duty": who} for division, who in roster.items()},
        }
        self._alert = MemoryRunner(grid_alert.FLOW, tables)
        self.kills = 0
        self.simulator = Simulator(PLAN, self.scenario, self.ledger, self, self._kill)  # type: ignore[arg-type]  # publishes here
        self._alerts = 0

    def encoded(self, draft: Draft) -> bytes:
        return json.dumps(draft).encode()

    def publish(self, draft: Draft, value: bytes) -> None:
        asyncio.get_running_loop().call_later(0.002, self._take, draft, value)

    def _kill(self) -> None:
        self.kills += 1

    def _take(self, draft: Draft, value: bytes) -> None:
        if draft.spoilt is not None:
            expected = KINDS[draft.spoilt].expected
            self._count("intake", 1, rejected={expected.reason: 1})
            origin = {"flow": b"intake", "topic": draft.topic.encode(), "partition": b"0", "offset": b"0"}
            headers = {"step": expected.step.encode(), "reason": expected.reason.encode()}
            self.ledger.dead_letter(value, origin | headers)
            return
        self._count("intake", 1)
        outcome = self._code.send(Event(draft.type, draft.value["person_id"], draft.value), int(time.time() * 1000))
        assert isinstance(outcome, Outcome)
        filtered = {outcome.filtered: 1} if outcome.filtered else {}
        self._count("health-code", 1, filtered=filtered)
        for change in outcome.events:
            alerts = self._alert.send(change, 0)
            assert isinstance(alerts, Outcome)
            self._count("grid-alert", 1, views=True)
            for alert in alerts.events:
                self._push(alert.value)
            if (own := self.ledger.change(change.value)) is not None:
                self.simulator.seen(own)

    def _push(self, value: Mapping[str, Any]) -> None:
        number, self._alerts = self._alerts, self._alerts + 1
        for _ in range({self._lose: 0, self._repeat: 2}.get(number, 1)):
            self.ledger.alert(value["addressee"], value, time.perf_counter())

    def _count(self, flow: str, read: int, views: bool = False, **reasons: dict[str, int]) -> None:
        out = {"filtered": {}, "rejected": {}} | reasons
        delivered = read - sum(sum(counts.values()) for counts in out.values())
        each = [{"view": name, "delivered": 1, "withheld": {}} for name in (ALERT_VIEW, CHANGE_VIEW)] if views else []
        self.ledger.audit(
            {"flows": [{"flow": flow, "read": read, "delivered": delivered, "fired": 0, **out}], "views": each}
        )


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs to warm up here, and what is lost is lost at once."""
    monkeypatch.setattr(simulator, "WARM_S", 1)
    monkeypatch.setattr(simulator, "STUCK_S", 1.0)
    monkeypatch.setattr(simulator, "_QUIET_S", 0.05)


async def played(bus: Bus) -> report.Report:
    await bus.simulator.play()
    return report.make(bus.ledger, bus.kills)


async def test_over_a_bus_that_does_its_work_the_books_balance() -> None:
    bus = Bus()
    books = await played(bus)
    assert books.balanced, [line for line in books.lines if not line.holds]
    assert books.data["published"] >= PLAN.seconds * PLAN.rate + PLAN.burst
    assert books.data["alerts_received"] > 40
    assert books.data["p50_ms"] >= 2


async def test_one_alert_that_is_lost_is_found_missing() -> None:
    books = await played(Bus(lose=30))
    assert not books.balanced
    assert (books.data["missing"], books.data["duplicates"]) == (1, 0)


async def test_one_alert_that_comes_twice_is_found() -> None:
    books = await played(Bus(repeat=30))
    assert not books.balanced
    assert (books.data["missing"], books.data["duplicates"]) == (0, 1)


async def test_chaos_kills_four_times_in_the_steady_part_and_three_in_the_bursts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(globals(), "PLAN", PLAN._replace(chaos=True, burst=2_000))
    bus = Bus()
    assert (await played(bus)).balanced
    assert bus.kills == 7


async def test_a_failure_of_what_the_run_depends_on_ends_it() -> None:
    bus = Bus()
    asyncio.get_running_loop().call_later(0.2, bus.simulator.fail, OSError("gone"))
    with pytest.raises(Exception, match="broken off"):
        await bus.simulator.play()
