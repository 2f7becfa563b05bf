"""The outbreak that the demo plays: who gets which evidence, in which order, and which inputs are spoilt.

A script is one person's story in stages. Stages are order-sensitive: the next one may be published only after the
effect of the former was seen, because the bus promises no order between topics. Within a stage the order is the
publisher's own, in one topic and under one key, which the bus does keep. Everything is drawn from (seed, run): the same
run is the same outbreak, and two runs on kept data share neither people nor event ids.
"""

import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from streams.demo.city import HOUSEHOLD, City, Resident
from streams.demo.oracle import DAY, HOUR

MINUTE = 60_000
SCRIPTED = 2
"""Of the eight residents of a cell this many get a script; the others are only tested, and are negative."""


_TIMES = ("occurred_at", "valid_until")


class Draft(NamedTuple):
    """One input to be: who publishes it, as which event type, with which fields, and how it is spoilt, if it is. Its
    times are in ms from the run's beginning, which is known only when everything else is ready."""

    publisher: str
    type: str
    value: dict[str, Any]
    spoilt: str | None = None

    @property
    def topic(self) -> str:
        return f"in.{self.publisher}.{self.type}"

    def dated(self, base: int) -> "Draft":
        """The same with real times, for a run that began at `base` (ms)."""
        value = self.value
        times = {name: base + value[name] for name in _TIMES if value.get(name) is not None}
        return self._replace(value=value | times)


class Script(NamedTuple):
    """One person's story. `kind` names it in tests; all stages but the last change the colour."""

    kind: str
    person: Resident
    stages: tuple[tuple[Draft, ...], ...]


