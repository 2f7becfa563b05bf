"""The outbreak: large enough, in an order that the bus can keep, and foretold by the oracle as the flows judge it."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streams.demo.city import City
from streams.demo.oracle import Alert, Change, Oracle
from streams.demo.outline import WARM_STORIES, Plan
from streams.demo.scenario import Draft, Scenario, Script
from streams.flows import duty_policy, grid_alert, health_code, policy
from streams.flows.duty import above
from streams.flows.flow import Event
from streams.flows.memory import MemoryRunner

DEPLOY = Path(__file__).parents[3] / "deploy/tianjin"
NOW = 1_795_000_000_000


@pytest.fixture(scope="module")
def city() -> City:
    return City(DEPLOY / "divisions.csv")


def scenario(city: City, run: int = 0, first: int = 0, plan: Plan | None = None) -> Scenario:
    plan = plan or Plan()
    return Scenario(city, run, first, plan.stories, plan.expiry)


def all_scripts(made: Scenario, plan: Plan) -> list[Script]:
    steady = WARM_STORIES + plan.steady_stories
    scripts = made.scripts(plan.expiring_stories, expiring=True) + made.scripts(steady)
    return [*scripts, *(s for _ in range(plan.bursts) for s in made.scripts(plan.burst_stories))]


def oracle_of(city: City, made: Scenario) -> Oracle:
    people = {p.person_id: p for n in made.scripted for p in [city.resident(n)]}
    on_duty, backup = ({duty.division: duty[n] for duty in city.roster()} for n in (1, 2))
    return Oracle(lambda id_: people[id_].cell if people[id_].registered else None, on_duty.get, backup.get)


def test_a_whole_run_has_50000_events_and_2000_alerts_and_tells_every_story(city: City) -> None:
    plan = Plan()
    made = scenario(city)
    scripts = all_scripts(made, plan)
    oracle = oracle_of(city, made)
    for script in scripts:
        for stage in script.stages:
            for draft in stage:
                oracle.accept(draft.type, draft.dated(NOW).value, NOW)
    oracle.pass_time(NOW + plan.expiry[1])
    assert plan.seconds * plan.rate + plan.bursts * plan.burst >= 50_000
    assert len(oracle.alerts) >= 2_000
    assert len({script.kind for script in scripts}) >= 18
    causes = Counter(change.cause for change in oracle.changes.values())
    assert min(causes[cause] for cause in ("EVIDENCE", "RELEASE", "CORRECTION", "EXPIRY")) >= 40
    told = {len(alert.addressee) for alert in oracle.alerts.values()}
    assert told >= {9, 14, 11}, "grid workers, street desks, district desks"


def test_every_stage_but_the_last_changes_the_colour_so_that_its_effect_can_be_awaited(city: City) -> None:
    made = scenario(city)
    oracle = oracle_of(city, made)
    for script in all_scripts(made, Plan()):
        for stage in script.stages[:-1]:
            changes = [change for draft in stage for change in oracle.accept(draft.type, draft.value, 0)]
            assert len(changes) == 1, script.kind


def test_the_same_run_is_the_same_outbreak_and_the_next_shares_neither_people_nor_ids(city: City) -> None:
    plan = Plan(seconds=3, bursts=1)
    first, again = scenario(city, plan=plan), scenario(city, plan=plan)
    second = scenario(city, 1, first.next_person, plan)
    scripts = [all_scripts(made, plan) for made in (first, again, second)]
    assert scripts[0] == scripts[1]
    ids = [{d.value[field] for s in told for stage in s.stages for d in stage} for told in scripts for field in _KEYS]
    assert not ids[0] & ids[4]
    assert not ids[1] & ids[5]


_KEYS = ("event_id", "person_id")


def test_the_oracle_and_the_flows_agree_on_every_story(city: City) -> None:
    """The two were written apart; here they meet before any broker is there."""
    plan = Plan(seconds=6, bursts=1)
    made = scenario(city, plan=plan)
    oracle = oracle_of(city, made)
    people = {p.person_id: p for n in made.scripted for p in [city.resident(n)]}
    residences = {p.person_id: {"cell": p.cell} for p in people.values() if p.registered}
    roster = {duty.division: duty._asdict() for duty in city.roster()}
    code = MemoryRunner(health_code.make(policy.load(DEPLOY / "health-code-policy.yaml")))
    duty = duty_policy.load(DEPLOY / "alert-duty-policy.yaml")
    alerts = MemoryRunner(grid_alert.make(duty), {"ref.residence": residences, "ref.roster": roster})
    scripts = all_scripts(made, plan)
    for round_ in range(4):
        for script in scripts:
            for undated in script.stages[round_] if round_ < len(script.stages) else ():
                draft, at = undated.dated(NOW), NOW + round_
                oracle.accept(draft.type, draft.value, at)
                code.send(Event(draft.type, draft.value["person_id"], draft.value), at)
    oracle.pass_time(NOW + plan.expiry[1])
    code.advance(NOW + plan.expiry[1])
    for event in code.events:
        alerts.send(event, NOW)
    assert {_change(e.value) for e in code.events} == set(oracle.changes.values())
    assert {_alert(e.value) for e in alerts.events} == set(oracle.alerts.values())
    _agree_on_ladders(oracle, alerts.events, {"ref.roster": roster})


def test_a_spoilt_input_and_the_negatives_are_about_people_of_whom_nothing_else_is_told(city: City) -> None:
    made = scenario(city)
    told = {city.resident(n).person_id for n in made.scripted}
    drafts: list[Draft] = [*made.negatives(2_000), *made.spoilt(["truncated"] * 50)]
    assert not told & {draft.value["person_id"] for draft in drafts}
    assert len({draft.value["event_id"] for draft in drafts}) < len(drafts), "a few are sent twice"


def _agree_on_ladders(oracle: Oracle, events: list[Event], tables: Mapping[str, Any]) -> None:
    """Who would be told of each alert, one level after the other, if nobody ever answered."""
    for event in events:
        if event.value["state"] == "RAISED":
            climbed = [(event.value["addressee_level"], event.value["addressee"])]
            while (higher := above(*climbed[-1], event.value["cell"], event.value["division"], tables)) is not None:
                climbed.append(higher)
            assert climbed == list(oracle.raised[event.key].ladder)


def _change(value: Mapping[str, Any]) -> Change:
    return Change(*(value[name] for name in Change._fields))


def _alert(value: Mapping[str, Any]) -> Alert:
    return Alert(*(value[name] for name in Alert._fields))
