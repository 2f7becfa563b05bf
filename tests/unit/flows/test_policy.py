"""The policy is strict data: the city's own file is valid, and each mistake in it is found when it is read."""

from pathlib import Path

import pytest

from streams.errors import ConfigError
from streams.flows import policy

CITY = Path(__file__).parents[3] / "deploy/tianjin/health-code-policy.yaml"


def test_the_citys_policy_says_what_the_city_decided() -> None:
    rules = policy.load(CITY)
    kinds = rules.evidence
    assert (kinds.test["POSITIVE"].colour, kinds.test["POSITIVE"].ends) == ("RED", "release")
    assert (kinds.contact["CLOSE"].colour, kinds.contact["CLOSE"].days) == ("RED", 14)
    assert (kinds.contact["SECONDARY"].colour, kinds.contact["SECONDARY"].days) == ("ORANGE", 7)
    assert (kinds.stay["HIGH"].colour, kinds.stay["HIGH"].days) == ("RED", 14)
    assert (kinds.stay["MEDIUM"].colour, kinds.stay["MEDIUM"].days) == ("ORANGE", 14)
    assert {(c, r.colour, r.ends, r.days) for c, r in kinds.national.items()} == {
        ("RED", "RED", "source", 14),
        ("ORANGE", "ORANGE", "source", 14),
    }
    assert (rules.release.negatives, rules.release.from_day, rules.release.hours_apart) == (2, 7, 24)
    assert rules.memory.corrections_days == 30


@pytest.mark.parametrize(
    ("sentence", "old", "new", "named"),
    [
        ("an unknown key", "hours_apart:", "hours_appart:", "hours_apart"),
        ("an unknown event type", "health.area.stayed:", "health.area.visited:", "health.area.visited"),
        ("a symbol that the event does not have", "SECONDARY:", "THIRD:", "THIRD"),
        ("a negative as evidence", "POSITIVE:", "NEGATIVE:", "NEGATIVE"),
        ("a green as evidence", "RED: {colour: RED, ends: source", "GREEN: {colour: RED, ends: source", "GREEN"),
        ("a colour that colours nobody", "CLOSE: {colour: RED", "CLOSE: {colour: GREEN", "GREEN"),
        ("a period of no days", "SECONDARY: {colour: ORANGE, days: 7}", "SECONDARY: {colour: ORANGE, days: 0}", ">= 1"),
        ("a period without days", "CLOSE: {colour: RED, days: 14}", "CLOSE: {colour: RED}", "needs `days`"),
        ("days on what ends by release", "ends: release}", "ends: release, days: 3}", "takes no `days`"),
        (
            "a source's own end where the event has none",
            "CLOSE: {colour: RED, days: 14}",
            "CLOSE: {colour: RED, days: 14, ends: source}",
            "valid_until",
        ),
        ("a missing key", "  from_day: 7 ", "  # ", "from_day"),
        ("a memory that what comes late outlives", "late_days: 28", "late_days: 30", "late_days"),
        ("a memory without a bound", "  corrections: 32\n", "", "corrections"),
    ],
)
def test_a_mistake_in_the_policy_is_found(sentence: str, old: str, new: str, named: str, tmp_path: Path) -> None:
    text = CITY.read_text(encoding="utf-8")
    assert old in text, sentence
    path = tmp_path / "policy.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        policy.load(path)
    assert str(path) in str(raised.value)
    assert named in str(raised.value)


def test_a_policy_cannot_be_changed_once_loaded() -> None:
    with pytest.raises(AttributeError):
        policy.load(CITY).release.negatives = 1  # type: ignore[misc]  # that it is refused is the point
