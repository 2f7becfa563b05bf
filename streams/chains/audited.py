"""What every pass owes the engine besides its own work: poisoned records, the audit record, metrics, readiness."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from streams.chains.dead_letter import DeadLetters
from streams.chains.layout import AUDIT
from streams.chains.ledger import Ledger
from streams.contract.version import Version
from streams.engine.batch import Message, TopicPart, place
from streams.errors import Rejection, SystemFailure
from streams.observe.health import Health
from streams.observe.metrics import METRICS

MAX_POISONED = 10_000
"""Isolated records remembered at most; far more than a chain's budget of refusals lets happen."""


class FlowFailed(Exception):
    """A flow raised on a record: the cause, and which flow it concerns."""

    def __init__(self, flow: str, step: str):
        super().__init__(f"{flow} at {step}")
        self.flow, self.step = flow, step


Poison = dict[str | None, Rejection]
"""Why a record cannot be processed, by flow (None: by none that reads it)."""


class Audit(NamedTuple):
    """How the audit record is written: `version` encodes it, `policy` says which policy this worker runs under."""

    version: Version
    policy: Callable[[], int]


class AuditedPass:
    """The engine's Handler, but for `run`."""

    def __init__(self, produce: Callable[..., None], ledger: Ledger, audit: Audit, health: Health):
        self.produce, self.ledger, self._audit, self._health = produce, ledger, audit, health
        self.dead = DeadLetters(produce)
        self.poisoned: dict[tuple[str, int, int], Poison] = {}

    def poison(self, message: Message, reason: str, error: BaseException) -> None:
        """As Handler.poison. Raises SystemFailure when that has not helped: the record would be read for ever."""
        at = place(message)
        if isinstance(error, FlowFailed):
            flow, found = error.flow, Rejection(error.step, "failed", reason)
        else:
            flow, found = None, Rejection("deliver", "refused", reason)
        if len(self.poisoned) >= MAX_POISONED:
            self.poisoned.clear()
        known = self.poisoned.setdefault(at, {})
        if flow in known:
            topic, partition, offset = at
            raise SystemFailure(f"{topic}, partition {partition}, offset {offset} fails although it is refused")
        known[flow] = found

    def closing(self, read: Mapping[TopicPart, tuple[int, int]]) -> None:
        record = self.ledger.record(read, self._audit.policy())
        self.produce(AUDIT, self._audit.version.encode(record), f"{self.ledger.chain}/{self.ledger.slot}")

    def placed(self, ready: bool) -> None:
        self._health.ready(None if ready else "waiting for partitions")

    def lagging(self, lag: Mapping[TopicPart, int]) -> None:
        for (topic, partition), records in lag.items():
            METRICS.consumer_lag.labels(self.ledger.chain, topic, str(partition)).set(records)

    def committed(self) -> None:
        self.ledger.committed()

    def aborted(self) -> None:
        self.ledger.aborted()
