"""Random histories of one person, and what their colour must be, computed the slow and obvious way.

Written from the rules and not from the flow: no timers, no state that is carried; every question is answered by going
through the whole history again.
"""

from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from streams.flows.flow import Event

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_760_000_000_000
GREEN, ORANGE, RED = 0, 1, 2

PERIODS = {
    ("health.contact.identified", "CLOSE"): (RED, 14 * DAY),
    ("health.contact.identified", "SECONDARY"): (ORANGE, 7 * DAY),
    ("health.area.stayed", "HIGH"): (RED, 14 * DAY),
    ("health.area.stayed", "MEDIUM"): (ORANGE, 14 * DAY),
}
DECIDES = {
    "health.test.result": "result",
    "health.contact.identified": "degree",
    "health.area.stayed": "risk",
    "health.national.checked": "colour",
}


def examples(count: int) -> settings:
    """How many examples; no verdict on how long they take, which on a busy machine says nothing about the flow."""
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Arrival(NamedTuple):
    """An event and the chain's time when it comes (ms)."""

    at: int
    event: Event


KINDS = [
    *[("health.test.result", "POSITIVE")] * 3,
    *[("health.test.result", "NEGATIVE")] * 8,
    ("health.test.result", "UNKNOWN"),
    *[kind for kind in PERIODS for _ in range(2)],
    ("health.area.stayed", "LOW"),
    ("health.national.checked", "RED"),
    ("health.national.checked", "ORANGE"),
    ("health.national.checked", "GREEN"),
    *[("health.evidence.corrected", "")] * 5,
]
GAPS = [0, 1, HOUR, 12 * HOUR, DAY - 1, DAY, DAY, 2 * DAY, 7 * DAY, 30 * DAY]

RELEASE = [
    ("health.test.result", "POSITIVE"),
    *[("health.test.result", "NEGATIVE")] * 4,
    ("health.evidence.corrected", ""),
]
RELEASE_GAPS = [0, HOUR, 12 * HOUR, DAY - 1, DAY, 7 * DAY - 1, 7 * DAY]


@st.composite
def histories(draw: st.DrawFn, person: str = "120101199003070011", most: int = 25) -> list[Arrival]:
    """Arrivals in order of time, over up to some months. Events come late, early by up to an hour, and twice;
    corrections name anything: what came, what is to come, what never comes, another correction. Some histories have
    everything, some only what makes and undoes a release, which chance alone seldom puts together."""
    kinds, gaps = draw(st.sampled_from([(KINDS, GAPS), (RELEASE, RELEASE_GAPS)]))
    count = draw(st.integers(1, most))
    history: list[Arrival] = []
    at = START
    for i in range(count):
        at += draw(st.sampled_from(gaps))
        if history and draw(st.integers(0, 9)) == 0:
            history.append(Arrival(at, draw(st.sampled_from(history)).event))
            continue
        type, symbol = draw(st.sampled_from(kinds))
        late = draw(st.sampled_from([0, 0, 0, 0, 1, HOUR, DAY, 7 * DAY, 14 * DAY - 1, 14 * DAY, -1, -HOUR]))
        value: dict[str, Any] = {"event_id": f"{person}-{i}", "occurred_at": at - late, "person_id": person}
        value["division"] = "120101001001"
        if type == "health.evidence.corrected":
            value["corrects"] = f"{person}-{draw(st.integers(max(0, i - 4), i + 3))}"
        else:
            value[DECIDES[type]] = symbol
        if type == "health.national.checked":
            value["valid_until"] = draw(st.none() | st.sampled_from([at - 1, at, at + 1, at + 3 * DAY, at + 20 * DAY]))
        history.append(Arrival(at, Event(type, person, value)))
    return history


def period(event: Event) -> tuple[int, int | None] | None:
    """Colour and end (ms; None: open) of an event that is evidence, else None."""
    value = event.value
    symbol = value.get(DECIDES.get(event.type, ""))
    if (event.type, symbol) == ("health.test.result", "POSITIVE"):
        return RED, None
    if event.type == "health.national.checked" and symbol in ("RED", "ORANGE"):
        until = value["valid_until"]
        return (RED if symbol == "RED" else ORANGE), value["occurred_at"] + 14 * DAY if until is None else until
    if (event.type, symbol) in PERIODS:
        colour, length = PERIODS[event.type, str(symbol)]
        return colour, value["occurred_at"] + length
    return None


