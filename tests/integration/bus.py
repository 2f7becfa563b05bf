"""The whole bus on the tests' Kafka and registry: topics, schemas and tables made by the product, workers as processes.

Topic names are the layout's, so the modules that use this share one set-up; each test takes people of its own and
looks only at what came after it began.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from streams.cli.schema import policy_topic, register_all, view_schemas
from streams.contract.contracts import load_contracts
from streams.contract.identity import valid_person_id
from streams.demo import tables
from streams.demo.city import City, Resident
from streams.demo.prepare import Schemas, create_topics
from streams.engine.client import MAX_INPUT
from streams.engine.reader import Reader
from streams.engine.record import Record
from streams.engine.writer import Writer
from streams.settings import ROOT, load

PEOPLE = 2_000
READY_S = 60.0
TESTS, STAYS = "health.test.result", "health.area.stayed"
IN_TESTS, IN_STAYS = f"in.wjw.{TESTS}", f"in.cdc.{STAYS}"
CODES, ALERTS, SHOWN = "health.code.changed", "grid.alert.changed", "to.jinzhitong.grid.alert.changed"
AUDIT = "bus.audit"


class Bus:
    """A Kafka and a registry that are ready for the bus."""

    def __init__(self, bootstrap: str, registry_url: str, home: Path) -> None:
        self.bootstrap, self.registry_url, self.home = bootstrap, registry_url, home
        self.env = {"HAIHE_HOME": str(home), "HAIHE_BOOTSTRAP_SERVERS": bootstrap, "HAIHE_LOG_FORMAT": "json"}
        self.settings = load({**self.env, "HAIHE_REGISTRY_URL": registry_url})
        create_topics(self.settings)
        self.register(self.settings.schemas)
        self.city = City(ROOT / "deploy/tianjin/divisions.csv")
        self.duty = {row.division: row.on_duty for row in self.city.roster()}
        tables.load(bootstrap, self.city, range(PEOPLE), self.encode, lambda written: None)
        self._numbers = iter(range(PEOPLE))

    def register(self, schemas: Path, *event_types: str) -> None:
        """As `haihe schema register`; all contracts and views unless some are named."""
        from streams.contract.registry import Registry

        contracts = load_contracts(schemas)
        views = [] if event_types else view_schemas(self.settings, contracts)
        wanted = {name: contracts[name] for name in event_types or contracts}
        with policy_topic(self.settings) as (reader, writer):
            register_all(Registry(self.registry_url), writer, reader, wanted, views)
        self.schemas = Schemas(self.settings)

    def encode(self, topic: str, event: Mapping[str, Any]) -> bytes:
        return self.schemas.encode(topic, event)

    def decode(self, record: Record) -> dict[str, Any]:
        assert record.value is not None
        return self.schemas.decode(record.topic, record.value)

    def person(self) -> Resident:
        """Somebody whom no test has met, with a residence and a grid worker on duty."""
        people = (self.city.resident(n) for n in self._numbers)
        return next(person for person in people if person.registered and self.duty.get(person.cell))

    def household(self, size: int) -> list[Resident]:
        """People in one cell, as `person` would give them."""
        while True:
            people = [self.person() for _ in range(size)]
            if len({person.cell for person in people}) == 1:
                return people

    def writer(self) -> Writer:
        return Writer(self.bootstrap, max_bytes=MAX_INPUT)

    def publish(self, topic: str, *values: bytes, key: bytes | None = b"any key") -> None:
        """Records in one partition (that of the key), which is not the bus's choice."""
        with self.writer() as writer:
            for value in values:
                writer.write(topic, key, value)

    def publish_test(self, person: Resident, result: str = "POSITIVE", **more: Any) -> str:
        """A test result of now; its event id."""
        event = sampled(person, result, **more)
        self.publish(IN_TESTS, self.encode(TESTS, event))
        return str(event["event_id"])


