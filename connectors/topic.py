"""A Kafka topic as a Source: what connects a connector to the bus.

One thread reads; the questions to the broker (`ends`, `complete_from`) may come from any other.
"""

from collections.abc import Mapping, Sequence

from connectors.base import Positions
from streams.engine.admin import Admin
from streams.engine.reader import Reader
from streams.engine.record import Record

_URL_SAFE = str.maketrans("+/", "-_")


class TopicSource:
    """The topic `topic` from its beginning. Raises UserError when it does not exist."""

    def __init__(self, bootstrap: str, topic: str, client_id: str = "haihe-connector") -> None:
        self._topic = topic
        self._admin = Admin(bootstrap)
        self._partitions = len(self._admin.partitions([topic]))
        # Kafka's text of the id is plain base64: two of its characters would not pass in a place.
        self._identity = self._admin.topic_id(topic)[:8].translate(_URL_SAFE)
        self._reader = Reader(bootstrap, [topic], "beginning", client_id)

    @property
    def identity(self) -> str:
        """The beginning of the id that Kafka gave the topic."""
        return self._identity

    def read(self, max_records: int, timeout: float) -> Sequence[Record]:
        """See Source.read."""
        return self._reader.read(max_records, timeout)

    def positions(self) -> Positions:
        """See Source.positions."""
        return self._ordered(self._reader.positions)

    def ends(self) -> Positions:
        """See Source.ends."""
        return self._ordered(self._admin.ends([self._topic]))

    def readable_ends(self) -> Positions:
        """See Source.readable_ends."""
        return self._ordered(self._admin.stable_ends([self._topic]))

    def keeps_ms(self) -> int | None:
        """See Source.keeps_ms: the compaction lag or the retention, as the topic's cleanup policy says."""
        config = self._admin.config(self._topic)
        policies = config["cleanup.policy"].split(",")
        kept = [int(config["min.compaction.lag.ms"])] if "compact" in policies else []
        if "delete" in policies and (retention := int(config["retention.ms"])) >= 0:
            kept.append(retention)
        return min(kept, default=None)

    def complete_from(self, since_ms: int) -> Positions:
        """See Source.complete_from."""
        return self._ordered(self._admin.offsets_at([self._topic], since_ms))

    def close(self) -> None:
        """See Source.close."""
        self._reader.close()

    def _ordered(self, offsets: Mapping[tuple[str, int], int]) -> Positions:
        return tuple(offsets[self._topic, partition] for partition in range(self._partitions))
