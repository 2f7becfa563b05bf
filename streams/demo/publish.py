"""The publishers: three departments' systems, each an ordinary Kafka producer that knows nothing of the bus but its
topics.

Only they write while the outbreak runs, and whatever they write is noted, so that every record can be accounted for.
"""

from collections import Counter
from types import TracebackType
from typing import Self

from streams.demo.scenario import Draft
from streams.demo.spoil import Encode, encoded
from streams.engine.client import MAX_INPUT
from streams.engine.writer import Writer

PUBLISHERS = ("wjw", "cdc", "national")


class Publishers:
    """One producer for each publisher. `encode` turns fields into bytes of the released schema.

    What one publisher writes to one topic about one person keeps its order: the person's id is the key.
    """

    def __init__(self, bootstrap: str, encode: Encode) -> None:
        self._encode = encode
        self._writers: dict[str, Writer] = {}
        for publisher in PUBLISHERS:
            self._writers[publisher] = Writer(bootstrap, max_bytes=MAX_INPUT, client_id=f"demo-{publisher}")
        self.published: Counter[str] = Counter()
        """Records written, by topic."""

    def encoded(self, draft: Draft) -> bytes:
        """The bytes of an input: for those that are made ready before the clock runs."""
        return encoded(draft, self._encode)

    def publish(self, draft: Draft, value: bytes) -> None:
        """Hand one input to its publisher's producer. Never waits for the broker."""
        self._writers[draft.publisher].write(draft.topic, draft.value["person_id"], value)
        self.published[draft.topic] += 1

    def flush(self) -> None:
        """Wait until all is written. Raises SystemFailure when a record was not."""
        for writer in self._writers.values():
            writer.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.__exit__(kind, error, trace)
