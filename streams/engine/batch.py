"""What an agent receives: a whole batch of records that librdkafka fetched, and the Faust channel that carries it.

Leaving `async with batch` cleanly makes its offsets committable. Batches are not Faust events, so Faust adds neither
acknowledgements nor sensors to them.
"""

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

import faust
from confluent_kafka import Message
from faust.channels import Channel

__all__ = ["Batch", "BatchChannel", "Message", "TopicPart", "place"]

if TYPE_CHECKING:
    from streams.engine.source import Source

TopicPart = tuple[str, int]


def place(message: Message) -> tuple[str, int, int]:
    """Topic, partition and offset of a consumed record (the client's annotations allow None, a record has all)."""
    return message.topic(), message.partition(), message.offset()  # type: ignore[return-value]


class Batch:
    """`messages` in the order fetched; `offsets` the next offset of each topic partition in it; `ticks` the time (ms)
    to which idle partitions advance by the wall clock; `at` the record that the handler has in hand. A batch is stale
    once a rebalance or an abort took it back."""

    __slots__ = ("_source", "at", "epoch", "messages", "offsets", "ticks")

    def __init__(self, source: "Source", messages: list[Message], offsets: dict[TopicPart, int], ticks: dict[int, int]):
        self._source, self.messages, self.offsets, self.ticks = source, messages, offsets, ticks
        self.epoch = source.epoch
        self.at: Message | None = None

    @property
    def stale(self) -> bool:
        return self.epoch != self._source.epoch

    def hold(self, message: Message) -> None:
        """Leave this record and all after it in its partition unread for now; the partition is paused for a moment."""
        self._source.hold(self, message)

    async def __aenter__(self) -> "Batch":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if exc is None:
            await self._source.finished(self)
            return False
        if isinstance(exc, Exception):
            # Swallowed: Faust's supervisor would restart the agent 5 s later and carry on past the failure.
            self._source.failed(exc)
            return True
        return False


class DirectQueue:
    """Stands in for a channel's queue. It never holds data, so Faust's flow control cannot clear batches out of it, and
    is always empty, so that a stream asks the channel for its next item. Faust's stop signal comes through `_throw`."""

    get_nowait = None

    def __init__(self) -> None:
        self._errors: deque[BaseException] = deque()  # Faust's streams look at it by this name
        self._throw = self._errors.append

    def empty(self) -> bool:
        return True


class BatchChannel(Channel[Batch]):  # type: ignore[misc]  # faust ships without usable annotations
    """One consumer group member: every clone of this channel is this channel."""

    def __init__(self, app: faust.App, source: "Source"):
        self._source, self._direct = source, DirectQueue()
        super().__init__(app)

    @property
    def queue(self) -> DirectQueue:
        return self._direct

    def clone(self, *, is_iterator: bool | None = None, **kwargs: Any) -> "BatchChannel":
        return self

    def __aiter__(self) -> "BatchChannel":
        return self

    async def __anext__(self) -> Batch:
        return await self._source.next_batch(self._direct._errors)
