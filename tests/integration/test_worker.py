"""Whole workers on a real Kafka and registry: what a test result becomes, what a kill costs (nothing), how tables and
schemas change under them, and what is said when they cannot start.
"""

import json
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml

from streams.demo.city import Resident
from streams.engine.admin import Admin
from streams.engine.partitioner import partition_of
from streams.engine.reader import Reader
from streams.engine.record import Record
from streams.flows.flow import derived_id
from streams.settings import ROOT
from tests.integration.bus import (
    ALERTS,
    AUDIT,
    CODES,
    IN_STAYS,
    IN_TESTS,
    SHOWN,
    STAYS,
    TESTS,
    Bus,
    Watch,
    WorkerProcess,
    headers,
    sampled,
    stayed,
    workers,
)

pytestmark = pytest.mark.kafka

PERSONS = 24


@pytest.fixture(scope="module")
def running(bus: Bus) -> Iterator[list[WorkerProcess]]:
    """Intake and the person chain, one process each."""
    with workers(bus, "intake", "person") as started:
        yield started


def raised_for(bus: Bus, watch: Watch, person: Resident) -> dict[str, Any]:
    """The first alert about that person that a watch of ALERTS sees."""

    def about(records: list[Record]) -> list[dict[str, Any]]:
        alerts = (bus.decode(record) for record in records if record.topic == ALERTS)
        return [alert for alert in alerts if alert["person_id"] == person.person_id]

    return about(watch.until(lambda records: bool(about(records))))[0]


# -- the path of one event ----------------------------------------------------------------------------------------
class Journey(NamedTuple):
    """One positive test on its way: the record published, and what each topic had of it."""

    person: Resident
    event_id: str
    published: Record
    test: Record
    code: Record
    alert: Record
    shown: Record


@pytest.fixture(scope="module")
def journey(bus: Bus, running: list[WorkerProcess]) -> Iterator[Journey]:
    person = bus.person()
    path = (IN_TESTS, TESTS, CODES, ALERTS, SHOWN)
    with Watch(bus, *path) as watch:
        event_id = bus.publish_test(person)
        watch.count(len(path))
        assert len(watch.records) == len(path)
        yield Journey(person, event_id, *(watch.of(topic)[0] for topic in path))


def test_a_positive_test_turns_the_code_red(bus: Bus, journey: Journey) -> None:
    code = bus.decode(journey.code)
    assert (code["person_id"], code["colour"], code["previous"]) == (journey.person.person_id, "RED", "GREEN")
    assert (code["cause"], code["evidence_id"], code["publisher"]) == ("EVIDENCE", journey.event_id, "haihe")


def test_the_red_code_raises_an_alert_for_the_grid_worker_on_duty_at_the_residence(bus: Bus, journey: Journey) -> None:
    alert, person = bus.decode(journey.alert), journey.person
    assert (alert["state"], alert["colour"], alert["cell"]) == ("RAISED", "RED", person.cell)
    assert (alert["addressee"], alert["addressee_level"]) == (bus.duty[person.cell], "GRID_WORKER")
    assert (alert["person_name"], alert["phone"], alert["address"]) == (person.name, person.phone, person.address)


def test_derived_ids_follow_from_the_test_results_id(bus: Bus, journey: Journey) -> None:
    change_id = derived_id("health-code", journey.event_id, 0)
    alert = bus.decode(journey.alert)
    assert bus.decode(journey.code)["event_id"] == alert["change_id"] == change_id
    assert alert["alert_id"] == derived_id("grid-alert", change_id, 0)


def test_the_view_shows_the_alert_with_the_name_masked_and_no_id(bus: Bus, journey: Journey) -> None:
    alert, shown = bus.decode(journey.alert), bus.decode(journey.shown)
    assert (shown["event_id"], shown["alert_id"]) == (alert["event_id"], alert["alert_id"])
    assert shown["person_name"] == journey.person.name[0] + "*" * (len(journey.person.name) - 1)
    assert journey.person.person_id not in msgspec.json.encode(shown).decode()


def test_intake_writes_the_bytes_as_published(journey: Journey) -> None:
    assert journey.test.value == journey.published.value


def test_every_record_is_keyed_by_its_contract_and_lies_where_murmur2_puts_the_key(bus: Bus, journey: Journey) -> None:
    person_id, alert_id = journey.person.person_id.encode(), bus.decode(journey.alert)["alert_id"].encode()
    keys = {journey.test: person_id, journey.code: person_id, journey.alert: alert_id, journey.shown: alert_id}
    for record, key in keys.items():
        assert (record.key, record.partition) == (key, partition_of(key, PERSONS)), record.topic


