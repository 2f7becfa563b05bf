"""What people do about alerts: known beforehand, and never such that a run would have to wait for it."""

from collections import Counter
from pathlib import Path

import pytest

from streams.demo.city import City
from streams.demo.oracle import Oracle
from streams.demo.outline import Foretold, Outline, Plan
from streams.demo.people import People
from streams.demo.scenario import Scenario

DIVISIONS = Path(__file__).parents[3] / "deploy/tianjin/divisions.csv"
SEEN_MS, ACTED_MS = 10_000, 240_000
LADDER = ("gw-000001", "gw-000002", "desk-120101001001", "desk-120101001", "desk-120101", "desk-12")


def foretold(plan: Plan) -> dict[str, Foretold]:
    """The alerts of a run in the whole city."""
    city = City(DIVISIONS)
    outline = Outline(plan, Scenario(city, 0, 0, plan.stories, plan.expiry))
    homes = {p.person_id: p.cell for n in outline.scripted for p in [city.resident(n)] if p.registered}
    on_duty, backup = ({duty.division: duty[n] for duty in city.roster()} for n in (1, 2))
    return outline.foretell(Oracle(homes.get, on_duty.get, backup.get))


@pytest.fixture(scope="module", params=[Plan(), Plan(seconds=8, bursts=1)], ids=["whole", "short"])
def run(request: pytest.FixtureRequest) -> tuple[Plan, dict[str, Foretold], People]:
    plan: Plan = request.param
    alerts = foretold(plan)
    return plan, alerts, People(alerts, plan.horizon, SEEN_MS, ACTED_MS)


def test_most_alerts_are_answered_by_whom_they_reach_first_and_some_by_nobody(
    run: tuple[Plan, dict[str, Foretold], People],
) -> None:
    _, alerts, people = run
    courses = [people.course(id_) for id_ in alerts]
    assert sum(course.ignored == 0 and course.ends for course in courses) > 0.9 * len(courses)
    assert 0 < sum(not course.ends and course.ignored == 0 for course in courses) < 0.05 * len(courses), (
        "never acted on"
    )
    ignored = Counter(course.ignored for course in courses if course.ends)
    assert 0 < ignored[1] < 0.05 * len(courses)
    assert ignored[2] <= ignored[1]
    nobody = [id_ for id_ in alerts if people.course(id_).ignored == len(alerts[id_].ladder)]
    assert 0 < len(nobody) <= 3
    assert not any(people.course(id_).ends for id_ in nobody)


def test_in_a_run_that_is_not_short_one_alert_climbs_every_level() -> None:
    plan = Plan()
    alerts = foretold(plan)
    people = People(alerts, plan.horizon, SEEN_MS, ACTED_MS)
    assert any(people.course(id_).ignored == len(alert.ladder) == len(LADDER) for id_, alert in alerts.items())


def test_nothing_is_ignored_that_is_orange_or_over_soon_or_would_climb_when_the_run_is_over(
    run: tuple[Plan, dict[str, Foretold], People],
) -> None:
    plan, alerts, people = run
    for id_, alert in alerts.items():
        course = people.course(id_)
        if course.ignored:
            assert (alert.colour, alert.fleeting) == ("RED", False)
            steps = min(course.ignored, len(alert.ladder) - 1)
            assert alert.at + steps * SEEN_MS < plan.horizon
        assert course.fleeting == alert.fleeting


def test_everybody_who_will_be_told_is_known_beforehand() -> None:
    alerts = {"ignored": Foretold(0, "RED", LADDER, False), "over": Foretold(0, "RED", ("gw-000009",), True)}
    people = People(alerts, 60_000, SEEN_MS, ACTED_MS)
    assert people.course("ignored").ignored == len(LADDER)
    assert people.addressees == sorted({*LADDER, "gw-000009"})


def test_who_looks_does_so_within_three_seconds_and_acts_within_four_more(
    run: tuple[Plan, dict[str, Foretold], People],
) -> None:
    _, alerts, people = run
    received = 0
    for id_, alert in alerts.items():
        ignored = people.course(id_).ignored
        assert all(people.does(id_, step, who) is None for step, who in enumerate(alert.ladder[:ignored]))
        for step, who in enumerate(alert.ladder[ignored : ignored + 1], ignored):
            does = people.does(id_, step, who)
            assert does is not None
            assert does == people.does(id_, step, who), "the same whenever one asks"
            assert 0.5 <= does.looks_s < 3
            assert (does.acts_s is None) == (not people.course(id_).acts)
            assert does.acts_s is None or 1 <= does.acts_s < 4
            received += does.says_received
    assert 0.15 * len(alerts) < received < 0.25 * len(alerts)


def test_an_alert_that_nobody_has_foretold_is_seen_and_acted_on() -> None:
    people = People({}, 60_000, SEEN_MS, ACTED_MS)
    assert people.course("raised by time alone").ends
    assert people.does("raised by time alone", 0, "gw-000001") is not None
