"""The health code by cases: cases_evidence.py and cases_withdrawal.py are the table, this reads it."""

import re
from pathlib import Path

import cases_evidence
import cases_withdrawal
import pytest
from flow_events import HOUR, MINUTE, PERSON, Case, ms

from streams.flows import health_code, policy
from streams.flows.flow import Event, Outcome
from streams.flows.memory import MemoryRunner

POLICY = policy.load(Path(__file__).parents[3] / "deploy/tianjin/health-code-policy.yaml")
CASES = [*cases_evidence.CASES, *cases_withdrawal.CASES]


def day(text: str) -> int:
    """`14`, `8.5`, `14+5m`, `39-1h` or `5m` (after day 0) as ms."""
    match = re.fullmatch(r"([\d.]+(?![\d.]*[mh]))?(?:([+-]?\d+)([mh]))?", text)
    assert match, text
    days, extra, unit = match.groups()
    return ms(float(days or 0) + int(extra or 0) * (MINUTE if unit == "m" else HOUR))


def run(case: Case) -> tuple[MemoryRunner[health_code.PersonState], list[tuple[str, str]]]:
    runner = MemoryRunner(health_code.make(POLICY))
    filtered = []
    for item in case.arrives:
        occurred = item if isinstance(item, Event) else item[1]
        at = occurred.value["occurred_at"] if isinstance(item, Event) else ms(item[0])
        outcome = runner.send(occurred, at)
        assert isinstance(outcome, Outcome)
        if outcome.filtered:
            filtered.append((occurred.value["event_id"], outcome.filtered))
    runner.advance(runner.now + ms(100) - ms(0))
    return runner, filtered


@pytest.mark.parametrize("case", CASES, ids=[case.sentence for case in CASES])
def test_health_code(case: Case) -> None:
    runner, filtered = run(case)
    values = [e.value for e in runner.events]
    expected = [change.split(" ") for change in case.changes.split(", ") if change]
    assert [(v["occurred_at"], v["colour"], v["cause"], v["evidence_id"]) for v in values] == [
        (day(at), colour, cause, evidence[0] if evidence else None) for at, colour, cause, *evidence in expected
    ]
    assert ", ".join(f"{id} {reason}" for id, reason in filtered) == case.filtered
    colours = ["GREEN", *(v["colour"] for v in values)]
    assert [v["previous"] for v in values] == colours[:-1], "each change starts from the colour of the one before"
    assert len({v["event_id"] for v in values}) == len(values), "no id is used twice"
    # A red that only a release ends is held for ever; everything else is forgotten in the end.
    assert runner.keys() == ([] if colours[-1] == "GREEN" else [PERSON])


def test_the_table_has_no_sentence_twice() -> None:
    assert len({case.sentence for case in CASES}) == len(CASES) > 50
