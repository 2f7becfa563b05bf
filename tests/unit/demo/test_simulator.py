"""The simulator and its people over a bus in memory: the books balance when the bus does what it should, only then."""

import asyncio
import json
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from streams.demo import outline, people, report, simulator
from streams.demo.answer import Answers
from streams.demo.city import City
from streams.demo.ledger import ALERT_VIEW, CHANGE_VIEW, Ledger
from streams.demo.oracle import Oracle
from streams.demo.outline import Outline, Plan
from streams.demo.people import People
from streams.demo.scenario import Draft, Scenario
from streams.demo.simulator import Simulator
from streams.demo.spoil import KINDS
from streams.flows import alert_duty, duty_policy, grid_alert, health_code, policy
from streams.flows.flow import Event, Outcome
from streams.flows.memory import MemoryRunner

DEPLOY = Path(__file__).parents[3] / "deploy/tianjin"
PLAN = Plan(seconds=2, rate=200, bursts=1, burst=500)
FACTOR = 300
"""A second to look at an alert."""


@cache
def whole_city() -> City:
    return City(DEPLOY / "divisions.csv")


class Said(Answers):
    """What people say, without a network."""

    def __init__(self, bus: "Bus") -> None:
        super().__init__("", lambda who: "", bus.ledger.oracle, bus.people, bus.ledger.receipts, bus.fail)
        self._bus = bus

    async def _post(self, alert_id: str, addressee: str, body: Mapping[str, Any]) -> tuple[int | None, float]:
        self._bus.receipt(alert_id, addressee, body)
        return 202, 0.0


