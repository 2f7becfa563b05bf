"""Where an alert stands after one of its events: what the board counts, without a name, a phone or an address.

Taken from the event once, on the feed's thread; small, because the board keeps one for every open alert of the city.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

FINAL = frozenset({"RETRACTED", "CLOSED"})
"""States after which nothing that arrives for the same alert opens it again."""

_MISSED = frozenset({"UNSEEN", "NOT_ACTED"})


class Standing(Struct, frozen=True, gc=False):
    """See the module. Times in ms since 1970.

    at         the record's timestamp: when what caused the event came into the bus
    division   2 to 12 digits, or "" when the event names none
    seen       whether who was told last has seen it
    missed     whether a deadline was missed before this event
    retracted  whether the colour is over (of a final state; otherwise somebody acted)
    seen_s, acted_s  seconds from the alert's beginning until anybody had seen it, had acted; None: nobody (yet)
    """

    at: int
    state: str
    colour: str
    division: str
    addressee: str
    level: str
    opened_at: int
    due_at: int | None
    seen: bool
    missed: bool
    retracted: bool
    seen_s: int | None
    acted_s: int | None

    @property
    def final(self) -> bool:
        """Whether the alert has ended."""
        return self.state in FINAL


def standing(fields: Mapping[str, Any], told: Sequence[Mapping[str, Any]], at: int) -> Standing:
    """What the event `fields` says. Every field of a view may be null; `told` are its steps, oldest first."""
    opened_at = fields.get("opened_at") or 0
    return Standing(
        at,
        sys.intern(fields["state"]),
        sys.intern(fields.get("colour") or ""),
        sys.intern(fields.get("division") or ""),
        sys.intern(fields["addressee"]),
        sys.intern(fields.get("addressee_level") or ""),
        opened_at,
        fields.get("due_at"),
        bool(told) and told[-1]["seen_at"] is not None,
        any(step["cause"] in _MISSED for step in told),
        fields["state"] == "RETRACTED" or fields.get("cause") == "RETRACTED",
        _first(told, "seen_at", opened_at),
        _first(told, "acted_at", opened_at),
    )


def _first(told: Sequence[Mapping[str, Any]], what: str, since: int) -> int | None:
    """Whole seconds from `since` to the earliest of the steps' times `what`, at least 0."""
    first = min((step[what] for step in told if step[what] is not None), default=None)
    return None if first is None else max(0, (first - since) // 1000)
