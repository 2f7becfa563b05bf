"""The loop on a real Kafka: what the chain `alert` makes of answers, silence and a retraction, and what a kill costs.

The policy is the city's, with its durations divided by one factor; nothing else is hurried.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.demo.city import Resident
from streams.engine.partitioner import partition_of
from streams.engine.record import Record
from streams.engine.writer import Writer
from streams.flows import duty, duty_policy
from streams.flows.flow import derived_id
from streams.settings import ROOT
from tests.integration.bus import ALERTS, AUDIT, SHOWN, Bus, Watch, WorkerProcess, headers, sampled, workers

pytestmark = pytest.mark.kafka

RECEIPTED = "grid.alert.receipted"
RECEIPTS = f"in.jinzhitong.{RECEIPTED}"
FASTER = 60
"""Seen within 5 s, acted on within 2 minutes; the roster is looked at every second."""


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The city's declarations with a hurried duty policy."""
    deploy = tmp_path_factory.mktemp("deploy") / "tianjin"
    shutil.copytree(ROOT / "deploy/tianjin", deploy)
    file = deploy / "alert-duty-policy.yaml"
    file.write_text(duty_policy.dump(duty_policy.faster(duty_policy.load(file), FASTER)), encoding="utf-8")
    return deploy


@pytest.fixture(scope="module")
def running(bus: Bus, hurried: Path) -> Iterator[list[WorkerProcess]]:
    """Intake and both chains, one process each."""
    with workers(bus, "intake", "person", "alert", HAIHE_DEPLOY=str(hurried)) as started:
        yield started


class Case:
    """One person, and everything that the bus writes about their alert."""

    def __init__(self, bus: Bus, watch: Watch, person: Resident) -> None:
        self.bus, self.watch, self.person = bus, watch, person
        self.event = sampled(person)
        change = derived_id("health-code", self.event["event_id"], 0)
        self.alert_id = derived_id("grid-alert", change, 0)

    def falls_ill(self) -> None:
        """A positive test."""
        self.bus.publish("in.wjw.health.test.result", self.bus.encode("health.test.result", self.event))

    def corrected(self) -> None:
        """The test was somebody else's."""
        event = {name: self.event[name] for name in ("person_id", "division", "publisher")} | {
            "event_id": str(uuid.uuid4()),
            "occurred_at": int(time.time() * 1000),
            "corrects": self.event["event_id"],
            "reason": "样本信息登记错误",
        }
        self.bus.publish("in.wjw.health.evidence.corrected", self.bus.encode("health.evidence.corrected", event))

    def answer(self, kind: str, addressee: str, outcome: str | None = None) -> None:
        """A receipt, as the gateway publishes it."""
        value = self.bus.encode(RECEIPTED, self.receipt(kind, addressee, outcome))
        self.bus.publish(RECEIPTS, value, key=self.alert_id.encode())

    @property
    def partition(self) -> int:
        return partition_of(self.alert_id.encode(), 24)

    def raised_by_hand(self, at: int) -> dict[str, Any]:
        """The alert as grid-alert would have raised it at `at` (ms)."""
        row = next(row for row in self.bus.city.roster() if row.division == self.person.cell)
        assert row.on_duty is not None
        about = {"person_id": self.person.person_id, "cell": self.person.cell, "division": self.person.cell[:12]}
        about |= {"person_name": self.person.name, "phone": self.person.phone, "address": self.person.address}
        return about | {
            "event_id": str(uuid.uuid4()), "occurred_at": at, "publisher": "haihe", "alert_id": self.alert_id,
            "state": "RAISED", "colour": "RED", "addressee": row.on_duty, "addressee_level": "GRID_WORKER",
            "change_id": str(uuid.uuid4()), "opened_at": at, "cause": "COLOUR", "due_at": at + 5_000,
            "told": [duty.told(row.on_duty, "GRID_WORKER", "COLOUR", at)],
        }  # fmt: skip

    def receipt(self, kind: str, addressee: str, outcome: str | None) -> dict[str, Any]:
        """The fields of a receipt of now."""
        return {
            "event_id": str(uuid.uuid4()),
            "occurred_at": int(time.time() * 1000),
            "publisher": "jinzhitong",
            "alert_id": self.alert_id,
            "kind": kind,
            "addressee": addressee,
            "outcome": outcome,
        }

    def told(self, topic: str = ALERTS) -> list[dict[str, Any]]:
        """What was written about the alert so far."""
        records = (self.bus.decode(record) for record in self.watch.of(topic))
        return [alert for alert in records if alert["alert_id"] == self.alert_id]

    def until(self, state: str, topic: str = ALERTS, times: int = 1) -> list[dict[str, Any]]:
        """Wait for the alert's `times`-th event in that state; all of its events."""

        def enough(records: list[Record]) -> bool:
            return sum(alert["state"] == state for alert in self.told(topic)) >= times

        self.watch.until(enough, 60)
        return self.told(topic)


