"""The counts of one division, and how long its people take, in a form that events can be added to and taken off again.

Medians are kept as histograms: adding and taking off costs the same however many alerts there are, and a division holds
at most about 450 numbers (a sorted list of all durations would hold every one of them, and move half of them for each
that comes). The numbers are as exact as a person wants to know them, finer the shorter the duration.
"""

from typing import TypedDict

from connectors.gateway.standing import Standing

_DAY_S = 86_400


class Counts(TypedDict):
    """What a board shows of one division; medians in seconds, None without any."""

    open: int
    unseen: int
    overdue: int
    closed: int
    retracted: int
    red: int
    orange: int
    seen_median_s: int | None
    acted_median_s: int | None


def rounded(seconds: int) -> int:
    """`seconds` as precisely as they are kept: to the second below 2 minutes, to 5 seconds below 10 minutes, to the
    minute below 2 hours, beyond that to 10 minutes; a day at most."""
    if seconds < 120:
        return seconds
    if seconds < 600:
        return seconds // 5 * 5
    return seconds // 60 * 60 if seconds < 7200 else min(seconds // 600 * 600, _DAY_S)


class Durations:
    """Many durations, of which only the median is asked."""

    __slots__ = ("_count", "_numbers")

    def __init__(self) -> None:
        self._count = 0
        self._numbers: dict[int, int] = {}

    def add(self, seconds: int, times: int) -> None:
        """One more (`times` 1), or one that was added before less (-1)."""
        step = rounded(seconds)
        left = self._numbers.get(step, 0) + times
        if left:
            self._numbers[step] = left
        else:
            del self._numbers[step]
        self._count += times

    def median(self) -> int | None:
        """The middle one, of two the lower; None without any."""
        middle = (self._count + 1) // 2
        for step in sorted(self._numbers):
            middle -= self._numbers[step]
            if middle <= 0:
                return step
        return None


class Tally:
    """See the module. `stamp` changes with whatever is counted here; `alerts` are the open ones, None above
    communities."""

    __slots__ = (
        "acted", "alerts", "closed", "open", "orange", "overdue", "red", "retracted", "seen", "stamp", "unseen",
    )  # fmt: skip

    def __init__(self, community: bool) -> None:
        self.stamp = 0
        self.open = self.unseen = self.overdue = self.red = self.orange = 0
        self.alerts: dict[str, Standing] | None = {} if community else None
        self.new_day()

    def new_day(self) -> None:
        """What is counted by the day begins anew."""
        self.closed = self.retracted = 0
        self.seen, self.acted = Durations(), Durations()

    def counts(self) -> Counts:
        """As they are now."""
        return {
            "open": self.open,
            "unseen": self.unseen,
            "overdue": self.overdue,
            "closed": self.closed,
            "retracted": self.retracted,
            "red": self.red,
            "orange": self.orange,
            "seen_median_s": self.seen.median(),
            "acted_median_s": self.acted.median(),
        }
