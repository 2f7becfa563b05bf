"""What a stateful flow is: pure functions over events. This module is all that a flow imports of the bus.

A flow is called by the chain runner, once per record, in key order. It must not look at a clock, a file or a random
number: the same calls in the same order give the same events with the same ids, which is what makes a replay safe.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from streams.errors import Rejection

HAIHE = uuid.UUID("6b5a6f0e-3f0d-5c6e-9a6d-0c7f6f3c1a20")
"""Namespace of every derived event id (UUIDv5, RFC 9562)."""

S = TypeVar("S")


class Event(NamedTuple):
    """One event: its type (the city topic's name), its key, its fields. Timestamps are int ms since 1970 UTC."""

    type: str
    key: str
    value: Mapping[str, Any]


class Outcome(NamedTuple, Generic[S]):
    """What one call did. `state` is the whole new state (None: forget the key). A call that changed nothing and
    produced nothing must say why in `filtered` (`no-change`, `duplicate`, `own` ...): a short fixed word, used as a
    metric label. `notes` are counted, e.g. `no-residence`."""

    state: S | None
    events: tuple[Event, ...] = ()
    filtered: str | None = None
    notes: tuple[str, ...] = ()


class Table(Protocol):
    """A reference table as a flow sees it."""

    def get(self, key: str) -> Mapping[str, Any] | None: ...


Tables = Mapping[str, Table]


@dataclass(frozen=True)
class Flow(Generic[S]):
    """A flow's declaration: what it reads and writes, the type of its state (a msgspec Struct), and its functions.

    step(state, event, now, tables)  one event; `now` is the chain's time in ms (maximum record timestamp so far)
    due(state)                       when `fire` must be called, in ms, or None
    fire(state, due, now, tables)    time alone; called once with that due time, before any later event of the key, at
                                     `now`: much later than `due` after a standstill
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    tables: tuple[str, ...]
    state: type[S]
    step: Callable[[S | None, Event, int, Tables], Outcome[S] | Rejection]
    due: Callable[[S], int | None]
    fire: Callable[[S, int, int, Tables], Outcome[S]]


def derived_id(flow: str, source: str, number: int) -> str:
    """Id of the `number`-th event that `flow` derives from `source` (an event_id, or `key@due` for a timer)."""
    return str(uuid.uuid5(HAIHE, f"{flow}/{source}/{number}"))
