"""The books of a transaction: they balance in every record, hold with the commit and are gone with an abort."""

from hypothesis import given
from hypothesis import strategies as st

from streams.chains.ledger import Ledger
from streams.errors import Rejection
from streams.observe.metrics import METRICS
from tests.unit.contract.bus_of import released

REASONS = st.sampled_from(["truncated", "publisher", "no-such-cell"])
OUTCOMES = st.lists(
    st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["deliver", "filter", "reject"]), REASONS), max_size=40
)


def count(ledger: Ledger, outcomes) -> None:
    for flow, outcome, reason in outcomes:
        counted = ledger.flow(flow)
        counted.read += 1
        match outcome:
            case "deliver":
                counted.delivered += 1
            case "filter":
                counted.filtered[reason] += 1
            case "reject":
                counted.reject(Rejection("validate", reason))


def value_of(chain: str, flow: str, step: str, outcome: str) -> float:
    return METRICS.records.labels(chain, flow, step, outcome)._value.get()


@given(OUTCOMES, OUTCOMES)
def test_read_is_delivered_and_filtered_and_rejected_in_every_record(first, second) -> None:
    ledger = Ledger("chain", 3)
    for outcomes in (first, second):
        count(ledger, outcomes)
        flows = ledger.record({}, 1)["flows"]
        assert sum(flow["read"] for flow in flows) == len(outcomes)
        for flow in flows:
            assert flow["read"] == flow["delivered"] + sum(flow["filtered"].values()) + sum(flow["rejected"].values())
        ledger.committed()


@given(OUTCOMES)
def test_the_record_fits_its_schema(outcomes) -> None:
    ledger = Ledger("chain", 3)
    count(ledger, outcomes)
    ledger.view("to.someone.grid.alert.changed").withheld["expired"] += 1
    version = released().latest("bus.audit")
    record = ledger.record({("health.test.result", 4): (7, 9)}, 1)
    again = version.decode(version.encode(record))
    assert {name: again[name] for name in record} == record


def test_an_abort_drops_what_was_counted_and_shows_nothing() -> None:
    ledger = Ledger("ledger-abort", 0)
    count(ledger, [("flow", "deliver", "")] * 3)
    ledger.aborted()
    assert ledger.record({}, 1)["flows"] == []
    assert value_of("ledger-abort", "flow", "deliver", "delivered") == 0
    assert METRICS.transactions.labels("ledger-abort", "aborted")._value.get() == 1


def test_a_commit_shows_each_outcome_under_the_step_that_decided_and_begins_anew() -> None:
    ledger = Ledger("ledger-commit", 0)
    count(ledger, [("flow", "deliver", ""), ("flow", "deliver", ""), ("flow", "filter", "x"), ("flow", "reject", "y")])
    ledger.committed()
    assert value_of("ledger-commit", "flow", "deliver", "delivered") == 2
    assert value_of("ledger-commit", "flow", "route", "filtered") == 1
    assert value_of("ledger-commit", "flow", "validate", "rejected") == 1
    assert ledger.record({}, 1)["flows"] == []


def test_one_reason_from_two_steps_is_one_number_in_the_record() -> None:
    ledger = Ledger("chain", 0)
    for step in ("decode", "validate"):
        ledger.flow("flow").reject(Rejection(step, "missing"))
    assert ledger.record({}, 1)["flows"][0]["rejected"] == {"missing": 2}