def test_the_timestamp_given_at_intake_is_carried_through_every_hop(journey: Journey) -> None:
    path = (journey.test, journey.code, journey.alert, journey.shown)
    assert {record.timestamp for record in path} == {journey.published.timestamp}


def test_no_header_goes_on_to_what_is_made_of_a_record(journey: Journey) -> None:
    assert [record.headers for record in (journey.code, journey.alert, journey.shown)] == [()] * 3


def test_what_a_publisher_keeps_in_order_stays_in_order(bus: Bus, running: list[WorkerProcess]) -> None:
    person = bus.person()
    values = [bus.encode(TESTS, sampled(person, "NEGATIVE")) for _ in range(20)]
    with Watch(bus, TESTS) as watch:
        bus.publish(IN_TESTS, *values, key=b"not the person's id")
        assert [record.value for record in watch.count(len(values))] == values


# -- the books, over kills ----------------------------------------------------------------------------------------
class Killed(NamedTuple):
    """What was published while both workers were killed -9 twice, and what followed from it."""

    published: int
    bad: int
    people: list[Resident]
    records: list[Record]
    audits: list[dict[str, Any]]


@pytest.fixture(scope="module")
def killed(bus: Bus, running: list[WorkerProcess]) -> Iterator[Killed]:
    people, bad = [bus.person() for _ in range(120)], 0
    topics = (TESTS, CODES, ALERTS, SHOWN, f"dead.{IN_TESTS}", AUDIT)
    with Watch(bus, *topics) as watch, bus.writer() as writer:
        for number, person in enumerate(people):
            writer.write(IN_TESTS, None, bus.encode(TESTS, sampled(person)))
            if number % 10 == 0:
                writer.write(IN_TESTS, None, b"{}")
                bad += 1
            if number in (40, 80):
                writer.flush()
                arrived = len(watch.of(ALERTS))  # in the middle of work, not of the start before
                watch.until(lambda _, seen=arrived: len(watch.of(ALERTS)) > seen)
                for worker in running:
                    worker.kill()
                    worker.start()
        writer.flush()

        def audited(flow: str) -> int:
            audits = (bus.decode(record) for record in watch.of(AUDIT))
            return sum(f["read"] for audit in audits for f in audit["flows"] if f["flow"] == flow)

        def all_there(_: list[Record]) -> bool:
            outputs = min(len(watch.of(topic)) for topic in (TESTS, CODES, ALERTS, SHOWN))
            return (
                outputs >= len(people) and audited("intake") >= len(people) + bad and audited("grid-alert") >= outputs
            )

        watch.until(all_there, 60)
        for worker in running:
            worker.ready()
        audits = [bus.decode(record) for record in watch.of(AUDIT)]
        yield Killed(len(people) + bad, bad, people, list(watch.records), audits)


def flows(killed: Killed) -> dict[str, Counter[str]]:
    """The books of each flow, summed."""
    books: dict[str, Counter[str]] = {}
    for audit in killed.audits:
        for flow in audit["flows"]:
            count = books.setdefault(flow["flow"], Counter())
            count.update(read=flow["read"], delivered=flow["delivered"])
            count.update(filtered=sum(flow["filtered"].values()), rejected=sum(flow["rejected"].values()))
    return books


def test_after_kills_each_flow_has_read_what_it_delivered_filtered_and_rejected(killed: Killed) -> None:
    for name, count in flows(killed).items():
        assert count["read"] == count["delivered"] + count["filtered"] + count["rejected"], name


def test_after_kills_every_record_is_accounted_for_exactly_once_at_every_hop(killed: Killed) -> None:
    books = flows(killed)
    assert (books["intake"]["read"], books["intake"]["rejected"]) == (killed.published, killed.bad)
    assert books["intake"]["delivered"] == books["health-code"]["read"] == books["grid-alert"]["read"]


def test_after_kills_every_person_has_one_change_one_alert_and_one_view_record(bus: Bus, killed: Killed) -> None:
    about = Counter(person.person_id for person in killed.people)
    for topic in (CODES, ALERTS):
        found = [bus.decode(record) for record in killed.records if record.topic == topic]
        assert Counter(event["person_id"] for event in found) == about
    shown = [bus.decode(record)["event_id"] for record in killed.records if record.topic == SHOWN]
    alerts = [bus.decode(record)["event_id"] for record in killed.records if record.topic == ALERTS]
    assert sorted(shown) == sorted(alerts)


