"""When the bus has worked off whatever an earlier run has left, and where its topics end then: the beginning of this
run's books.

Alerts of earlier runs may still climb, by time alone; so the ends are taken in a moment in which nothing is under way.
(That they look at the roster again and again shows in the audit only, and counts no event.)
"""

import time
from collections.abc import Mapping

from streams.chains.layout import AUDIT
from streams.engine.admin import Admin, Offsets
from streams.engine.reader import Reader
from streams.errors import SystemFailure

CHANGED, ALERT, RECEIPTED = "health.code.changed", "grid.alert.changed", "grid.alert.receipted"

_WAIT_S = 90.0
_LOOK_S = 0.2
_FEW = 500


def ends(bootstrap: str, inputs: list[str]) -> Offsets:
    """The ends of all topics that the books are made of, once nothing is left to do for the bus; `inputs` are those of
    intake. Raises SystemFailure when it has still something to do after a minute and a half."""
    from streams.engine.app import group_of  # brings Faust, which nothing else here needs

    admin = Admin(bootstrap)
    watched = [CHANGED, ALERT, RECEIPTED, *(f"dead.{topic}" for topic in inputs)]
    city = sorted({topic.split(".", 2)[2] for topic in inputs})
    reads = {
        group_of("intake"): inputs,
        group_of("person"): [topic for topic in city if topic != RECEIPTED],
        group_of("alert"): [ALERT, RECEIPTED],
    }
    deadline = time.monotonic() + _WAIT_S
    while True:
        before = admin.stable_ends(watched)
        left = sum(_left(bootstrap, admin, group, topics) for group, topics in reads.items())
        time.sleep(_LOOK_S)  # a transaction is not over in all partitions at once
        audit = admin.stable_ends([AUDIT])
        time.sleep(_LOOK_S)
        if not left and before == admin.stable_ends(watched):
            return before | audit
        if time.monotonic() > deadline:
            raise SystemFailure(f"the bus has not come to rest in {_WAIT_S:.0f} s; it is {left} records behind")


def _left(bootstrap: str, admin: Admin, group: str, topics: list[str]) -> int:
    """How many records the group has not read."""
    committed, starts = admin.committed(group), admin.starts(topics)
    places = {tp: committed.get(tp, starts[tp]) for tp in starts}
    left = {tp: end - places[tp] for tp, end in admin.ends(topics).items() if end > places[tp]}
    count = sum(left.values())
    return _records(bootstrap, {tp: places[tp] for tp in left}) if 0 < count <= _FEW else count


def _records(bootstrap: str, places: Mapping[tuple[str, int], int]) -> int:
    """How many records there are from `places` on: offsets may as well be transaction markers, which nobody reads."""
    with Reader(bootstrap, sorted({topic for topic, _ in places}), dict(places), client_id="demo-quiet") as reader:
        return sum(1 for _ in reader.read_to_end())