@pytest.fixture(scope="module")
def met() -> set[str]:
    """Cells of which a test has had somebody."""
    return set()


@pytest.fixture
def case(bus: Bus, running: list[WorkerProcess], met: set[str]) -> Iterator[Case]:
    with Watch(bus, ALERTS, SHOWN, AUDIT, f"dead.{ALERTS}", "dead.grid.alert.receipted", f"dead.{RECEIPTS}") as watch:
        yield Case(bus, watch, somebody(bus, met))
        assert [headers(r) for r in watch.records if r.topic.startswith("dead.")] == []


def somebody(bus: Bus, met: set[str]) -> Resident:
    """In a cell of its own, for a test may change its roster: whose grid worker has a backup, and whose community a
    desk."""
    rows = {row.division: row for row in bus.city.roster()}
    while True:
        person = bus.person()
        fit = rows[person.cell].backup and person.cell[:12] in rows and rows[person.cell[:12]].on_duty
        if fit and person.cell not in met:
            met.add(person.cell)
            return person


def states(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["state"], event["cause"]) for event in events]


def test_seen_and_acted_on_through_intake_closes_the_alert_and_its_view(bus: Bus, case: Case) -> None:
    case.falls_ill()
    who = case.until("RAISED")[0]["addressee"]
    case.answer("RECEIVED", who)
    case.answer("SEEN", who)
    case.until("SEEN")
    case.answer("ACTED", who, "VISITED")
    shown = case.until("CLOSED", SHOWN)
    assert states(shown) == [("RAISED", "COLOUR"), ("SEEN", "SEEN"), ("CLOSED", "ACTED")]
    [entry] = shown[-1]["told"]
    assert (entry["addressee"], entry["outcome"]) == (who, "VISITED")
    assert entry["told_at"] <= entry["received_at"] <= entry["seen_at"] <= entry["acted_at"]
    assert states(case.told()) == states(shown), "the topic and its view tell the same"


def test_while_nobody_answers_it_goes_up_and_a_retraction_then_names_all_who_were_told(bus: Bus, case: Case) -> None:
    case.falls_ill()
    events = case.until("ESCALATED", times=2)
    assert [event["addressee_level"] for event in events] == ["GRID_WORKER", "BACKUP", "COMMUNITY"]
    case.corrected()
    closed = case.until("CLOSED")[-1]
    assert closed["cause"] == "RETRACTED"
    assert [t["addressee"] for t in closed["told"]][:3] == [event["addressee"] for event in events]


def test_alert_show_tells_the_story_and_hides_the_person(bus: Bus, case: Case) -> None:
    case.falls_ill()
    who = case.until("RAISED")[0]["addressee"]
    case.answer("ACTED", who, "PHONED")
    case.until("CLOSED")
    text, told = (haihe(bus, "alert", "show", case.alert_id, *more) for more in ((), ("--json",)))
    shown = json.loads(told)
    assert (shown["state"], shown["told"][0]["addressee"], shown["told"][0]["outcome"]) == ("CLOSED", who, "PHONED")
    assert [event["state"] for event in shown["events"]] == ["RAISED", "CLOSED"]
    assert [receipt["kind"] for receipt in shown["receipts"]] == ["ACTED"]
    assert f"{who}, grid worker (colour)" in text
    for output in (text, told):
        assert not any(word in output for word in (case.person.person_id, case.person.name, case.person.phone))
    assert case.person.phone in haihe(bus, "alert", "show", case.alert_id, "--clear")


