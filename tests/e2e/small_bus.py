"""The loop in one process: alerts raised by hand, the gateway over a log in memory, and the real flow alert-duty
between what the page answers and what it is told next. Time is what the flow is told: a test moves it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from msgspec.structs import replace

from connectors.memory import MemoryLog, MemorySource
from streams.contract.wire import header
from streams.flows import alert_duty, duty_policy
from streams.flows.duty import LEVELS, ROSTER, told
from streams.flows.flow import Event, derived_id
from streams.flows.memory import MemoryRunner
from streams.settings import ROOT
from tests.unit.gateway.in_memory import SCHEMA_ID, Gateway, receipted, running

CITY = duty_policy.load(ROOT / "deploy/tianjin/alert-duty-policy.yaml")
POLICY = replace(CITY, shifts=CITY.shifts[:1])
"""The day shift's, at any hour: the same test at night must not meet other periods."""

ME, BACKUP, COMMUNITY = "gw-000123", "gw-022400", "desk-120103001001"
CELL, DIVISION = "12010300100101", "120103001001"
_LOOK_S = 0.05


def port_of(gateway: Gateway) -> int:
    """Where it listens, so that another may take its place."""
    return int(gateway.url.rsplit(":", 1)[1])


class Person(NamedTuple):
    """Somebody whose code has changed, as the view shows him."""

    name: str | None = "张**"
    phone: str | None = "13900001234"
    address: str | None = "河西区友谊路街道平山道12号楼3门502"
    cell: str | None = CELL


def alert_id(number: int) -> str:
    """The id of the test's alert of that number."""
    return f"00000000-0000-4000-8000-{number:012d}"


class SmallBus:
    """One partition of everything. `roster` may be changed: who is on duty, by cell or division."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.roster: dict[str, Mapping[str, Any]] = {
            CELL: {"on_duty": ME, "backup": BACKUP},
            DIVISION: {"on_duty": COMMUNITY},
            "120103001": {"on_duty": "desk-120103001"},
        }
        self._duty = MemoryRunner(alert_duty.make(POLICY), {ROSTER: self.roster})
        self._shown = 0
        self._answers = 0
        self._raised: dict[int, dict[str, Any]] = {}

    def raise_alert(
        self, number: int, colour: str = "RED", *, ago_s: float = 0, to: str = ME, who: Person | None = None
    ) -> str:
        """The code of `who` turned `colour` so long ago, and `to` was told. Returns the alert's id."""
        at, id, person = self._now() - int(ago_s * 1000), alert_id(number), who or Person()
        level = LEVELS[0] if to.startswith("gw-") else "STREET"
        event = {
            "event_id": derived_id("test", id, 1),
            "occurred_at": at,
            "publisher": "haihe",
            "alert_id": id,
            "state": "RAISED",
            "colour": colour,
            "person_id": "120101199001011239",
            "person_name": person.name,
            "phone": person.phone,
            "address": person.address,
            "cell": person.cell,
            "division": (person.cell or CELL)[:12],
            "addressee": to,
            "addressee_level": level,
            "change_id": derived_id("test", id, 0),
            "opened_at": at,
            "cause": "COLOUR",
            "due_at": at + POLICY.periods(colour, at).seen_ms,
            "told": [told(to, level, "COLOUR", at)],
        }
        self._raised[number] = event
        self._take(event, at)
        return id

    def retract(self, number: int) -> None:
        """The colour is over."""
        event = self._raised[number] | {
            "event_id": derived_id("test", alert_id(number), 2), "occurred_at": self._now(), "state": "RETRACTED",
            "colour": "GREEN", "cause": "RETRACTED", "due_at": None, "told": [],
        }  # fmt: skip
        self._take(event, self._now())

    def wait(self, seconds: float) -> None:
        """Time passes: deadlines and the roster are looked at."""
        self._duty.advance(self._now() + int(seconds * 1000))
        self._show()

    def answer(self, receipt: Mapping[str, Any]) -> None:
        """A receipt as intake passes it on."""
        self._duty.send(Event(alert_duty.RECEIPTED, receipt["alert_id"], receipt), self._now())
        self._show()

    def answered(self, id: str, who: str, kind: str, outcome: str | None = None) -> None:
        """Somebody answers on a device that no test looks at."""
        self._answers += 1
        receipt = {"event_id": derived_id("test", id, 10 + self._answers), "occurred_at": self._now(), "alert_id": id,
                   "kind": kind, "addressee": who, "outcome": outcome}  # fmt: skip
        self.answer(receipt)

    def _now(self) -> int:
        return int(time.time() * 1000)

    def _take(self, event: dict[str, Any], at: int) -> None:
        self._write(event)
        self._duty.send(Event(alert_duty.ALERT, event["alert_id"], event), at)
        self._show()

    def _show(self) -> None:
        for event in self._duty.events[self._shown :]:
            self._write(dict(event.value))
        self._shown = len(self._duty.events)

    def _write(self, event: dict[str, Any]) -> None:
        view = {name: value for name, value in event.items() if name != "person_id"}
        value = header(SCHEMA_ID) + json.dumps(view).encode()
        self.log.append(0, view["alert_id"].encode(), value, self._now())


@asynccontextmanager
async def small_bus(bus: SmallBus | None = None, port: int = 0) -> AsyncIterator[tuple[SmallBus, Gateway]]:
    """The bus with its gateway. Given a bus and a port, the gateway comes back as after a restart."""
    bus = bus or SmallBus()
    async with running(bus.log, demo=True, port=port) as gateway:
        pump = asyncio.create_task(_pump(bus, gateway))
        try:
            yield bus, gateway
        finally:
            pump.cancel()


async def _pump(bus: SmallBus, gateway: Gateway) -> None:
    """Intake: what the gateway wrote goes to the flow."""
    source = MemorySource(gateway.receipts)
    while True:
        for record in await asyncio.to_thread(source.read, 100, _LOOK_S):
            bus.answer(receipted().decode(record.value or b""))
