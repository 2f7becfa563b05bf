"""The chain `intake`: validates what publishers sent and writes it, keyed and partitioned by the contract's key, to the
city's topic. Whatever is wrong with a record goes to its publisher's dead-letter topic and never stops the bus.
"""

import time
from collections.abc import Callable, Iterator

from streams.chains.audited import Audit, AuditedPass
from streams.chains.dead_letter import ORIGIN
from streams.chains.layout import split_input
from streams.chains.ledger import Ledger
from streams.chains.resolver import Resolver
from streams.contract.version import Version
from streams.contract.wire import HEADER, header, schema_id
from streams.engine.batch import Batch, Message, place
from streams.engine.client import MAX_RECORD
from streams.errors import Rejection
from streams.observe.health import Health
from streams.observe.metrics import METRICS

FLOW = "intake"
TURN = 256
"""Records after which the loop gets its turn."""


class Intake(AuditedPass):
    """One pass: bytes in, the same bytes out, if the contract allows them."""

    def __init__(self, produce: Callable[..., None], resolver: Resolver, ledger: Ledger, audit: Audit, health: Health):
        super().__init__(produce, ledger, audit, health)
        self._resolver = resolver
        self._names: dict[str, tuple[str, str]] = {}
        self._observe = METRICS.step_seconds.labels(FLOW, "validate").observe

    def run(self, batch: Batch) -> Iterator[None]:
        self._resolver.new_batch()
        started = time.perf_counter()
        held: set[tuple[str, int]] = set()
        for n, message in enumerate(batch.messages):
            topic, partition, offset = place(message)
            batch.at = message
            if (topic, partition) in held:
                continue
            if not self._take(topic, partition, offset, message):
                held.add((topic, partition))
                batch.hold(message)
            if n % TURN == TURN - 1:
                yield
        self._observe(time.perf_counter() - started)

    def _take(self, topic: str, partition: int, offset: int, message: Message) -> bool:
        """False when the record must wait."""
        names = self._names.get(topic)
        if names is None:
            names = self._names[topic] = split_input(topic)
        publisher, event_type = names
        value = message.value()
        received = message.timestamp()[1]
        verdict = self._judge(message, value, publisher, event_type, received)
        if verdict is None:
            return False
        count = self.ledger.flow(FLOW)
        count.read += 1
        if isinstance(verdict, Rejection):
            count.reject(verdict)
            self.dead.send(topic, FLOW, verdict, message, message.key(), value)
            return True
        key, body = verdict
        origin = (ORIGIN, b"%b/%d/%d" % (topic.encode(), partition, offset))
        self.produce(event_type, body, key, timestamp=received, headers=[origin])
        count.delivered += 1
        self.ledger.written.append(received)
        return True

    def _judge(
        self, message: Message, value: bytes | None, publisher: str, event_type: str, received: int
    ) -> tuple[bytes, bytes] | Rejection | None:
        """The key and the bytes to write; or why not; or None: wait."""
        if self.poisoned and (poison := self.poisoned.get(place(message))) is not None:
            return next(iter(poison.values()))
        if value is None:
            return Rejection("decode", "empty", "the record has no value")
        if len(value) > MAX_RECORD:
            return Rejection("decode", "too-large", f"{len(value)} bytes, at most {MAX_RECORD}")
        identity = schema_id(value)
        if isinstance(identity, Rejection):
            return identity
        version = self._resolver.find(identity, event_type)
        if not isinstance(version, Version):
            return version
        key = version.check(value, publisher, received)
        if isinstance(key, Rejection):
            return key
        if (
            version.schema_id != identity
        ):  # the registry's other id for the same text: downstream knows the released one
            value = header(version.schema_id) + value[HEADER:]
        return key, value
