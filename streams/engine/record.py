"""A record as everything outside the transactional engine sees it, and what can read and write records.

The two protocols are the seam at which Kafka is replaced by memory (memory.py): connectors and tools ask for these, and
one test suite runs over both.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, Self

Headers = tuple[tuple[str, bytes], ...]
BEGINNING, END = -2, -1
"""Offsets that stand for the log's start and for its end as of now (the numbers of Kafka's own protocol, KIP-79)."""

Start = Literal["beginning", "end"] | Mapping[tuple[str, int], int]
"""What is read and from where: every partition from the log's start or from its end as of now, or exactly the (topic,
partition)s named, each from the offset given, BEGINNING or END."""


class Record(NamedTuple):
    """An event at an offset, in bytes. `timestamp` is in milliseconds since 1970 UTC (-1: none), `value` None is a
    tombstone (the key is deleted from a compacted topic)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> bytes | None:
        """The last header of that name (headers may repeat; the last one wins, as in Java's `lastHeader`)."""
        for key, value in reversed(self.headers):
            if key == name:
                return value
        return None


class RecordReader(Protocol):
    """Reads topics without a group; see reader.Reader for the contract of each method."""

    @property
    def positions(self) -> dict[tuple[str, int], int]: ...
    def read(self, max_records: int = ..., timeout: float = ...) -> list[Record]: ...
    def read_to_end(self, timeout: float = ...) -> Iterator[Record]: ...
    def caught_up(self) -> bool: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class RecordWriter(Protocol):
    """Writes records; see writer.Writer for the contract of each method."""

    def write(
        self,
        topic: str,
        key: bytes | str | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] | None = ...,
        timestamp: int | None = ...,
    ) -> None: ...
    def flush(self, timeout: float = ...) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...
