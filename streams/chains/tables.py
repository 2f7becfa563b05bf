"""Reference tables as flows see them: `get(key)` gives the decoded row or None."""

from collections.abc import Callable, Mapping
from typing import Any

from streams.engine.restore import PartitionedTable


class PartitionView:
    """A co-partitioned table, of whichever partition the pass is in. Rows are decoded when asked for: a table of two
    million residents is held as bytes."""

    def __init__(self, table: PartitionedTable, decode: Callable[[bytes], Mapping[str, Any] | None]):
        self._table, self._decode = table, decode
        self.partition = -1

    def get(self, key: str) -> Mapping[str, Any] | None:
        value = self._table.get(self.partition, key.encode())
        return None if value is None else self._decode(value)
