"""Everything that a publisher can do wrong, through a real worker: each record is a dead letter of its publisher that
says why and where it came from, what is good around it goes on, and nothing written about it names a person.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from streams.demo.city import Resident
from streams.demo.scenario import Draft
from streams.demo.spoil import KINDS, LARGE
from streams.engine.reader import Reader
from streams.engine.record import Record
from tests.integration.bus import IN_TESTS, TESTS, Bus, Watch, WorkerProcess, headers, sampled, workers

pytestmark = pytest.mark.kafka

DEAD = f"dead.{IN_TESTS}"
NAMED = (
    *("truncated", "unknown-schema", "wrong-schema", "check-character", "unknown-division", "in-the-future"),
    *("bad-enum", "2-mb", "6-mb", "publisher"),
)
"""What the bus promises to bear, one by one."""


class Played(NamedTuple):
    """A good record, a bad one of each kind with a good one after it, all in one partition; and what came of them."""

    published: list[Record]
    bad: dict[str, Record]
    good: list[bytes]
    accepted: list[Record]
    dead: list[Record]
    people: list[Resident]
    intake: WorkerProcess


@pytest.fixture(scope="module")
def played(bus: Bus) -> Iterator[Played]:
    people = [bus.person() for _ in range(2 * len(KINDS) + 1)]
    events = [sampled(person, "NEGATIVE") for person in people]
    good = [bus.encode(TESTS, event) for event in events[::2]]
    spoilt = [
        KINDS[kind].make(Draft("wjw", TESTS, event), bus.encode)
        for kind, event in zip(KINDS, events[1::2], strict=True)
    ]
    values = [good[0], *(value for pair in zip(spoilt, good[1:], strict=True) for value in pair)]
    with workers(bus, "intake") as [intake], Watch(bus, IN_TESTS) as inputs, Watch(bus, TESTS, DEAD) as outputs:
        bus.publish(IN_TESTS, *values)
        published = inputs.count(len(values))
        outputs.count(len(values))
        metrics = intake.get("/metrics")
        assert metrics
        intake.log.with_suffix(".metrics").write_text(metrics)
        bad = dict(zip(KINDS, published[1::2], strict=True))
        yield Played(published, bad, good, outputs.of(TESTS), outputs.of(DEAD), people, intake)


def letter(played: Played, kind: str) -> Record:
    """The dead letter of the record of that kind, found by its origin."""
    bad = played.bad[kind]
    origin = {"topic": bad.topic, "partition": str(bad.partition), "offset": str(bad.offset)}
    [found] = [dead for dead in played.dead if origin.items() <= headers(dead).items()]
    return found


def test_every_kind_that_is_promised_is_tried() -> None:
    assert set(NAMED) <= set(KINDS)


def test_all_were_published_to_one_partition(played: Played) -> None:
    assert len({(record.topic, record.partition) for record in played.published}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_record_is_a_dead_letter_with_its_step_reason_flow_and_origin(played: Played, kind: str) -> None:
    said = headers(letter(played, kind))
    expected = KINDS[kind].expected
    assert (said["step"], said["reason"], said["flow"]) == (expected.step, expected.reason, "intake")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in LARGE])
def test_a_dead_letter_holds_the_bytes_as_published(played: Played, kind: str) -> None:
    assert letter(played, kind).value == played.bad[kind].value


@pytest.mark.parametrize("kind", LARGE)
def test_a_dead_letter_of_a_large_record_holds_its_size_instead(played: Played, kind: str) -> None:
    dead, bad = letter(played, kind), played.bad[kind]
    assert bad.value is not None
    assert (dead.value, headers(dead)["size"]) == (None, str(len(bad.value)))


def test_there_is_one_dead_letter_for_each_bad_record(played: Played) -> None:
    assert len(played.dead) == len(KINDS)


def test_the_good_records_before_between_and_after_go_on_unchanged(played: Played) -> None:
    assert sorted(record.value or b"" for record in played.accepted) == sorted(played.good)


def test_none_of_what_was_written_about_bad_records_names_a_person(bus: Bus, played: Played) -> None:
    written = [" ".join(headers(dead).values()) for dead in played.dead]
    written += [played.intake.log.read_text(), played.intake.log.with_suffix(".metrics").read_text()]
    assert all(written)
    for person in played.people:
        for word in (person.person_id, person.person_id[:17], person.name, person.phone, person.address):
            assert not [text for text in written if word in text]


def test_the_audit_counts_each_of_them(bus: Bus, played: Played) -> None:
    read = rejected = 0
    with Reader(bus.bootstrap, ["bus.audit"]) as reader:
        for record in reader.read_to_end():
            audit = bus.decode(record)
            here = {(o["topic"], o["partition"]): (o["from"], o["until"]) for o in audit["offsets"]}
            first, until = here.get((IN_TESTS, played.published[0].partition), (0, 0))
            if first <= played.published[-1].offset and until > played.published[0].offset:
                [flow] = audit["flows"]
                read += flow["read"]
                rejected += sum(flow["rejected"].values())
    assert (read, rejected) == (len(played.published), len(KINDS))
