"""What became of alerts once they were raised: each step up, each look, each end, as the phones received it, held
against what the people of this run were going to do.

Alerts of earlier runs that are still open go on climbing in this one: they are known by their id and left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, NamedTuple

from streams.demo.oracle import Oracle, Rung
from streams.demo.people import People


class StepUp(NamedTuple):
    """One ESCALATED of one alert."""

    alert_id: str
    rung: Rung
    cause: str

    def __str__(self) -> str:
        return f"{self.alert_id} to {self.rung.addressee}"


class Verdict(NamedTuple):
    """What was expected of alerts, what came. Numbers of alerts, or of steps up."""

    escalated_expected: int
    escalated: int
    escalated_missing: list[StepUp]
    escalated_unexpected: list[StepUp]
    closed_expected: int
    closed: int
    closed_wrongly: int
    seen_expected: int
    seen: int
    raced: int


class Duties:
    """The steps of alerts in one run. `oracle` knows which alerts are this run's, `people` what is done about them."""

    def __init__(self, oracle: Oracle, people: People) -> None:
        self._oracle, self._people = oracle, people
        self._steps: dict[str, dict[str, StepUp]] = {}
        self._closed: dict[str, dict[str, str]] = {}
        self._seen: dict[str, dict[str, int]] = {}
        self._written: dict[str, tuple[str, str, frozenset[str]]] = {}
        self._received: dict[str, set[str]] = {}
        self.raced: set[str] = set()
        """Alerts that somebody saw so late that they may have gone one level up or not; known when all has come out."""
        self._took: list[tuple[float, float]] = []

    # What is told.

    def take(self, addressee: str, value: Mapping[str, Any]) -> None:
        """A step reached `addressee`: SEEN, ESCALATED, HANDED_OVER or CLOSED."""
        event_id, alert_id, state, told = value["event_id"], value["alert_id"], value["state"], value["told"]
        receivers = self._received.setdefault(event_id, set())
        receivers.add(addressee)
        if len(receivers) > 1:
            return
        if state == "ESCALATED":
            step = StepUp(alert_id, Rung(value["addressee_level"], value["addressee"]), value["cause"])
            self._steps.setdefault(alert_id, {})[event_id] = step
        elif state == "CLOSED":
            self._closed.setdefault(alert_id, {})[event_id] = value["cause"]
            if value["cause"] == "ACTED" and alert_id in self._oracle.raised:
                since = value["opened_at"]
                seen = min(entry["seen_at"] for entry in told if entry["seen_at"] is not None)
                acted = max(entry["acted_at"] for entry in told if entry["acted_at"] is not None)
                self._took.append(((seen - since) / 1000, (acted - since) / 1000))
        elif state == "SEEN":
            self._seen.setdefault(alert_id, {})[event_id] = len(told) - 1

    def written(self, value: Mapping[str, Any]) -> None:
        """A step was read from the bus's own topic, which says who must receive it."""
        told = frozenset(entry["addressee"] for entry in value["told"])
        self._written[value["event_id"]] = (value["alert_id"], value["state"], told)

    # What is left, and what comes of it.

    def outstanding(self) -> int:
        """How many steps are expected and have not come."""
        left = 0
        for alert_id in self._oracle.raised:
            closed = alert_id in self._closed
            climbs = len(self._expected(alert_id)) - len(self._steps.get(alert_id, ()))
            left += max(0, climbs) + (self._people.course(alert_id).ends and not closed)
            # Who looked too late is not heard: it has gone higher than expected, or is closed by the act that follows.
            left += self._is_seen(alert_id) and not closed and climbs >= 0 and alert_id not in self._seen
        return left

    def misdelivered(self) -> tuple[list[str], list[str]]:
        """Which steps were not received by somebody who was told, and which by somebody who was not, in words; without
        the alerts that raced their deadline: those may have been told to people without a phone. A retraction is final
        for readers but for the CLOSED that follows: a step that was under way need reach nobody."""
        missing: list[str] = []
        wrong: list[str] = []
        for event_id, (alert_id, state, told) in self._written.items():
            if alert_id in self._oracle.raised and alert_id not in self.raced:
                received = self._received.get(event_id, set())
                if state == "CLOSED" or not self._people.course(alert_id).fleeting:
                    missing += [f"{state} of {alert_id} at {who}" for who in sorted(told - received)]
                wrong += [f"{state} of {alert_id} at {who}" for who in sorted(received - told)]
        return missing, wrong

    def deliveries(self) -> int:
        """How many steps were received, by how many each."""
        return sum(map(len, self._received.values()))

    def verdict(self) -> Verdict:
        """Holds everything against what was to come."""
        expected: list[StepUp] = []
        came: list[StepUp] = []
        closed_expected = closed = wrongly = seen_expected = seen = raced = 0
        for alert_id in self._oracle.raised:
            course = self._people.course(alert_id)
            steps = list(self._steps.get(alert_id, {}).values())
            came += steps
            expected += steps if self._legal(alert_id, steps) else self._expected(alert_id)
            raced += alert_id in self.raced
            ends = self._closed.get(alert_id, {})
            closed_expected, closed = closed_expected + course.ends, closed + len(ends)
            wrongly += len(ends) != course.ends
            looks = Counter(self._seen.get(alert_id, {}).values())
            seen += sum(looks.values())
            # Whether it was seen before it was over does not matter, nor at which step: not twice.
            seen_expected += len(looks) if course.fleeting or alert_id in self.raced else self._is_seen(alert_id)
        missing, unexpected = Counter(expected) - Counter(came), Counter(came) - Counter(expected)
        return Verdict(
            len(expected), len(came), list(missing.elements()), list(unexpected.elements()),
            closed_expected, closed, wrongly, seen_expected, seen, raced,
        )  # fmt: skip

    def steps(self) -> Iterator[StepUp]:
        """Every step up of this run's alerts."""
        for alert_id, steps in self._steps.items():
            if alert_id in self._oracle.raised:
                yield from steps.values()

    def ends(self) -> Iterator[str]:
        """The cause of every end of this run's alerts."""
        for alert_id, ends in self._closed.items():
            if alert_id in self._oracle.raised:
                yield from ends.values()

    def medians(self) -> tuple[float | None, float | None]:
        """Seconds from an alert's beginning until it was seen, and until somebody acted, where somebody did."""
        if not self._took:
            return None, None
        seen, acted = zip(*self._took, strict=True)
        return round(median(seen), 1), round(median(acted), 1)

    def _is_seen(self, alert_id: str) -> bool:
        """Whether somebody who is told looks, and the alert lasts until then."""
        course = self._people.course(alert_id)
        return not course.fleeting and course.ignored < len(self._oracle.raised[alert_id].ladder)

    def _expected(self, alert_id: str) -> list[StepUp]:
        ladder = self._oracle.raised[alert_id].ladder
        return [StepUp(alert_id, rung, "UNSEEN") for rung in ladder[1 : self._people.course(alert_id).ignored + 1]]

    def _legal(self, alert_id: str, steps: list[StepUp]) -> bool:
        """Whether an alert that raced its deadline climbed as it may: as far as it was ignored and perhaps further, one
        level after the other, none left out."""
        ladder, ignored = self._oracle.raised[alert_id].ladder, self._people.course(alert_id).ignored
        in_order = {step.rung for step in steps} == set(ladder[1 : len(steps) + 1])
        return alert_id in self.raced and len(steps) >= ignored and in_order
