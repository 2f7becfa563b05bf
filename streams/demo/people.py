"""What people do about alerts: most grid workers look at their phone within seconds and act soon after, some look and
never act, and a few alerts are ignored by one, by two, or by everybody who is told.

All of it is drawn from the alert's id, so the phones and the books know the same without asking each other. Whatever
a run waits for must not depend on a race: who is told of an alert that will be over soon always looks.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from streams.demo.outline import Foretold

_LOOKS_S, _ACTS_S = (0.5, 3.0), (1.0, 4.0)
_EVERYBODY = 3
"""So many alerts are ignored by all who are told."""
_BY_TWO, _BY_ONE, _IDLE = 0.015, 0.05, 0.015
"""Shares of the alerts that are ignored by two, by one, and looked at but never acted on."""
_SAYS_RECEIVED = 0.2
_ESCALATES_MS = 3_000
"""How long the bus may take to notice that nobody has looked."""
_TAKES_MS = _ESCALATES_MS + int((_LOOKS_S[1] + _ACTS_S[1]) * 1000)
"""The same, until the one told has acted."""
_OUTCOMES = ("VISITED", "PHONED", "ISOLATED", "OTHER")


class Does(NamedTuple):
    """What one person does about one alert. `looks_s` after being told, `acts_s` after looking, None: never."""

    looks_s: float
    acts_s: float | None
    outcome: str
    says_received: bool


class Course(NamedTuple):
    """What becomes of one alert: how many of its ladder ignore it, whether the next one, if there is one, acts, and
    whether it is over before the run is, whatever anybody does."""

    ignored: int = 0
    acts: bool = True
    fleeting: bool = False

    @property
    def ends(self) -> bool:
        """Whether it is closed, by an act or by its retraction."""
        return self.acts or self.fleeting


class People:
    """Everybody who may be told, for one run. `foretold` are its alerts by id, `horizon` is in ms after the beginning;
    who is told of a red alert must have seen it within `seen_ms` and acted within `acted_ms`."""

    def __init__(self, foretold: Mapping[str, Foretold], horizon: int, seen_ms: int, acted_ms: int) -> None:
        self._horizon, self._seen_ms = horizon, seen_ms
        lasting = {id_: alert for id_, alert in foretold.items() if not alert.fleeting}
        courses = {id_: Course(fleeting=True) for id_ in foretold.keys() - lasting.keys()}
        high = sorted(lasting.items(), key=lambda entry: (-len(entry[1].ladder), entry[0]))
        reach = [id_ for id_, alert in high if self._may_be_ignored(alert, len(alert.ladder))]
        courses |= {id_: Course(len(lasting[id_].ladder), acts=False) for id_ in reach[:_EVERYBODY]}
        for id_, alert in lasting.items():
            if id_ in courses:
                continue
            draw = _draw(id_)
            ignored = 2 if draw < _BY_TWO else 1 if draw < _BY_TWO + _BY_ONE else 0
            if ignored and ignored < len(alert.ladder) and self._may_be_ignored(alert, ignored):
                courses[id_] = Course(ignored)
            elif draw > 1 - _IDLE and horizon - alert.at < acted_ms // 2:
                courses[id_] = Course(acts=False)  # the run is over before that escalates
        self.courses: Mapping[str, Course] = courses
        self.addressees = sorted(
            {who for id_, alert in foretold.items() for who in alert.ladder[: self.course(id_).ignored + 1]}
        )
        """All who will be told."""

    def course(self, alert_id: str) -> Course:
        """What becomes of this alert; of one that nobody has foretold, that it is seen and acted on."""
        return self.courses.get(alert_id, _USUAL)

    def does(self, alert_id: str, step: int, addressee: str) -> Does | None:
        """What `addressee`, number `step` of the ladder, does about it; None when that is nothing."""
        course = self.course(alert_id)
        if step < course.ignored:
            return None
        looks, acts = _draw(alert_id, addressee, "looks"), _draw(alert_id, addressee, "acts")
        return Does(
            looks_s=_LOOKS_S[0] + looks * (_LOOKS_S[1] - _LOOKS_S[0]),
            acts_s=_ACTS_S[0] + acts * (_ACTS_S[1] - _ACTS_S[0]) if course.acts else None,
            outcome=_OUTCOMES[int(acts * len(_OUTCOMES))],
            says_received=_draw(alert_id, addressee, "received") < _SAYS_RECEIVED,
        )

    def _may_be_ignored(self, alert: Foretold, by: int) -> bool:
        """Only red ones, whose periods are the same at night, and only if the run lasts until what follows is over."""
        steps = min(by, len(alert.ladder) - 1)
        then = _TAKES_MS if steps == by else _ESCALATES_MS
        return alert.colour == "RED" and steps > 0 and alert.at + steps * self._seen_ms + then <= self._horizon


_USUAL = Course()


def _draw(*words: str) -> float:
    """A number in [0, 1), always the same for the same words."""
    return int.from_bytes(hashlib.blake2b("/".join(words).encode(), digest_size=6).digest()) / (1 << 48)
