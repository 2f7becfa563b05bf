"""The board: how many alerts are open, unseen, overdue, and how the day has gone, for every division of the city.

Kept up to date event by event: what an alert counted before is taken off, what it counts now is added, in its division
and those above it. Rebuilt with the index from the compacted view topic, it is as if it had never stopped: an alert's
last event holds its whole story, and compaction leaves all events of the last day.

  today     since midnight in Beijing. An alert that has ended counts by the event that ended it last; one that somebody
            closed is not retracted as well when days later the colour is over, though an event says so.
  overdue   a deadline was missed, or has passed: time alone makes an alert overdue.

A midnight costs what the divisions cost, not what the alerts do: those that count in the new day already are known, and
those that ended too long ago are forgotten bit by bit.

An alert whose division is not known counts in the city. Belongs to the thread that builds it, then to the event loop.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush, nsmallest
from itertools import islice

from msgspec.structs import replace

from connectors.gateway.alert import Alert
from connectors.gateway.standing import Standing
from connectors.gateway.tally import Tally
from streams.contract.division import Divisions

DAY_MS = 86_400_000
BEIJING_MS = 8 * 3_600_000
"""China has one time zone and no summer time."""

SLICE = 2000
"""How many ended alerts are looked at in one go to forget the old ones."""


class Board:
    """See the module. `clock` is the wall clock, seconds since 1970; should it go back, the board waits for it."""

    def __init__(self, divisions: Divisions, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._now = int(clock() * 1000)
        self._midnight = _midnight(self._now)
        self._stamp = 0
        self._tallies = {code: Tally(divisions.level(code) == "COMMUNITY") for code in divisions.names}
        self._lines = {code: tuple(self._tallies[c] for c in divisions.above(code)) for code in divisions.names}
        self._city = next(line[:1] for line in self._lines.values())
        self._open: dict[str, Standing] = {}
        self._ended: dict[str, Standing] = {}  # today and yesterday: what may still be followed by something
        self._old: Iterator[str] = iter(())  # those of them that are yet to be looked at
        self._ahead: dict[str, Standing] = {}  # what counts in a day that has not begun: by a clock ahead of ours
        self._late: set[str] = set()
        self._due: list[tuple[int, str]] = []  # a heap; what no longer holds is thrown away when it comes up

    @property
    def now(self) -> int:
        """The time that the board shows, in ms since 1970."""
        return self._now

    @property
    def remembered(self) -> int:
        """How many alerts that have ended are remembered."""
        return len(self._ended)

    def tally(self, code: str) -> Tally:
        """The counts of a division. Raises KeyError for an unknown one."""
        return self._tallies[code]

    def first_due(self, code: str, most: int) -> list[tuple[str, Standing, bool]]:
        """At most `most` open alerts of a community, soonest due first: id, where it stands, whether it is overdue."""
        alerts = self._tallies[code].alerts or {}
        soonest = nsmallest(most, alerts.items(), key=_due_first)
        return [(id, stands, id in self._late) for id, stands in soonest]

    def apply(self, alerts: Iterable[Alert]) -> None:
        """Takes events, in order for each alert."""
        self.advance()
        self._stamp += 1
        for alert in alerts:
            self._take(alert.alert_id, alert.standing)

    def advance(self) -> None:
        """Makes it as late as the clock says: deadlines pass, a day ends."""
        now = int(self._clock() * 1000)
        if now <= self._now:
            return
        self._forget()
        self._now = now
        self._stamp += 1
        while self._due and self._due[0][0] < now:
            due_at, id = heappop(self._due)
            stands = self._open.get(id)
            if stands is not None and stands.due_at == due_at and id not in self._late:
                self._late.add(id)
                for tally in self._line(stands):
                    tally.overdue += 1
                    tally.stamp = self._stamp
        if _midnight(now) > self._midnight:
            self._begin_day(_midnight(now))

    def _take(self, id: str, stands: Standing | None) -> None:
        former, ended = self._open.get(id), self._ended.get(id)
        if ended is not None and self._is_old(ended):
            del self._ended[id]
            ended = None
        if stands is not None:
            if ended is not None and stands.state != "CLOSED":
                return  # the end was the end; only a CLOSED knows better than the RETRACTED before it
            if stands.state == "RETRACTED":
                if former is None:
                    return  # somebody acted, longer ago than the board remembers
                # A retraction does not say what was answered: its CLOSED will, and until then the answers stand.
                stands = replace(stands, seen_s=former.seen_s, acted_s=former.acted_s)
        if former is not None:
            del self._open[id]
            self._count_open(id, former, -1)
        if ended is not None:
            del self._ended[id]
            self._count_day(id, ended, -1)
        if stands is None:
            return
        if not stands.final:
            self._open[id] = stands
            self._count_open(id, stands, 1)
        elif not self._is_old(stands):
            self._ended[id] = stands
            self._count_day(id, stands, 1)

    def _count_open(self, id: str, stands: Standing, sign: int) -> None:
        if sign < 0:
            late = id in self._late
            self._late.discard(id)
        else:
            late = stands.missed or (stands.due_at is not None and stands.due_at < self._now)
            if late:
                self._late.add(id)
            elif stands.due_at is not None:
                heappush(self._due, (stands.due_at, id))
        for tally in self._line(stands):
            tally.stamp = self._stamp
            tally.open += sign
            if not stands.seen:
                tally.unseen += sign
            if late:
                tally.overdue += sign
            if stands.colour == "RED":
                tally.red += sign
            elif stands.colour == "ORANGE":
                tally.orange += sign
            if tally.alerts is not None:
                if sign > 0:
                    tally.alerts[id] = stands
                else:
                    del tally.alerts[id]
        self._count_day(id, stands, sign)

    def _count_day(self, id: str, stands: Standing, sign: int) -> None:
        """What is counted by the day: how the alert ended, and, when it was raised today, how quickly people were."""
        if sign < 0:
            self._ahead.pop(id, None)
        elif max(stands.at, stands.opened_at) >= self._midnight + DAY_MS:
            self._ahead[id] = stands
        ended_today = stands.final and stands.at >= self._midnight
        raised_today = stands.opened_at >= self._midnight
        if not (ended_today or raised_today):
            return
        for tally in self._line(stands):
            tally.stamp = self._stamp
            if ended_today and stands.retracted:
                tally.retracted += sign
            elif ended_today:
                tally.closed += sign
            if raised_today and stands.seen_s is not None:
                tally.seen.add(stands.seen_s, sign)
            if raised_today and stands.acted_s is not None:
                tally.acted.add(stands.acted_s, sign)

    def _begin_day(self, midnight: int) -> None:
        self._midnight = midnight
        for tally in self._tallies.values():
            tally.new_day()
            tally.stamp = self._stamp
        ahead, self._ahead = self._ahead, {}
        for id, stands in ahead.items():
            self._count_day(id, stands, 1)
        self._old = iter(list(self._ended))

    def _is_old(self, ended: Standing) -> bool:
        return ended.at < self._midnight - DAY_MS

    def _forget(self) -> None:
        """Some of what ended before yesterday."""
        for id in islice(self._old, SLICE):
            if (ended := self._ended.get(id)) is not None and self._is_old(ended):
                del self._ended[id]

    def _line(self, stands: Standing) -> tuple[Tally, ...]:
        return self._lines.get(stands.division, self._city)


def _due_first(item: tuple[str, Standing]) -> tuple[bool, int, str]:
    id, stands = item
    return stands.due_at is None, stands.due_at or 0, id


def _midnight(at: int) -> int:
    """The last midnight in Beijing (ms)."""
    return at - (at + BEIJING_MS) % DAY_MS