def haihe(bus: Bus, *words: str) -> str:
    """What the command prints."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("HAIHE_")} | bus.env
    command = [sys.executable, "-m", "streams", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_a_new_shift_takes_over_what_is_open(bus: Bus, case: Case) -> None:
    case.falls_ill()
    first = case.until("RAISED")[0]
    case.answer("SEEN", first["addressee"])
    row = {"division": case.person.cell, "on_duty": "gw-034999", "backup": None}
    whole = {"event_id": None, "occurred_at": None, "publisher": None}
    with Writer(bus.bootstrap) as writer:
        writer.write("ref.roster", case.person.cell, bus.encode("ref.roster", whole | row))
    handed = case.until("HANDED_OVER")[-1]
    assert (handed["addressee"], handed["addressee_level"]) == ("gw-034999", "GRID_WORKER")
    assert handed["told"][0]["relieved_at"] == handed["occurred_at"]


def test_an_answer_that_overtakes_its_alert_waits_for_it(bus: Bus, case: Case) -> None:
    who = next(row.on_duty for row in bus.city.roster() if row.division == case.person.cell)
    assert who is not None
    case.answer("ACTED", who, "PHONED")

    case.watch.until(lambda records: flow_counts(case)["delivered"] >= 1)
    case.falls_ill()
    assert states(case.until("CLOSED")) == [("RAISED", "COLOUR"), ("CLOSED", "ACTED")]


def test_an_alert_keeps_its_deadline_over_a_kill_and_goes_up_once(
    bus: Bus, case: Case, running: list[WorkerProcess]
) -> None:
    case.falls_ill()
    raised = case.until("RAISED")[0]
    worker = running[2]
    worker.kill()
    worker.start()
    events = case.until("ESCALATED")
    case.answer("ACTED", raised["addressee"], "VISITED")
    events = case.until("CLOSED")
    levels = [event["addressee_level"] for event in events if event["state"] == "ESCALATED"]
    upwards = ["BACKUP", "COMMUNITY", "STREET", "DISTRICT", "CITY"]
    assert levels == upwards[: len(levels)], "each level once, none left out"
    assert len({event["event_id"] for event in events}) == len(events)


def test_after_a_standstill_answers_that_came_in_time_count_whatever_is_read_first(
    bus: Bus, case: Case, running: list[WorkerProcess]
) -> None:
    """An alert of a minute ago and its answers two seconds later lie on two topics; much else was answered since."""
    worker = running[2]
    worker.stop()
    began = int(time.time() * 1000) - 60_000
    raised = case.raised_by_hand(began)
    others = [id for id in (str(uuid.uuid4()) for _ in range(3_000)) if partition_of(id.encode(), 24) == case.partition]
    with Writer(bus.bootstrap) as writer:
        for kind, outcome in (("SEEN", None), ("ACTED", "VISITED")):
            value = case.receipt(kind, raised["addressee"], outcome)
            writer.write(RECEIPTED, case.alert_id, bus.encode(RECEIPTED, value), timestamp=began + 2_000)
        for number, id in enumerate(others):
            value = case.receipt("SEEN", "gw-000009", None) | {"alert_id": id}
            writer.write(RECEIPTED, id, bus.encode(RECEIPTED, value), timestamp=began + 20_000 + number)
        # More than one fetch holds, and nothing that the flow looks at: so the receipts are read first.
        old = raised | {"alert_id": others[0], "state": "SEEN", "address": "x" * 900}
        for _ in range(4_000):
            writer.write(ALERTS, others[0], bus.encode(ALERTS, old), timestamp=began - 1)
        writer.write(ALERTS, case.alert_id, bus.encode(ALERTS, raised), timestamp=began)
    worker.start()
    worker.ready()
    assert states(case.until("CLOSED")) == [("RAISED", "COLOUR"), ("SEEN", "SEEN"), ("CLOSED", "ACTED")]


def test_the_books_of_the_flow_balance_its_own_events_included(bus: Bus, case: Case) -> None:
    case.falls_ill()
    who = case.until("RAISED")[0]["addressee"]
    case.answer("ACTED", who, "ISOLATED")
    case.until("CLOSED")
    case.watch.until(lambda records: flow_counts(case)["own"] >= 1)
    counts = flow_counts(case)
    assert counts["read"] == counts["delivered"] + counts["filtered"] + counts["rejected"]
    assert counts["rejected"] == 0


def flow_counts(case: Case) -> dict[str, int]:
    """What the audit says of alert-duty since the case began."""
    sums = dict.fromkeys(("read", "delivered", "filtered", "rejected", "own"), 0)
    for record in case.watch.of(AUDIT):
        for flow in case.bus.decode(record)["flows"]:
            if flow["flow"] == "alert-duty":
                sums["read"] += flow["read"]
                sums["delivered"] += flow["delivered"]
                sums["filtered"] += sum(flow["filtered"].values())
                sums["rejected"] += sum(flow["rejected"].values())
                sums["own"] += flow["filtered"].get("own", 0)
    return sums
