"""Whatever happens to alerts, everybody who was told gets each event once, and it does not matter when the gateway that
tells them was started."""

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Positions
from connectors.gateway.alert import Alert
from connectors.gateway.index import Index
from tests.unit.gateway.lives import NIGHT, PARTITIONS, PEOPLE, compacted, decoded, interleaved, lives, offsets_from

FINAL = ("CLOSED", "RETRACTED")
NOWHERE: Positions = (0,) * PARTITIONS


def feed(index: Index, alerts: list[Alert]) -> None:
    positions = list(index.positions)
    for alert in alerts:
        positions[alert.partition] = alert.offset + 1
        index.apply([alert], tuple(positions))


def open_with(index: Index) -> dict[str, dict[str, int]]:
    return {name: {id: alert.offset for id, alert in index.inbox(name).open.items()} for name in PEOPLE}


def inboxes(index: Index, since: Positions) -> dict[str, list[list[int]]]:
    """The offsets that can be replayed to each, by partition, in the order in which they would be."""
    found = {}
    for name in PEOPLE:
        events = index.inbox(name).events
        mine = [[a.offset for a in events if a.partition == p and a.offset >= since[p]] for p in range(PARTITIONS)]
        found[name] = mine
    return found


DAY = 24 * 3_600_000
TIMES = st.integers(NIGHT - 3 * DAY, NIGHT + 5 * DAY)


@given(events=lives(), times=st.tuples(TIMES, TIMES), random=st.randoms(use_true_random=False))
def test_an_index_built_from_the_compacted_log_is_as_one_that_saw_everything(
    events: list[dict[str, Any]], times: tuple[int, int], random: Random
) -> None:
    """The same alerts open with the same people, the same events to replay, and nobody else known as told."""
    alerts = decoded(events)
    below, floor = offsets_from(alerts, min(times)), offsets_from(alerts, max(times))
    live, rebuilt = Index(NOWHERE), Index(floor)
    feed(live, alerts)
    left = compacted(alerts, below)
    feed(rebuilt, interleaved(left, random))
    assert open_with(rebuilt) == open_with(live)
    assert inboxes(rebuilt, floor) == inboxes(live, floor)
    for alert in left:
        # Of a retraction alone, when compaction has left nothing else, nobody can say whom it concerned.
        assert rebuilt.told(alert.alert_id) in ({live.told(alert.alert_id)} | ({None} if not alert.told else set()))


@given(events=lives())
def test_everybody_told_so_far_gets_each_event_once_until_the_end(events: list[dict[str, Any]]) -> None:
    """And of what comes after the end: another end to all, a step that was under way to nobody."""
    alerts = decoded(events)
    index = Index(NOWHERE)
    feed(index, alerts)
    expected: Counter[tuple[str, int, int]] = Counter()
    told: dict[str, set[str]] = {}
    ended: set[str] = set()
    for event, alert in zip(events, alerts, strict=True):
        id = alert.alert_id
        if event["state"] in FINAL:
            ended.add(id)
        elif id in ended:
            continue
        told.setdefault(id, set()).update(step["addressee"] for step in event["told"])
        expected.update((name, alert.partition, alert.offset) for name in told[id])
    got = Counter((name, a.partition, a.offset) for name in PEOPLE for a in index.inbox(name).events)
    assert got == expected


@given(events=lives())
def test_an_alert_is_open_with_those_who_have_it_and_after_its_end_with_nobody(events: list[dict[str, Any]]) -> None:
    index = Index(NOWHERE)
    feed(index, decoded(events))
    ended = {event["alert_id"] for event in events if event["state"] in FINAL}
    last = {event["alert_id"]: event for event in events if event["alert_id"] not in ended}
    have = {
        name: {
            id
            for id, event in last.items()
            if any(step["addressee"] == name and step["relieved_at"] is None for step in event["told"])
        }
        for name in PEOPLE
    }
    assert {name: set(index.inbox(name).open) for name in PEOPLE} == have
    assert index.open_alerts == len(last)