class Scenario:
    """Makes the inputs of one run.

    stories  how many people get a script, in all
    expiry   (from, to) in ms after the beginning: when evidence that is backdated to expire during the run does so. It
             is to be published well before, so that even a worker killed and restarted takes it in before it is over
    """

    def __init__(self, city: City, run: int, first_person: int, stories: int, expiry: tuple[int, int]) -> None:
        self._city = city
        self._rng = random.Random(f"{city.seed}/{run}")
        self._expiry = expiry
        first = first_person + -first_person % HOUSEHOLD
        self.next_person = first + -(-stories // SCRIPTED) * HOUSEHOLD
        """The first person that this run does not use."""
        self.scripted = [n for n in range(first, self.next_person) if n % HOUSEHOLD < SCRIPTED]
        """The people whose colour may change."""
        self._tested = [city.resident(n) for n in range(first, self.next_person) if n % HOUSEHOLD >= SCRIPTED]
        self._negative: list[Draft] = []
        self._rng.shuffle(self.scripted)
        self._newcomers = iter(self.scripted)

    def scripts(self, count: int, expiring: bool = False) -> list[Script]:
        """`count` stories of new people: each kind at least once if there are enough, then by weight.

        `expiring`: only those in which time alone changes the colour; otherwise all others.
        """
        weights = {kind: weight for kind, (weight, tell) in _STORIES.items() if (tell in _EXPIRING) == expiring}
        chosen = (list(weights) + self._rng.choices(list(weights), list(weights.values()), k=count))[:count]
        self._rng.shuffle(chosen)
        people = [self._city.resident(next(self._newcomers)) for _ in chosen]
        return [Script(kind, p, _STORIES[kind][1](self, p)) for kind, p in zip(chosen, people, strict=True)]

    def negatives(self, count: int) -> Iterator[Draft]:
        """Test results of people who are only tested, and of whom nothing else is known. A few are sent twice."""
        rng = self._rng
        for _ in range(count):
            if self._negative and rng.random() < 0.005:
                yield rng.choice(self._negative)
                continue
            draft = self.test(rng.choice(self._tested), "NEGATIVE", ago=rng.randrange(HOUR, 40 * HOUR))
            if len(self._negative) < 500:
                self._negative.append(draft)
            yield draft

    def spoilt(self, kinds: list[str]) -> list[Draft]:
        """One input for each of `kinds`, about people who are only tested; `spoil.py` says what is wrong with each."""
        rng = self._rng
        drafts = []
        for kind in kinds:
            person = rng.choice(self._tested)
            if kind != "too-large" and rng.random() < 0.5:
                draft = self.contact(person, "CLOSE")
            else:
                draft = self.test(person, "POSITIVE")
            drafts.append(draft._replace(spoilt=kind))
        return drafts

    # What publishers say. `ago` is how long before the run's beginning it happened, in ms: nothing is dated after that
    # but what is wrong.

    def test(self, person: Resident, result: str, ago: int = 10 * MINUTE) -> Draft:
        return self._draft("wjw", "health.test.result", person, ago, result=result, laboratory="天津市第三中心实验室")

    def contact(self, person: Resident, degree: str, ago: int = 10 * MINUTE) -> Draft:
        case = f"TJ-{self._rng.randrange(10_000):04d}"
        return self._draft("cdc", "health.contact.identified", person, ago, degree=degree, case_id=case)

    def stay(self, person: Resident, risk: str, ago: int = HOUR) -> Draft:
        return self._draft("cdc", "health.area.stayed", person, ago, risk=risk, area="津南区辛庄镇")

    def national(self, person: Resident, colour: str, valid_until: int | None, ago: int = HOUR) -> Draft:
        source = "国家政务服务平台"
        fields = {"source": source, "colour": colour, "valid_until": valid_until}
        return self._draft("national", "health.national.checked", person, ago, **fields)

    def correction(self, person: Resident, wrong: Draft) -> Draft:
        fields = {"corrects": wrong.value["event_id"], "reason": "样本信息登记错误"}
        return self._draft(wrong.publisher, "health.evidence.corrected", person, MINUTE, **fields)

    def over_at(self, period: int) -> int:
        """How long ago evidence that holds for `period` must have begun, to be over during the run."""
        return period - self._rng.randrange(*self._expiry)

    def _draft(self, publisher: str, event_type: str, person: Resident, ago: int, **fields: Any) -> Draft:
        value = {
            "event_id": str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            "occurred_at": -ago,
            "publisher": publisher,
            "person_id": person.person_id,
            "division": person.cell[:12],
        }
        return Draft(publisher, event_type, value | fields)


Stages = tuple[tuple[Draft, ...], ...]


def _contact(s: Scenario, p: Resident) -> Stages:
    return ((s.contact(p, "CLOSE"),),)


def _secondary(s: Scenario, p: Resident) -> Stages:
    return ((s.contact(p, "SECONDARY"),),)


def _stay(s: Scenario, p: Resident) -> Stages:
    return ((s.stay(p, "MEDIUM"),),)


def _national(s: Scenario, p: Resident) -> Stages:
    return ((s.national(p, "ORANGE", 3 * DAY),),)


def _national_default(s: Scenario, p: Resident) -> Stages:
    return ((s.national(p, "RED", None),),)


def _worse(s: Scenario, p: Resident) -> Stages:
    return (s.contact(p, "SECONDARY"),), (s.test(p, "POSITIVE"),)


def _released(s: Scenario, p: Resident) -> Stages:
    first, second = s.test(p, "NEGATIVE", 2 * DAY), s.test(p, "NEGATIVE", 20 * HOUR)
    return (s.test(p, "POSITIVE", 10 * DAY),), (first, second)


def _not_yet_released(s: Scenario, p: Resident) -> Stages:
    early, one, close = s.test(p, "NEGATIVE", 4 * DAY), s.test(p, "NEGATIVE", 2 * DAY), s.test(p, "NEGATIVE", 30 * HOUR)
    return (s.test(p, "POSITIVE", 10 * DAY),), (early, one, close)


def _red_again(s: Scenario, p: Resident) -> Stages:
    first, second = s.test(p, "NEGATIVE", 2 * DAY), s.test(p, "NEGATIVE", 20 * HOUR)
    return (s.test(p, "POSITIVE", 10 * DAY),), (first, second), (s.correction(p, second),)


def _corrected(s: Scenario, p: Resident) -> Stages:
    wrong = s.stay(p, "HIGH")
    return (wrong,), (s.correction(p, wrong),)


def _corrected_test(s: Scenario, p: Resident) -> Stages:
    wrong = s.test(p, "POSITIVE")
    return (wrong,), (s.correction(p, wrong),), (s.contact(p, "CLOSE"),)


def _better(s: Scenario, p: Resident) -> Stages:
    wrong, other = s.contact(p, "CLOSE"), s.contact(p, "SECONDARY")
    return (other,), (wrong,), (s.correction(p, wrong),), (s.correction(p, other),)


def _overtaken(s: Scenario, p: Resident) -> Stages:
    # The correction of `late` overtakes it: that it was read is known from the effect of the one published after it.
    early, late = s.contact(p, "CLOSE"), s.stay(p, "HIGH")
    return (early,), (s.correction(p, late), s.correction(p, early)), (late,)


def _twice(s: Scenario, p: Resident) -> Stages:
    contact = s.contact(p, "CLOSE")
    return ((contact, contact),)


def _says_nothing(s: Scenario, p: Resident) -> Stages:
    return (
        (s.contact(p, "SECONDARY", 8 * DAY), s.stay(p, "LOW"), s.national(p, "GREEN", None), s.contact(p, "UNKNOWN")),
    )


def _expires(s: Scenario, p: Resident) -> Stages:
    return ((s.contact(p, "CLOSE", s.over_at(14 * DAY)),),)


def _national_expires(s: Scenario, p: Resident) -> Stages:
    return ((s.national(p, "ORANGE", -s.over_at(0)),),)


def _expires_to_orange(s: Scenario, p: Resident) -> Stages:
    return (s.contact(p, "SECONDARY"),), (s.stay(p, "HIGH", s.over_at(14 * DAY)),)


_STORIES: dict[str, tuple[int, Callable[[Scenario, Resident], Stages]]] = {
    "contact": (14, _contact),
    "secondary": (10, _secondary),
    "stay": (8, _stay),
    "national": (6, _national),
    "national-default": (4, _national_default),
    "worse": (8, _worse),
    "released": (12, _released),
    "not-yet-released": (3, _not_yet_released),
    "red-again": (4, _red_again),
    "corrected": (10, _corrected),
    "corrected-test": (4, _corrected_test),
    "better": (6, _better),
    "overtaken": (5, _overtaken),
    "twice": (4, _twice),
    "says-nothing": (2, _says_nothing),
    "expires": (12, _expires),
    "national-expires": (4, _national_expires),
    "expires-to-orange": (4, _expires_to_orange),
}
"""Every story by its name, with how often it is told among its like."""

_EXPIRING = (_expires, _national_expires, _expires_to_orange)
