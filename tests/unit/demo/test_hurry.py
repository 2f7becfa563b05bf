"""The demo's declarations: the city's own, but for the duty policy's periods."""

from pathlib import Path

import pytest

from streams.demo.hurry import POLICY, hurried
from streams.flows.duty_policy import load
from streams.settings import Settings
from streams.settings import load as load_settings

DEPLOY = Path(__file__).parents[3] / "deploy/tianjin"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HAIHE_HOME": str(tmp_path)}, need_stack=False)


def test_every_period_is_a_thirtieth_and_the_hours_of_the_day_stay(settings: Settings) -> None:
    made, policy = hurried(settings)
    real = load(DEPLOY / POLICY)
    assert load(made.deploy / POLICY) == policy
    assert policy.periods("RED", 0).seen_s * 30 == real.periods("RED", 0).seen_s
    assert policy.periods("RED", 0).acted_s * 30 == real.periods("RED", 0).acted_s
    assert [shift.begins for shift in policy.shifts] == [shift.begins for shift in real.shifts]


def test_everything_else_is_as_the_city_declares_it(settings: Settings) -> None:
    made, _ = hurried(settings)
    files = {path.name: path.read_bytes() for path in DEPLOY.iterdir() if path.name != POLICY}
    assert {path.name: path.read_bytes() for path in made.deploy.iterdir() if path.name != POLICY} == files


def test_what_an_earlier_run_left_is_made_anew(settings: Settings) -> None:
    hurried(settings)
    stale = settings.home / "demo-deploy" / "stale.yaml"
    stale.write_text("stale: true")
    made, _ = hurried(settings)
    assert not stale.exists()
    assert made.deploy == stale.parent
