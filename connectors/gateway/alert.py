"""An alert's event as the gateway keeps and pushes it: the few fields that decide who gets it, and the finished frame.

The frame is encoded once, whoever receives it; only the id line before it differs from client to client.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from streams.contract.wire import schema_id
from streams.engine.record import Record
from streams.errors import Rejection

OPEN = frozenset({"RAISED", "ESCALATED", "HANDED_OVER"})
"""States in which somebody must act."""

FINAL = frozenset({"RETRACTED", "CLOSED"})
"""States after which nothing that arrives for the same alert opens it again."""


class Alert(NamedTuple):
    """One event of one alert. `timestamp` in ms since 1970: when the event that caused it came into the bus.

    A tombstone (the alert's key without a value: forget it) has an empty state, addressee and frame.
    """

    partition: int
    offset: int
    timestamp: int
    alert_id: str
    state: str
    addressee: str
    frame: bytes


class Version(Protocol):
    """A released version of the view's schema."""

    def decode(self, value: bytes) -> Mapping[str, Any]: ...


class Decoder:
    """Turns records of the view into alerts.

    find      the released version with this schema id, or None
    catch_up  reads the released schemas to their end as of now; called before an unknown id is judged, because a new
              version may have been released after this process last looked. Raises SystemFailure when it cannot.
    """

    def __init__(self, find: Callable[[int], Version | None], catch_up: Callable[[], None]) -> None:
        self._find = find
        self._catch_up = catch_up
        self._json = msgspec.json.Encoder()

    def decode(self, record: Record) -> Alert | Rejection:
        """The alert in `record`, or why it cannot be read. Expects a key, which is the alert's id."""
        partition, offset, timestamp, value = record.partition, record.offset, record.timestamp, record.value
        if value is None:
            return Alert(partition, offset, timestamp, (record.key or b"").decode(errors="replace"), "", "", b"")
        number = schema_id(value)
        if isinstance(number, Rejection):
            return number
        version = self._find(number)
        if version is None:
            self._catch_up()
            version = self._find(number)
        if version is None:
            return Rejection("decode", "unknown-schema", f"id {number}")
        try:
            fields = version.decode(value)
        except ValueError:
            return Rejection("decode", "truncated")
        for name in ("alert_id", "state", "addressee"):
            if not isinstance(fields.get(name), str):
                # Fields of a view are nullable: one that was withdrawn from the grant leaves nobody to push to.
                return Rejection("decode", "missing", name)
        data = self._json.encode({**fields, "recorded_at": timestamp})
        frame = b"event: alert\ndata: %b\n\n" % data
        # The same few thousand addressees come again and again: one string each.
        addressee, state = sys.intern(fields["addressee"]), sys.intern(fields["state"])
        return Alert(partition, offset, timestamp, fields["alert_id"], state, addressee, frame)
