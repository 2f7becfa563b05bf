"""The flows and the schemas agree: the flows read what the inputs' schemas write and emit what the outputs' take."""

from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from cases_evidence import CASES as EVIDENCE
from cases_withdrawal import CASES as WITHDRAWAL
from flow_events import Case, ms

from streams.contract.contracts import load_contracts
from streams.contract.version import Version
from streams.flows import alert_duty, duty_policy, grid_alert, health_code, policy
from streams.flows.duty import LEVELS
from streams.flows.evidence import COLOURS
from streams.flows.flow import Event, derived_id
from streams.flows.memory import MemoryRunner

ROOT = Path(__file__).parents[3]
CONTRACTS = load_contracts(ROOT / "schemas/avro")
POLICY = policy.load(ROOT / "deploy/tianjin/health-code-policy.yaml")
DUTY = duty_policy.load(ROOT / "deploy/tianjin/alert-duty-policy.yaml")
CASES = [*EVIDENCE, *WITHDRAWAL]
ROSTER = {"12010100100101": {"on_duty": "gw-000001", "backup": "gw-000002"}}
HOME = {"cell": "12010100100101", "person_name": "张三", "phone": "13800001234", "address": "和平区某路1号"}


def version(type: str) -> Version:
    contract = CONTRACTS[type]
    return Version(type, contract.latest, 1, contract.versions[contract.latest])


VERSIONS = {t: version(t) for t in (*health_code.READS, health_code.CHANGED, *alert_duty.READS)}


def symbols(type: str, field: str) -> list[str]:
    schema = CONTRACTS[type].versions[CONTRACTS[type].latest]
    return next(f["type"]["symbols"] for f in schema["fields"] if f["name"] == field)


def over_the_wire(event: Event) -> Event:
    """The event as the chain gets it: written and read by its schema, its ids real UUIDs."""
    value: dict[str, Any] = dict(event.value)
    for id in {"event_id", "corrects"} & value.keys():
        value[id] = derived_id("test", value[id], 0)
    wire = VERSIONS[event.type]
    return Event(event.type, event.key, wire.decode(wire.encode(value)))


@pytest.mark.parametrize("case", CASES, ids=[case.sentence for case in CASES])
@pytest.mark.parametrize("home", [HOME, None], ids=["at home", "no residence"])
def test_all_that_the_flows_read_and_emit_fits_its_schema(case: Case, home: dict[str, str] | None) -> None:
    code = MemoryRunner(health_code.make(POLICY))
    tables: dict[str, dict[str, Any]] = {"ref.residence": {}, "ref.roster": dict(ROSTER)}
    alert = MemoryRunner(grid_alert.make(DUTY), tables)
    duty = MemoryRunner(alert_duty.make(DUTY), tables)
    for item in case.arrives:
        event = item if isinstance(item, Event) else item[1]
        code.send(over_the_wire(event), event.value["occurred_at"] if isinstance(item, Event) else ms(item[0]))
        if home:
            tables["ref.residence"][event.key] = home
    code.advance(ms(200))
    for change in code.events:
        alert.send(over_the_wire_again(change), change.value["occurred_at"])
    assert sum(e.value["state"] == "RAISED" for e in alert.events) == sum(
        e.value["colour"] != "GREEN" for e in code.events
    )
    for event in alert.events:
        duty.send(over_the_wire_again(event), event.value["occurred_at"])
    duty.advance(duty.now + 3_600_000)
    told = {e.value["state"] for e in duty.events}
    assert "CLOSED" in told or len(alert.events) < 2, "a retraction closes"
    for event in duty.events:
        over_the_wire_again(event)


def over_the_wire_again(event: Event) -> Event:
    """An event that a flow emitted, written and read by its schema: nothing added, nothing lost."""
    wire = VERSIONS[event.type]
    read = wire.decode(wire.encode(event.value))
    assert read == event.value
    assert list(read) == list(event.value), "fields in the schema's order"
    assert event.key == read[CONTRACTS[event.type].key]
    return Event(event.type, event.key, read)


def test_the_colours_and_causes_are_the_schemas() -> None:
    assert symbols(health_code.CHANGED, "colour") == list(COLOURS)
    assert symbols(health_code.CHANGED, "cause") == ["EVIDENCE", "RELEASE", "EXPIRY", "CORRECTION"]
    assert symbols(grid_alert.ALERT, "colour") == list(COLOURS)


def test_the_alert_states_and_levels_are_the_schemas() -> None:
    states = {"RAISED", "RETRACTED", "SEEN", "ESCALATED", "HANDED_OVER", "CLOSED"}
    assert set(symbols(grid_alert.ALERT, "state")) == states
    assert set(symbols(grid_alert.ALERT, "addressee_level")) == set(LEVELS)


@pytest.mark.parametrize(
    ("type", "field", "kind"),
    [
        ("health.test.result", "result", "test"),
        ("health.contact.identified", "degree", "contact"),
        ("health.area.stayed", "risk", "stay"),
        ("health.national.checked", "colour", "national"),
    ],
)
def test_the_policy_can_name_only_symbols_that_the_event_has(type: str, field: str, kind: str) -> None:
    named, _ = get_args(get_type_hints(policy.Kinds)[kind])
    assert set(get_args(named)) <= set(symbols(type, field))
    assert set(getattr(POLICY.evidence, kind)) <= set(symbols(type, field))


def test_each_flow_keys_its_state_by_the_key_of_what_it_reads() -> None:
    assert {CONTRACTS[t].key for t in (*health_code.READS, health_code.CHANGED)} == {"person_id"}
    assert {CONTRACTS[t].key for t in alert_duty.READS} == {"alert_id"}
