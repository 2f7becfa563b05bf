"""Short ways to write the events about one person, in days from an arbitrary day 0, and a case made of them."""

from typing import Any, NamedTuple

from streams.flows.flow import Event

PERSON = "120101199003070011"
DIVISION = "120101001001"
DAY0 = 1_760_000_000_000
HOUR = 1 / 24
MINUTE = HOUR / 60

PUBLISHERS = {"health.test.result": "wjw", "health.national.checked": "national", "health.evidence.corrected": "wjw"}


def ms(day: float) -> int:
    """Day (from day 0) as ms since 1970 UTC."""
    return DAY0 + round(day * 86_400_000)


def event(type: str, id: str, day: float, **fields: Any) -> Event:
    """An event of `type` that occurred on `day`."""
    value = {
        "event_id": id,
        "occurred_at": ms(day),
        "publisher": PUBLISHERS.get(type, "cdc"),
        "person_id": PERSON,
        "division": DIVISION,
        **fields,
    }
    return Event(type, PERSON, value)


def positive(id: str, day: float, **more: Any) -> Event:
    return event("health.test.result", id, day, result="POSITIVE", laboratory="lab", **more)


def negative(id: str, day: float, **more: Any) -> Event:
    return event("health.test.result", id, day, result="NEGATIVE", laboratory="lab", **more)


def close(id: str, day: float, **more: Any) -> Event:
    return event("health.contact.identified", id, day, degree="CLOSE", case_id="case", **more)


def secondary(id: str, day: float, **more: Any) -> Event:
    return event("health.contact.identified", id, day, degree="SECONDARY", case_id="case", **more)


def stayed(id: str, day: float, risk: str, **more: Any) -> Event:
    return event("health.area.stayed", id, day, risk=risk, area="area", **more)


def national(id: str, day: float, colour: str, until: float | None = None, **more: Any) -> Event:
    valid = None if until is None else ms(until)
    return event("health.national.checked", id, day, colour=colour, source="db", valid_until=valid, **more)


def corrected(id: str, day: float, corrects: str, **more: Any) -> Event:
    return event("health.evidence.corrected", id, day, corrects=corrects, reason="error", **more)


class Case(NamedTuple):
    """A sentence, what arrives, and every change of colour that must follow.

    arrives   events, which arrive when they occurred, or (day, event) for those that arrive at another time
    changes   "day COLOUR CAUSE evidence, ...", the day as in 14, 14-1m (a minute before), 39-1h
    filtered  "event reason, ..." for all that changed nothing
    """

    sentence: str
    arrives: list[Event | tuple[float, Event]]
    changes: str
    filtered: str = ""
