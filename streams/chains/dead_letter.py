"""Dead letters: one record refused by one flow, written to `dead.<topic>` in the same transaction as its neighbours.

The value is the flow's input bytes. Headers say step, reason, flow, and the root topic, partition and offset (what was
published, however many hops ago). A value over the bus's limit is left out; its size is then in a header.
"""

from collections.abc import Callable
from typing import Any

from streams.engine.batch import Message, place
from streams.engine.client import MAX_RECORD
from streams.errors import Rejection

ORIGIN = "origin"
"""Header that intake gives each record: `topic/partition/offset` of what was published."""


class DeadLetters:
    """`produce` is the transaction's."""

    def __init__(self, produce: Callable[..., None]):
        self._produce = produce

    def send(
        self, topic: str, flow: str, rejection: Rejection, origin: Message, key: bytes | None, value: bytes | None
    ) -> None:
        """`topic`, `key`, `value`: what the flow was given; `origin`: the record that this pass read."""
        root, partition, offset = _root(origin)
        headers = [
            ("step", rejection.step.encode()),
            ("reason", rejection.reason.encode()),
            ("detail", rejection.detail.encode()),
            ("flow", flow.encode()),
            ("topic", root.encode()),
            ("partition", partition.encode()),
            ("offset", offset.encode()),
        ]
        if value is not None and len(value) > MAX_RECORD:
            headers.append(("size", str(len(value)).encode()))
            value = None
        if key is not None and len(key) > MAX_RECORD:
            key = None
        self._produce(f"dead.{topic}", value, key, timestamp=origin.timestamp()[1], headers=headers)


def _root(origin: Message) -> tuple[str, str, str]:
    """Topic, partition, offset of what was published: what intake noted, or for an input its own place. Only the bus
    writes what intake noted on: an input's headers are its publisher's, who may have put anything there."""
    topic, partition, offset = place(origin)
    if not topic.startswith("in."):
        headers: Any = origin.headers() or []  # a list of pairs; the client's annotations allow more
        noted = next((value for name, value in headers if name == ORIGIN), None)
        if noted is not None:
            root, number, at = noted.decode().split("/")
            return root, number, at
    return topic, str(partition), str(offset)
