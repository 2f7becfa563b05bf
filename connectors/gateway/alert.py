"""An alert's event as the gateway keeps and pushes it: the few fields that decide who gets it, where the alert stands,
and the finished frame.

The frame is encoded once, whoever receives it; only the id line before it differs from client to client.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from connectors.gateway.standing import Standing, standing
from streams.contract.wire import schema_id
from streams.engine.record import Record
from streams.errors import Rejection


class Alert(msgspec.Struct, frozen=True, gc=False):
    """One event of one alert. `timestamp` in ms since 1970: when the event that caused it came into the bus.

    told     everybody who was told so far, the addressee too; empty: the event does not say
    holders  those of them who have the alert now, nobody once it has ended

    A tombstone (the alert's key without a value: forget it) has an empty state, addressee and frame, and no standing.
    """

    partition: int
    offset: int
    timestamp: int
    alert_id: str
    state: str
    addressee: str
    frame: bytes
    told: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    standing: Standing | None = None


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
        steps = fields.get("told") or ()
        stands = standing(fields, steps, timestamp)
        told, holders = _people(steps, stands.addressee, stands.final)
        return Alert(
            partition,
            offset,
            timestamp,
            fields["alert_id"],
            stands.state,
            stands.addressee,
            frame,
            told,
            holders,
            stands,
        )


def _people(steps: Any, addressee: str, final: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who was told, and who of them has the alert. An open alert's addressee always has it: before version 2 nothing
    else said so, and an alert must not be in nobody's sight."""
    # The same few thousand people come again and again: one string each, and one tuple where both are the same.
    told = tuple(dict.fromkeys([sys.intern(step["addressee"]) for step in steps]))
    if final:
        return told, ()
    holders = tuple(dict.fromkeys([sys.intern(s["addressee"]) for s in steps if s["relieved_at"] is None]))
    if addressee not in holders:
        holders = (*holders, addressee)
    if addressee not in told:
        told = (*told, addressee)
    return told, told if told == holders else holders
