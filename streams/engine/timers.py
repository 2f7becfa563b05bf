"""Timers of one partition: a heap of (due, key), as cheap to hold a million of as the heap itself.

A key's true due time is kept with its state; the heap may hold older ones, which are recognised when they come up.
What was taken from the heap inside a transaction comes back when that transaction is aborted.
"""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush

NEVER = 1 << 62
"""A due time that does not come (ms)."""


class Timers:
    """`due_of(key)` answers a key's current due time in ms, 0 when it has none."""

    def __init__(self, due_of: Callable[[bytes], int], entries: Iterable[tuple[int, bytes]] = ()):
        self._due_of = due_of
        self._heap = list(entries)
        heapify(self._heap)
        self._taken: list[tuple[int, bytes]] = []

    def set(self, due: int, key: bytes) -> None:
        heappush(self._heap, (due, key))

    def next_due(self) -> int:
        """No key is due before this (ms); NEVER when nothing is pending. May be early, never late."""
        return self._heap[0][0] if self._heap else NEVER

    def take(self, until: int) -> tuple[int, bytes] | None:
        """The earliest (due, key) at or before `until` (ms), once; keys with the same due time in key order."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            due, key = entry = heappop(heap)
            self._taken.append(entry)
            if self._due_of(key) == due:
                return entry
        return None

    def commit(self) -> None:
        self._taken.clear()

    def rollback(self) -> None:
        for entry in self._taken:
            heappush(self._heap, entry)
        self._taken.clear()
