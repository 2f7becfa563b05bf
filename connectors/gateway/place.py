"""The place: the id that every pushed event carries, and the client's way to say where it stopped.

It is the position in every partition, so that any gateway process, also one started later, knows from it exactly what
the client has and has not:

    a3xJ0-_Qz.1042.0.977        format `a`, identity of the topic, next offset of partition 0, 1, 2

A place of another topic, or with another number of partitions, or garbage, is no place: the client starts afresh.
"""

import re

from connectors.base import Positions

_FORMAT = "a"
_PLACE = re.compile(r"a([A-Za-z0-9_-]{8})((?:\.[0-9]{1,19})+)")
_MAX_OFFSET = 2**63 - 1


class Places:
    """Writes and reads the places of one topic. `identity` is Source.identity.

    Raises ValueError for an identity that could not be read back: every client would start afresh each time.
    """

    def __init__(self, identity: str, partitions: int) -> None:
        if not _PLACE.fullmatch(f"{_FORMAT}{identity}.0"):
            raise ValueError("an identity is 8 characters of A-Z a-z 0-9 _ -")
        self._prefix = _FORMAT + identity
        self._partitions = partitions
        self._cached: Positions = ()
        self._cached_line = b""

    def text(self, positions: Positions) -> str:
        """`positions` as a place."""
        return f"{self._prefix}.{'.'.join(map(str, positions))}"

    def line(self, positions: Positions) -> bytes:
        """The SSE line that sets the client's Last-Event-ID. The last one is kept: thousands of clients share it."""
        if positions is not self._cached:
            self._cached, self._cached_line = positions, f"id: {self.text(positions)}\n".encode()
        return self._cached_line

    def parse(self, text: str) -> Positions | None:
        """The positions in a place that a client sent, or None when it is not one of this topic."""
        match = _PLACE.fullmatch(text)
        if match is None or _FORMAT + match[1] != self._prefix:
            return None
        positions = tuple(map(int, match[2][1:].split(".")))
        return positions if len(positions) == self._partitions and max(positions) <= _MAX_OFFSET else None


def advanced(positions: Positions, partition: int, offset: int) -> Positions:
    """`positions` after the event at `offset` of `partition`."""
    return (*positions[:partition], offset + 1, *positions[partition + 1 :])


def merged(positions: Positions, newer: Positions) -> Positions:
    """The further of the two in every partition; `newer` itself (shared, not a copy) when it is nowhere behind."""
    if all(map(int.__le__, positions, newer)):
        return newer
    return tuple(map(max, positions, newer))


def reaches(positions: Positions, floor: Positions) -> bool:
    """Whether `positions` is at or past `floor` in every partition."""
    return all(map(int.__ge__, positions, floor))