def test_after_kills_the_audited_ranges_of_a_partition_follow_one_another(killed: Killed) -> None:
    ranges: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for audit in killed.audits:
        for o in audit["offsets"]:
            ranges.setdefault((o["topic"], o["partition"]), []).append((o["from"], o["until"]))
    assert ranges
    for place, those in ranges.items():
        assert all(a[1] == b[0] for a, b in pairwise(those)), place


# -- tables and schemas change under running workers --------------------------------------------------------------
def test_who_moved_is_looked_up_at_the_new_residence(bus: Bus, running: list[WorkerProcess]) -> None:
    person, neighbour = bus.person(), bus.person()
    row = {"person_id": person.person_id, "person_name": person.name, "phone": person.phone}
    row |= {"address": neighbour.address, "cell": neighbour.cell}
    bus.publish("ref.residence", bus.encode("ref.residence", row), key=person.person_id.encode())
    place = ("ref.residence", partition_of(person.person_id.encode(), PERSONS))
    admin = Admin(bus.bootstrap)
    end = admin.ends(["ref.residence"])[place]
    with Watch(bus, ALERTS) as watch, Watch(bus, AUDIT) as audits:
        audits.until(lambda _: admin.committed("haihe.person").get(place, 0) >= end)
        bus.publish_test(person)
        alert = raised_for(bus, watch, person)
    assert (alert["cell"], alert["addressee"]) == (neighbour.cell, bus.duty[neighbour.cell])


def test_who_takes_over_duty_gets_the_next_alert(bus: Bus, running: list[WorkerProcess]) -> None:
    first, *others = bus.household(5)
    row = {"division": first.cell, "on_duty": "gw-034999", "backup": None}
    with Watch(bus, ALERTS) as watch:
        bus.publish("ref.roster", bus.encode("ref.roster", row), key=first.cell.encode())
        # Between topics nothing is ordered, so it may be one of the next persons who is the first.
        told = []
        for person in (first, *others):
            bus.publish_test(person)
            told.append(raised_for(bus, watch, person)["addressee"])
    assert told[-1] == "gw-034999"
    assert set(told) <= {"gw-034999", bus.duty[first.cell]}


def test_a_version_released_while_workers_run_is_accepted_at_once_and_nothing_is_rejected(
    bus: Bus, running: list[WorkerProcess], tmp_path: Path
) -> None:
    schemas = tmp_path / "avro"
    shutil.copytree(ROOT / "schemas/avro", schemas)
    folder = schemas / "health/area.stayed"
    schema = json.loads((folder / "1.avsc").read_text())
    schema["fields"].append({"name": "ward", "type": ["null", "string"], "default": None, "doc": "Part of the area."})
    (folder / "2.avsc").write_text(json.dumps(schema))
    declaration = yaml.safe_load((folder / "event.yaml").read_text())
    declaration["fields"]["ward"] = {"sensitivity": "none"}
    (folder / "event.yaml").write_text(yaml.safe_dump(declaration, allow_unicode=True))
    people = [bus.person() for _ in range(6)]
    old = [bus.encode(STAYS, stayed(person)) for person in people[::2]]
    with Watch(bus, CODES, f"dead.{IN_STAYS}", f"dead.{STAYS}") as watch:
        bus.register(schemas, STAYS)
        new = [bus.encode(STAYS, stayed(person, ward="third")) for person in people[1::2]]
        assert {value[:5] for value in old} != {value[:5] for value in new}
        for values in (new, old):
            bus.publish(IN_STAYS, *values)
        records = watch.count(len(people))
    assert {record.topic for record in records} == {CODES}, [headers(record) for record in records]
    assert {bus.decode(record)["person_id"] for record in records} == {person.person_id for person in people}


# -- what is said when a worker cannot start ----------------------------------------------------------------------
def refused(worker: WorkerProcess, seconds: float = 60) -> tuple[int, str, str]:
    """Exit code, the sentence, and all that it wrote."""
    code = worker.process.wait(seconds)
    written = worker.log.read_text()
    sentences = [line for line in written.splitlines() if not line.startswith("{")]
    assert len(sentences) == 1, written
    return code, sentences[0], written


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A copy of the city's declarations, to be changed."""
    shutil.copytree(ROOT / "deploy/tianjin", tmp_path / "city")
    return tmp_path / "city"


