"""Write records outside the chains: the command line, the simulator, connectors, tests. Idempotent, not transactional:
what a chain writes goes through its transaction instead.
"""

from collections.abc import Sequence
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.engine.client import MAX_TOPIC, REQUEST_S, producer_config
from streams.errors import SystemFailure, UserError

MAX_QUEUED = 200_000
"""Records that may wait to be sent; `write` blocks above it. A fifth of the client's own limit."""


class Writer:
    """One producer. Not for several threads at once, although librdkafka would allow it: failures belong to a caller.

    Records of one key keep their order. A record is written for certain only when a later `flush` returned.
    """

    def __init__(self, bootstrap: str, *, max_bytes: int = MAX_TOPIC, client_id: str = "haihe-writer") -> None:
        """`max_bytes`: largest record sent at all; client.MAX_INPUT for whoever plays a publisher of large inputs."""
        self._bootstrap = bootstrap
        self._failed: list[tuple[str, str]] = []
        self._topics: frozenset[str] = frozenset()
        self._producer = Producer(
            producer_config(bootstrap, client_id=client_id, on_delivery=self._report, message_max_bytes=max_bytes)
        )

    def write(
        self,
        topic: str,
        key: bytes | str | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Queue one record. `timestamp` in ms, now when None; `value` None deletes the key of a compacted topic.

        Raises UserError for a topic that does not exist (otherwise that would show after 30 s) or a record larger than
        `max_bytes`; nothing is queued then. Blocks while MAX_QUEUED records wait.
        """
        if topic not in self._topics:
            self._check(topic)
        while len(self._producer) >= MAX_QUEUED:
            self._producer.poll(0.1)
        try:
            self._producer.produce(
                topic, value, key, timestamp=timestamp or 0, headers=list(headers) if headers else None
            )
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise UserError(f"the record for {topic} is larger than this client may send") from exc
            raise SystemFailure(f"{topic}: {exc.args[0].str()}") from exc
        self._producer.poll(0)

    def flush(self, timeout: float = 60.0) -> None:
        """Wait until every record is written and confirmed by all in-sync replicas.

        Raises SystemFailure naming the first topic and error when one was refused since the last flush, or when not all
        are confirmed after `timeout` seconds.
        """
        left = self._producer.flush(timeout)
        if self._failed:
            failed, self._failed = self._failed, []
            topic, error = failed[0]
            raise SystemFailure(f"{len(failed)} records were not written, the first to {topic}: {error}")
        if left:
            raise SystemFailure(f"{left} records are not confirmed after {timeout:g} s by {self._bootstrap}")

    def close(self) -> None:
        """Flush and end. Raises as `flush` does."""
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *exc: object) -> None:
        if exc_type is None:
            self.close()
        else:  # what is queued belongs to work that failed: do not wait for it
            self._producer.purge()

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append((message.topic() or "", error.str()))

    def _check(self, topic: str) -> None:
        try:  # all topics: asking for one by name might create it
            self._topics = frozenset(self._producer.list_topics(timeout=REQUEST_S).topics)
        except KafkaException as exc:
            raise SystemFailure(f"Kafka at {self._bootstrap} does not answer: {exc.args[0].str()}") from exc
        if topic not in self._topics:
            raise UserError(f"topic {topic} does not exist: create it with `haihe topics create`")
