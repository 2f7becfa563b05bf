"""One alert and the people around it, for tests of alert_duty: a roster that may change, answers, time that the test
moves.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streams.flows import alert_duty, duty, duty_policy
from streams.flows.alert import DutyState
from streams.flows.flow import Event, Outcome
from streams.flows.memory import MemoryRunner

POLICY = duty_policy.load(Path(__file__).parents[3] / "deploy/tianjin/alert-duty-policy.yaml")
CELL, DIVISION = "12010100100101", "120101001001"
MINUTE, HOUR = 60_000, 3_600_000
TEN = 1_760_061_600_000
"""Ten in the morning in Beijing: 2025-10-10T02:00:00Z."""

ROSTER: Mapping[str, tuple[str | None, str | None]] = {
    CELL: ("gw-000001", "gw-000002"),
    "120101001001": ("desk-120101001001", None),
    "120101001": ("desk-120101001", None),
    "120101": ("desk-120101", None),
    "12": ("desk-12", None),
}


class Story:
    """Alert `a1` and what becomes of it. Times are ms after TEN unless said otherwise."""

    def __init__(self, roster: Mapping[str, tuple[str | None, str | None]] = ROSTER, begins: int = TEN) -> None:
        self.begins = begins
        self.roster: dict[str, Any] = {}
        for division, (on_duty, backup) in roster.items():
            self.on_duty(division, on_duty, backup)
        self.runner: MemoryRunner[DutyState] = MemoryRunner(alert_duty.make(POLICY), {"ref.roster": self.roster})
        self.receipts = 0

    def on_duty(self, division: str, on_duty: str | None, backup: str | None = None) -> None:
        """The roster's row for a cell or division is this from now on."""
        self.roster[division] = {"division": division, "on_duty": on_duty, "backup": backup}

    def raised(
        self,
        at: int = 0,
        colour: str = "RED",
        addressee: str = "gw-000001",
        level: str = "GRID_WORKER",
        cell: str | None = CELL,
        division: str = DIVISION,
        address: str = "和平区某路1号",
    ) -> Outcome[DutyState]:
        """grid_alert raises it."""
        when = self.begins + at
        told = [duty.told(addressee, level, "COLOUR", when)]
        return self._alert(at, "RAISED", colour, addressee, level, cell, division, told, address)

    def retracted(self, at: int) -> Outcome[DutyState]:
        """grid_alert retracts it: it knows only whom it told itself."""
        return self._alert(at, "RETRACTED", "GREEN", "gw-000001", "GRID_WORKER", CELL, DIVISION, [])

    def answered(self, at: int, kind: str, by: str, outcome: str | None = None, *, id: str = "", ago: int = 0,
                 alert: str = "a1") -> Outcome[DutyState]:  # fmt: skip
        """A receipt arrives, of something that happened `ago` ms before."""
        self.receipts += 1
        value = {
            "event_id": id or f"receipt-{self.receipts}",
            "occurred_at": self.begins + at - ago,
            "publisher": "jinzhitong",
            "alert_id": alert,
            "kind": kind,
            "addressee": by,
            "outcome": outcome,
        }
        return self._send(Event(alert_duty.RECEIPTED, alert, value), at)

    def own(self, at: int) -> Outcome[DutyState]:
        """The flow's latest event comes back on the topic."""
        return self._send(self.runner.events[-1], at)

    def until(self, at: int, standstill: bool = False) -> list[tuple[str, str, str]]:
        """Time passes to `at`, or nothing runs until then; all that was ever told: (state, cause, addressee)."""
        self.runner.advance(self.begins + at, standstill)
        return self.told()

    def told(self) -> list[tuple[str, str, str]]:
        """(state, cause, addressee) of everything emitted so far."""
        return [(e.value["state"], e.value["cause"], e.value["addressee"]) for e in self.runner.events]

    @property
    def last(self) -> Mapping[str, Any]:
        """The value of the latest event."""
        return self.runner.events[-1].value

    def _alert(self, at: int, state: str, colour: str, addressee: str, level: str, cell: str | None, division: str,
               told: list[dict[str, Any]], address: str | None = None) -> Outcome[DutyState]:  # fmt: skip
        when = self.begins + at
        value = {
            "event_id": f"{state.lower()}-{at}",
            "occurred_at": when,
            "publisher": "haihe",
            "alert_id": "a1",
            "state": state,
            "colour": colour,
            "person_id": "120101199003070011",
            "person_name": "张三丰",
            "phone": "13800001234",
            "address": address,
            "cell": cell,
            "division": division,
            "addressee": addressee,
            "addressee_level": level,
            "change_id": "change-1",
            "opened_at": when,
            "cause": "COLOUR",
            "due_at": when + 5 * MINUTE if told else None,
            "told": told,
        }
        return self._send(Event(alert_duty.ALERT, "a1", value), at)

    def _send(self, event: Event, at: int) -> Outcome[DutyState]:
        outcome = self.runner.send(event, self.begins + at)
        assert isinstance(outcome, Outcome), outcome
        return outcome
