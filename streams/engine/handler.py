"""What the engine runs: the contract between a source of batches and the chain that passes over them."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from confluent_kafka import Message

from streams.engine.batch import Batch, TopicPart


class Handler(Protocol):
    """Called by the source, never by two threads at once. A refused record is a value inside `run`; an exception from
    `run` aborts the transaction, and after some attempts the record that `batch.at` names is given to `poison`."""

    def run(self, batch: Batch) -> Iterable[None]:
        """One pass over the batch, setting `batch.at` to each record before it is worked on. Yields now and then (at
        least every few hundred records), so that the worker answers its group and its probes; stops for good when it is
        not resumed."""

    def poison(self, message: Message, reason: str, error: BaseException) -> None:
        """Remember that this record cannot be processed: the next `run` dead-letters it instead."""

    def closing(self, read: Mapping[TopicPart, tuple[int, int]]) -> None:
        """The transaction is about to commit: write what belongs to it. `read`: (first, next) offset per partition."""

    def placed(self, ready: bool) -> None:
        """Partitions were assigned and their state restored, or they were taken away."""

    def lagging(self, lag: Mapping[TopicPart, int]) -> None:
        """How many records each partition is behind; about once a second."""

    def committed(self) -> None:
        """What was counted since the last call holds."""

    def aborted(self) -> None:
        """What was counted since the last commit never happened."""