def clears(positive: Event, negatives: list[Event]) -> bool:
    """Two of `negatives`, from day 7 after `positive` on, 24 hours or more apart."""
    times = [
        n.value["occurred_at"] for n in negatives if n.value["occurred_at"] >= positive.value["occurred_at"] + 7 * DAY
    ]
    return any(b - a >= DAY for a in times for b in times)


def colour_of(history: list[Arrival], at: int) -> int:
    """The colour at `at` (ms), from all that has arrived by then and still counts."""
    corrections: list[tuple[str, int]] = []  # what, when
    evidence: list[Event] = []
    negatives: list[Event] = []
    released: dict[str, int] = {}  # since when

    def remembered(event: Event, now: int) -> bool:
        _, until = period(event) or (GREEN, 0)
        since = released.get(event.value["event_id"], now)
        return now < until if until is not None else now < since + 30 * DAY

    def withdrawn(target: str, now: int) -> bool:
        return any(what == target and now < when + 30 * DAY for what, when in corrections)

    def positives() -> list[Event]:
        return [e for e in evidence if e.value.get("result") == "POSITIVE"]

    for now, event in history:
        if now > at:
            break
        value = event.value
        id, start = value["event_id"], value["occurred_at"]
        evidence = [e for e in evidence if remembered(e, now)]
        released = {id: since for id, since in released.items() if any(e.value["event_id"] == id for e in evidence)}
        if not evidence and not any(withdrawn(what, now) for what, _ in corrections):
            negatives = []
        known = any(e.value["event_id"] == id for e in (*evidence, *negatives))

        if event.type == "health.evidence.corrected":
            target = value["corrects"]
            if not withdrawn(target, now):
                corrections.append((target, now))
                evidence = [e for e in evidence if e.value["event_id"] != target]
                negatives = [n for n in negatives if n.value["event_id"] != target]
        elif known or withdrawn(id, now) or start + 28 * DAY <= now:
            pass
        elif value.get("result") == "NEGATIVE":
            if any(start >= p.value["occurred_at"] + 7 * DAY for p in positives()):
                negatives = [*negatives, event]
        elif period(event) is not None and remembered(event, now):
            evidence = [*evidence, event]
        for positive in positives():
            if clears(positive, negatives):
                released.setdefault(positive.value["event_id"], now)
            else:
                released.pop(positive.value["event_id"], None)

    worst = GREEN
    for event in evidence:
        colour, until = period(event) or (GREEN, None)
        live = event.value["event_id"] not in released if until is None else at < until
        if live and event.value["occurred_at"] <= at:
            worst = max(worst, colour)
    return worst


def greenest(history: list[Arrival], at: int) -> int:
    """No colour that fails closed may be better than this: every negative ever heard counts unless it was corrected
    (before it came: within 30 days), every corrected piece of evidence is gone whenever its correction came, and a
    positive once released for 30 days is over for good."""
    heard = [a for a in history if a.at <= at]
    corrections = [(a.event.value["corrects"], a.at) for a in heard if a.event.type == "health.evidence.corrected"]
    gone = {target for target, _ in corrections}
    worst = GREEN
    for arrived, event in heard:
        found = period(event)
        value = event.value
        if found is None or value["event_id"] in gone or not arrived - 28 * DAY < value["occurred_at"] <= at:
            continue
        gone.add(value["event_id"])  # what comes again adds nothing
        colour, until = found
        if until is not None:
            worst = max(worst, colour) if at < until else worst
            continue
        since = None
        for now in sorted({a.at for a in heard if a.at >= arrived}):
            if since is not None and since + 30 * DAY <= now:
                break
            negatives = [
                n.event
                for n in heard
                if n.at <= now
                and n.event.value.get("result") == "NEGATIVE"
                and not any(
                    target == n.event.value["event_id"] and (n.at <= when <= now or when <= n.at < when + 30 * DAY)
                    for target, when in corrections
                )
            ]
            since = (now if since is None else since) if clears(event, negatives) else None
        if since is None:
            worst = max(worst, colour)
    return worst
