"""What a worker knows of `bus.policy`, followed by a thread: the released schemas, and each chain's first layout."""

import os
import threading
from collections.abc import Iterator, Sequence

import msgspec
import structlog

from streams.chains.layout import POLICY, ChainLayout
from streams.contract.contracts import Contract
from streams.contract.division import Divisions
from streams.contract.released import Released
from streams.engine.app import EXIT_SYSTEM_FAILURE
from streams.engine.record import Record
from streams.engine.table import Follower
from streams.engine.writer import Writer
from streams.errors import ConfigError, SystemFailure
from streams.governance.view import View
from streams.settings import Settings

log = structlog.get_logger(__name__)

RETRY_SECONDS = 5.0
LAYOUT = "layout/"


class ChainRecord(msgspec.Struct, frozen=True, tag_field="kind", tag="layout"):
    """The value under `layout/<chain>`: state and offsets of the chain only mean something under these."""

    chain: str
    partitions: int
    flows: list[str]
    topics: list[str]
    tables: list[str]


def stop_process(failure: SystemFailure) -> None:
    """A thread that the chain depends on has ended: end the process before it acknowledges anything more."""
    log.error("stopping: nothing more is acknowledged", reason=str(failure))
    os._exit(EXIT_SYSTEM_FAILURE)


class Policy:
    """`version` is the offset up to which this worker has seen bus.policy. Raises SystemFailure where Kafka is away."""

    def __init__(self, settings: Settings, contracts: dict[str, Contract]):
        self.released = Released(contracts, Divisions.load(settings.deploy / "divisions.csv"))
        self._newest = {event_type: contract.latest for event_type, contract in contracts.items()}
        self._bootstrap = settings.bootstrap_servers
        self._layouts: dict[str, ChainRecord] = {}
        self._changed = threading.Condition()
        self.follower = Follower(settings.bootstrap_servers, POLICY, self._apply, stop_process)

    def _unreleased(self, topics: set[str], views: Sequence[View]) -> Iterator[str]:
        known = set(self.released.topics())
        for topic in topics:
            if topic not in known or self.released.latest(topic).version < self._newest[topic]:
                yield topic
        for view in views:
            if self.released.same_as(view.name, view.schema) is None:
                yield view.name

    def _apply(self, record: Record) -> None:
        key = (record.key or b"").decode()
        with self._changed:
            if key.startswith(LAYOUT) and record.value is not None:
                self._layouts[key] = msgspec.json.decode(record.value, type=ChainRecord)
            else:
                self.released.apply(key, record.value)
            self._changed.notify_all()

    def start(self) -> "Policy":
        """Read bus.policy to its end, then follow it."""
        self.follower.start()
        return self

    def version(self) -> int:
        return self.follower.version

    def remember(self, chain: str, declared: ChainLayout, partitions: int, topics: Sequence[str]) -> None:
        """Hold the chain to the layout it first ran with. Raises ConfigError when the declared one differs: a flow that
        joined in the middle would miss what came before, and one that left would leave its state behind."""
        now = ChainRecord(
            chain, partitions, sorted(declared.flows), sorted(topics), sorted(declared.partitioned_tables)
        )
        began = self._layouts.get(LAYOUT + chain)
        if began is None:
            with Writer(self._bootstrap) as writer:
                writer.write(POLICY, LAYOUT + chain, msgspec.json.encode(now))
        elif began != now:
            name = next(f for f in ChainRecord.__struct_fields__ if getattr(began, f) != getattr(now, f))
            raise ConfigError(
                f"chain {chain} runs with {name} {getattr(began, name)}, but the layout now says {getattr(now, name)}: "
                "declare what is new in a chain of its own"
            )

    def wait_for(self, topics: set[str], views: Sequence[View] = ()) -> None:
        """Until what this worker reads and writes is released: the newest version of each topic's contract, and each
        view's schema. Says once what is missing."""
        told = False
        with self._changed:
            while missing := sorted(self._unreleased(topics, views)):
                if not told:
                    log.warning("waiting for schemas: release them with `haihe schema register`", missing=missing)
                    told = True
                self._changed.wait(RETRY_SECONDS)
