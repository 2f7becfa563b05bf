"""Finding the one record that cannot be processed, without its neighbours paying for it.

When a handler raises, the batch says which record it had in hand. When the broker refuses something, nobody knows
which: the range that failed is read again alone, its partitions only, in ever smaller batches, until one record is
left.
"""

from streams.engine.batch import TopicPart

ATTEMPTS = 3
"""How often one record is tried before it is given up."""


class Isolation:
    """`limit` is how many records the next batch may have."""

    def __init__(self, max_batch: int):
        self._max_batch = self.limit = max_batch
        self._suspects: dict[TopicPart, int] = {}
        self._failures: dict[tuple[str, int, int], int] = {}

    @property
    def active(self) -> bool:
        return bool(self._suspects)

    def suspect(self, read: dict[TopicPart, int], count: int) -> set[TopicPart]:
        """Somewhere below these next offsets, among `count` records, is one that the broker refuses; the partitions to
        read, and no others, until the range is committed."""
        if not self._suspects:
            self._suspects = dict(read)
        self.limit = max(1, min(count, self.limit) // 2)
        return set(self._suspects)

    def failed(self, place: tuple[str, int, int]) -> bool:
        """This record (topic, partition, offset) failed alone, once more; True when it is to be given up."""
        self._failures[place] = self._failures.get(place, 0) + 1
        return self._failures[place] >= ATTEMPTS

    def committed(self, floor: dict[TopicPart, int]) -> bool:
        """Everything below `floor` is committed; True when that ends the isolation."""
        if not self._suspects:
            return False
        self._suspects = {key: end for key, end in self._suspects.items() if floor.get(key, end) < end}
        if self._suspects:
            self.limit = min(self._max_batch, self.limit * 2)
            return False
        self.clear()
        return True

    def clear(self) -> None:
        """Partitions were taken away: whoever has them now begins anew."""
        self._suspects.clear()
        self._failures.clear()
        self.limit = self._max_batch