class Bus:
    """Intake, both chains and the phones, a moment after each input. Stands for the publishers, too.

    `lose` and `repeat`: number of the raised or retracted alert that never arrives, or that arrives twice. `leap`: the
    first alert that escalates is said to have reached the city's desk at once.
    """

    def __init__(self, lose: int = -1, repeat: int = -1, leap: bool = False) -> None:
        self._lose, self._repeat, self._leap = lose, repeat, leap
        city = whole_city()
        made = Outline(PLAN, Scenario(city, 0, 0, PLAN.stories, PLAN.expiry))
        base = int(time.time() * 1000) - 60_000
        persons = {p.person_id: p for n in made.scripted for p in [city.resident(n)]}
        homes = {p.person_id: p.cell for p in persons.values() if p.registered}
        on_duty, backup = ({duty.division: duty[n] for duty in city.roster()} for n in (1, 2))
        duty = duty_policy.faster(duty_policy.load(DEPLOY / "alert-duty-policy.yaml"), FACTOR)
        periods = duty.periods("RED", base)
        foretold = made.foretell(Oracle(homes.get, on_duty.get, backup.get))
        self.people = People(foretold, PLAN.horizon, periods.seen_ms, periods.acted_ms)
        self.ledger = Ledger(Oracle(homes.get, on_duty.get, backup.get), frozenset(persons), self.people)
        self._code = MemoryRunner(health_code.make(policy.load(DEPLOY / "health-code-policy.yaml")))
        roster = {row.division: row._asdict() for row in city.roster()}
        residence = {id_: {"cell": cell} for id_, cell in homes.items()}
        self._alert = MemoryRunner(grid_alert.make(duty), {"ref.residence": residence, "ref.roster": roster})
        self._duty = MemoryRunner(alert_duty.make(duty), {"ref.roster": roster})
        self.kills = 0
        self.simulator = Simulator(made, base, self.ledger, self, self._kill)  # type: ignore[arg-type]  # publishes here
        self._answers = Said(self)
        self._alerts = self._written = 0

    async def play(self) -> report.Report:
        clock = asyncio.get_running_loop().create_task(self._pass_time())
        try:
            await self.simulator.play()
        finally:
            clock.cancel()
            await self._answers.close()
        return report.make(self.ledger, self.kills)

    def fail(self, error: BaseException) -> None:
        self.simulator.fail(error)

    def encoded(self, draft: Draft) -> bytes:
        return json.dumps(draft).encode()

    def publish(self, draft: Draft, value: bytes) -> None:
        asyncio.get_running_loop().call_later(0.002, self._take, draft, value)

    def receipt(self, alert_id: str, addressee: str, body: Mapping[str, Any]) -> None:
        """A receipt goes through intake to the chain of alerts."""
        now = int(time.time() * 1000)
        value = {**body, "alert_id": alert_id, "addressee": addressee, "occurred_at": now - body["ago_ms"]}
        self.ledger.receipt_written(value)
        self._count("intake", "intake", 1)
        self._duty_takes(Event("grid.alert.receipted", alert_id, value))

    def _kill(self) -> None:
        self.kills += 1

    async def _pass_time(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self._duty.advance(int(time.time() * 1000))
            self._steps()

    def _take(self, draft: Draft, value: bytes) -> None:
        if draft.spoilt is not None:
            expected = KINDS[draft.spoilt].expected
            self._count("intake", "intake", 1, rejected={expected.reason: 1})
            origin = {"flow": b"intake", "topic": draft.topic.encode(), "partition": b"0", "offset": b"0"}
            headers = {"step": expected.step.encode(), "reason": expected.reason.encode()}
            self.ledger.dead_letter(value, origin | headers)
            return
        self._count("intake", "intake", 1)
        outcome = self._code.send(Event(draft.type, draft.value["person_id"], draft.value), int(time.time() * 1000))
        assert isinstance(outcome, Outcome)
        filtered = {outcome.filtered: 1} if outcome.filtered else {}
        self._count("person", "health-code", 1, filtered=filtered)
        for change in outcome.events:
            alerts = self._alert.send(change, 0)
            assert isinstance(alerts, Outcome)
            self._count("person", "grid-alert", 1, views={CHANGE_VIEW: 1, ALERT_VIEW: len(alerts.events)})
            for alert in alerts.events:
                number, self._alerts = self._alerts, self._alerts + 1
                self.ledger.alert_written(alert.value)
                for _ in range({self._lose: 0, self._repeat: 2}.get(number, 1)):
                    self._push(alert.value, {alert.value["addressee"]})
                self._duty_takes(alert)
            if (own := self.ledger.change(change.value)) is not None:
                self.simulator.seen(own)

    def _duty_takes(self, event: Event) -> None:
        """One record of the chain of alerts."""
        outcome = self._duty.send(event, int(time.time() * 1000))
        assert isinstance(outcome, Outcome)
        self._count("alert", "alert-duty", 1, filtered={outcome.filtered: 1} if outcome.filtered else {})
        self._steps()

    def _steps(self) -> None:
        """What the chain of alerts has written since: it reads that itself, and whoever was told receives it."""
        for event in self._duty.events[self._written :]:
            self._written += 1
            self.ledger.alert_written(event.value)
            self._count("alert", "alert-duty", 1, views={ALERT_VIEW: 1}, filtered={"own": 1})
            value = dict(event.value)
            if self._leap and value["state"] == "ESCALATED" and value["addressee_level"] != "CITY":
                self._leap, value["addressee_level"] = False, "CITY"
            self._push(value, {entry["addressee"] for entry in value["told"]})

    def _push(self, value: Mapping[str, Any], told: set[str]) -> None:
        for addressee in told:
            if self.ledger.alert(addressee, value, time.perf_counter()):
                self._answers.take(addressee, value)

    def _count(
        self, chain: str, flow: str, read: int, views: Mapping[str, int] | None = None, **reasons: dict[str, int]
    ) -> None:
        out = {"filtered": {}, "rejected": {}} | reasons
        delivered = read - sum(sum(counts.values()) for counts in out.values())
        each = [{"view": name, "delivered": count, "withheld": {}} for name, count in (views or {}).items()]
        flows = [{"flow": flow, "read": read, "delivered": delivered, "fired": 0, **out}]
        self.ledger.audit({"chain": chain, "flows": flows, "views": each})


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs to warm up here, people are quick and most of them look, and what is lost is lost at once."""
    for module in (simulator, outline):
        monkeypatch.setattr(module, "WARM_S", 1)
    monkeypatch.setattr(simulator, "STUCK_S", 2.5)
    monkeypatch.setattr(simulator, "_QUIET_S", 0.05)
    monkeypatch.setattr(people, "_LOOKS_S", (0.0, 0.3))
    monkeypatch.setattr(people, "_ACTS_S", (0.0, 0.2))
    monkeypatch.setattr(people, "_EVERYBODY", 0)
    monkeypatch.setattr(people, "_BY_TWO", 0.0)
    monkeypatch.setattr("streams.demo.receipts.MARGIN_MS", 300)


async def test_over_a_bus_that_does_its_work_the_books_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "_EVERYBODY", 1)
    monkeypatch.setattr(people, "_BY_TWO", 0.1)
    bus = Bus()
    books = await bus.play()
    assert books.balanced, [line for line in books.lines if not line.holds]
    assert books.data["published"] >= PLAN.seconds * PLAN.rate + PLAN.burst
    assert books.data["alerts_received"] > 40
    assert books.data["p50_ms"] >= 2
    assert books.data["escalated"] > 5, "somebody ignored an alert"
    assert books.data["closed"] > 40
    assert books.data["receipts"] > 40


async def test_one_alert_that_is_lost_is_found_missing() -> None:
    books = await Bus(lose=30).play()
    assert not books.balanced
    assert (books.data["missing"], books.data["duplicates"]) == (1, 0)


async def test_one_alert_that_comes_twice_is_found() -> None:
    books = await Bus(repeat=30).play()
    assert not books.balanced
    assert (books.data["missing"], books.data["duplicates"]) == (0, 1)


async def test_an_alert_that_leaps_to_the_city_is_found() -> None:
    books = await Bus(leap=True).play()
    assert [line.name for line in books.lines if not line.holds] == [
        "escalations, expected and not received so",
        "escalations, received and not expected so",
    ]


async def test_chaos_kills_four_times_in_the_steady_part_and_three_in_the_bursts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(globals(), "PLAN", PLAN._replace(chaos=True, burst=2_000))
    bus = Bus()
    assert (await bus.play()).balanced
    assert bus.kills == 7


async def test_a_failure_of_what_the_run_depends_on_ends_it() -> None:
    bus = Bus()
    asyncio.get_running_loop().call_later(0.2, bus.simulator.fail, OSError("gone"))
    with pytest.raises(Exception, match="broken off"):
        await bus.play()