def sampled(person: Resident, result: str = "POSITIVE", **more: Any) -> dict[str, Any]:
    """The fields of a test result that is in order."""
    assert valid_person_id(person.person_id.encode())
    about = {"person_id": person.person_id, "division": person.cell[:12], "publisher": "wjw"}
    ids = {"event_id": str(uuid.uuid4()), "occurred_at": int(time.time() * 1000)}
    return {**about, **ids, "result": result, "laboratory": "检验科", **more}


def stayed(person: Resident, risk: str = "HIGH", **more: Any) -> dict[str, Any]:
    """The fields of a stay in an area of risk."""
    event = sampled(person) | {"publisher": "cdc", "risk": risk, "area": "-", **more}
    return {name: value for name, value in event.items() if name not in ("result", "laboratory")}


class Watch:
    """Reads topics from their ends as of its making, so that what a test sees is what followed from what it did."""

    def __init__(self, bus: Bus, *topics: str) -> None:
        self._reader = Reader(bus.bootstrap, topics, "end")
        self.records: list[Record] = []

    def until(self, enough: Callable[[list[Record]], bool], seconds: float = 30.0) -> list[Record]:
        """All records so far, as soon as they are enough."""
        deadline = time.monotonic() + seconds
        while not enough(self.records):
            if time.monotonic() > deadline:
                found = [(record.topic, record.partition, record.headers) for record in self.records]
                raise AssertionError(f"not enough after {seconds} s: {len(found)} records, the last {found[-5:]}")
            self.records += self._reader.read(timeout=0.2)
        return self.records

    def count(self, number: int, seconds: float = 30.0) -> list[Record]:
        return self.until(lambda records: len(records) >= number, seconds)

    def of(self, topic: str) -> list[Record]:
        return [record for record in self.records if record.topic == topic]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._reader.close()


class WorkerProcess:
    """One slot of a chain, as `haihe worker` runs it."""

    def __init__(self, bus: Bus, chain: str, slot: int = 0, **env: str) -> None:
        self.chain, self.slot, self.home = chain, slot, bus.home
        name = f"{chain}-{slot}-{uuid.uuid4().hex[:6]}"
        self.log, self._port_file = bus.home / f"{name}.log", bus.home / f"{name}.port"
        ours = {name: value for name, value in os.environ.items() if not name.startswith("HAIHE_")}
        self._env = {**ours, **bus.env, "HAIHE_REGISTRY_URL": bus.registry_url, **env}
        self.start()

    def start(self) -> None:
        self._port_file.unlink(missing_ok=True)
        words = ["worker", "--chain", self.chain, "--slot", str(self.slot), "--port-file", str(self._port_file)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams", *words], env=self._env, stdout=output, stderr=subprocess.STDOUT
            )

    def ready(self) -> Self:
        """Wait until it has its partitions and their state."""
        deadline = time.monotonic() + READY_S
        while self.get("/readyz") is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.chain} is not ready:\n{self.log.read_text()}")
            time.sleep(0.05)  # a server of its own: asking it is the only way to learn that it is ready
        return self

    def get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port_file.read_text().strip()}{path}") as answer:
                return str(answer.read().decode())
        except (OSError, ValueError):
            return None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of that event."""
        lines = [msgspec.json.decode(line) for line in self.log.read_bytes().splitlines() if line.startswith(b"{")]
        return [line for line in lines if line["event"] == event]

    def says(self, event: str, times: int = 1, seconds: float = 30.0) -> dict[str, Any]:
        """Wait until it has said so that often; the first such line."""
        deadline = time.monotonic() + seconds
        while len(found := self.said(event)) < times:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.chain} does not say {event!r}:\n{self.log.read_text()}")
            time.sleep(0.05)  # a log is a file: there is no event to await
        return found[0]


@contextmanager
def workers(bus: Bus, *chains: str, **env: str) -> Iterator[list[WorkerProcess]]:
    """Slot 0 of each chain, ready; stopped at the end, which they do cleanly."""
    started = [WorkerProcess(bus, chain, **env) for chain in chains]
    try:
        yield [worker.ready() for worker in started]
    finally:
        codes = [worker.stop() for worker in started]
    assert codes == [0] * len(started), [worker.log.read_text()[-2000:] for worker in started]


def headers(record: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers}