def change(city: Path, from_: str, to: str) -> None:
    text = (city / "layout.yaml").read_text()
    assert from_ in text
    (city / "layout.yaml").write_text(text.replace(from_, to))


def test_an_unknown_chain_is_one_sentence_that_names_those_there_are(bus: Bus) -> None:
    code, sentence, _ = refused(WorkerProcess(bus, "persons"))
    assert (code, sentence) == (2, "haihe: there is no chain 'persons': the layout has intake, person, alert")


def test_a_missing_topic_is_one_sentence_that_says_how_to_create_it(bus: Bus, city: Path) -> None:
    change(city, "wjw: [", "laboratory: [health.test.result]\n  wjw: [")
    code, sentence, _ = refused(WorkerProcess(bus, "intake", 7, HAIHE_DEPLOY=str(city)))
    assert (code, sentence.endswith(": run `haihe topics create`")) == (2, True)
    assert "in.laboratory.health.test.result" in sentence


def test_a_partition_count_that_would_split_keys_is_one_sentence_that_names_the_topic(bus: Bus, city: Path) -> None:
    change(city, "person: 24", "person: 12")
    code, sentence, _ = refused(WorkerProcess(bus, "person", 7, HAIHE_DEPLOY=str(city)))
    assert code == 2
    assert sentence.endswith("has 24 partitions and its group 12: keys would be split")


@pytest.mark.parametrize(
    ("from_", "to", "says"),
    [
        (
            "flows: [health-code,",
            "flows: [health-cod,",
            "names the flow 'health-cod': there are health-code, grid-alert, alert-duty",
        ),
        ("global_tables: [ref.roster]", "global_tables: []", "joins ref.roster, which its layout does not declare"),
        ("global_tables:", "global_table:", "unknown key `global_table`, did you mean `global_tables`?"),
    ],
)
def test_a_mistake_in_the_layout_is_one_sentence(bus: Bus, city: Path, from_: str, to: str, says: str) -> None:
    change(city, from_, to)
    code, sentence, _ = refused(WorkerProcess(bus, "person", 7, HAIHE_DEPLOY=str(city)))
    assert (code, sentence.endswith(says)) == (2, True), sentence


def test_a_schema_that_is_not_released_is_waited_for_and_named_once(bus: Bus, tmp_path: Path, city: Path) -> None:
    schemas = tmp_path / "avro"
    shutil.copytree(ROOT / "schemas/avro", schemas)
    shutil.copytree(schemas / "health/test.result", schemas / "health/fever.measured")
    change(city, "wjw: [", "wjw: [health.fever.measured, ")
    from streams.chains.layout import load_layout, topics
    from streams.contract.contracts import load_contracts

    Admin(bus.bootstrap).create(topics(load_layout(city / "layout.yaml"), load_contracts(schemas)))
    worker = WorkerProcess(bus, "intake", 7, HAIHE_DEPLOY=str(city), HAIHE_SCHEMAS=str(schemas))
    try:
        said = worker.says("waiting for schemas: release them with `haihe schema register`")
        assert said["missing"] == ["health.fever.measured"]
        assert worker.get("/readyz") is None
    finally:
        worker.kill()


@pytest.fixture(scope="module")
def away(bus: Bus) -> Iterator[WorkerProcess]:
    """Begun early: a broker that does not answer is waited for, longer than a failover takes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, nobody answers
        port = taken.getsockname()[1]
        worker = WorkerProcess(bus, "person", 8, HAIHE_BOOTSTRAP_SERVERS=f"127.0.0.1:{port}")
        yield worker
        worker.kill()


@pytest.fixture(scope="module", autouse=True)
def begun(away: WorkerProcess) -> None:
    """Before the module's first test."""


def test_a_kafka_that_is_away_is_one_sentence_that_names_its_address_and_an_exit_code_for_supervisors(
    away: WorkerProcess,
) -> None:
    code, sentence, written = refused(away)
    assert code == 70
    assert "127.0.0.1:" in sentence
    assert "does not answer" in sentence
    assert "Traceback" not in written


def test_every_audit_record_of_the_workers_fits_its_schema_and_names_its_chain(bus: Bus, killed: Killed) -> None:
    with Reader(bus.bootstrap, [AUDIT]) as reader:
        for record in reader.read_to_end():
            audit = bus.decode(record)
            assert record.key == f"{audit['chain']}/{audit['slot']}".encode()
