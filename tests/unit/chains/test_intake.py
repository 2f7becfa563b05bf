"""Intake in memory: what it lets through unchanged, what it refuses, what it leaves unread."""

import pytest

from streams.chains.audited import Audit
from streams.chains.intake import Intake
from streams.chains.ledger import Ledger
from streams.chains.resolver import Resolver
from streams.contract.wire import schema_id
from streams.observe.health import Health
from tests.unit.chains.registries import REFORMATTED, TOPIC, Offices
from tests.unit.chains.toy import Batch, Message, Outputs, reidentified
from tests.unit.contract.bus_of import DAY, positive

INPUT = f"in.wjw.{TOPIC}"


class Desk:
    """Intake with its outputs and a registry."""

    def __init__(self) -> None:
        self.offices, self.outputs = Offices(), Outputs()
        self.offices.release(TOPIC)
        self.offices.release("bus.audit")
        audit = Audit(self.offices.released.latest("bus.audit"), lambda: 7)
        resolver = Resolver(self.offices.released, self.offices.policy, self.offices.registry)
        self.ledger = Ledger("intake", 0)
        self.intake = Intake(self.outputs, resolver, self.ledger, audit, Health())
        self.now = positive()["occurred_at"]
        self._offset = 0

    def message(self, value: bytes | None = None, partition: int = 0, **fields) -> Message:
        """A publisher's record under whatever key; a good one unless told otherwise."""
        if value is None:
            value = self.offices.released.latest(TOPIC).encode(positive() | fields)
        self._offset += 1
        return Message(INPUT, value, b"any key", self._offset - 1, self.now, partition)

    def run(self, *messages: Message) -> Batch:
        batch = Batch(messages)
        for _ in self.intake.run(batch):
            pass
        return batch

    def reasons(self) -> list[str]:
        return [letter.headers["reason"] for letter in self.outputs.of(f"dead.{INPUT}")]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_good_record_keeps_its_bytes_and_gets_the_contracts_key_and_the_brokers_time(desk: Desk) -> None:
    message = desk.message()
    desk.run(message)
    [written] = desk.outputs
    assert written.headers == {"origin": f"{INPUT}/0/0"}
    assert written[:4] == (TOPIC, message.value(), positive()["person_id"].encode(), desk.now)


def test_the_registrys_other_id_is_written_as_the_released_one(desk: Desk) -> None:
    other = desk.offices.registry.register("someone-value", REFORMATTED)
    good = desk.message().value()
    desk.run(desk.message(reidentified(good, other)))
    assert [record.value for record in desk.outputs] == [good]
    assert schema_id(good) != other


def test_a_record_with_an_unknown_schema_waits_with_all_after_it_in_its_partition_only(desk: Desk) -> None:
    desk.offices.registry.away = True
    waiting = desk.message(reidentified(desk.message().value(), 4711))
    behind, beside, again = desk.message(), desk.message(partition=1), desk.message(partition=1)
    batch = desk.run(waiting, behind, beside, again)
    assert batch.held == [waiting]
    assert len(desk.outputs.of(TOPIC)) == 2
    assert desk.ledger.flow("intake").read == 2


def test_what_waited_goes_on_when_the_registry_is_back(desk: Desk) -> None:
    desk.offices.registry.away = True
    waiting, behind = desk.message(reidentified(desk.message().value(), 4711)), desk.message()
    desk.run(waiting, behind)
    desk.offices.registry.away = False
    assert desk.run(waiting, behind).held == []
    assert (desk.reasons(), len(desk.outputs.of(TOPIC))) == (["unknown-schema"], 1)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"publisher": "cdc"}, "publisher"),
        ({"person_id": "120101199001011230"}, "check-character"),
        ({"division": "120199001001"}, "unknown-division"),
        ({"occurred_at": positive()["occurred_at"] + DAY}, "in-the-future"),
    ],
)
def test_a_refused_record_is_a_dead_letter_with_its_bytes_and_its_neighbours_go_on(
    desk: Desk, fields: dict[str, object], reason: str
) -> None:
    bad = desk.message(**fields)
    desk.run(desk.message(), bad, desk.message())
    assert (desk.reasons(), len(desk.outputs.of(TOPIC))) == ([reason], 2)
    assert desk.outputs.of(f"dead.{INPUT}")[0].value == bad.value()


def test_no_header_of_a_dead_letter_holds_a_value_of_the_record(desk: Desk) -> None:
    person = "120101199001011230"
    desk.run(desk.message(person_id=person), desk.message(person_id=person, publisher="cdc"))
    for letter in desk.outputs.of(f"dead.{INPUT}"):
        assert person not in "".join(letter.headers.values())


def test_a_flood_of_bad_records_never_stops_it(desk: Desk) -> None:
    desk.run(*(desk.message(b"{}") for _ in range(2000)))
    assert len(desk.reasons()) == 2000


def test_a_record_that_the_broker_refuses_is_a_dead_letter_of_its_publisher(desk: Desk) -> None:
    message = desk.message()
    desk.intake.poison(message, "Broker: Message size too large", RuntimeError())
    desk.run(message)
    assert desk.reasons() == ["refused"]


def test_the_books_of_intake_balance(desk: Desk) -> None:
    desk.run(desk.message(), desk.message(b"{}"), desk.message(publisher="cdc"))
    count = desk.ledger.flow("intake")
    assert (count.read, count.delivered, sum(count.rejected.values())) == (3, 1, 2)
