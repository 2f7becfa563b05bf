"""The gateway as a process over a real Kafka, with a view topic and schema of its own, so that it can be killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from connectors.gateway.keys import Keys
from connectors.gateway.receipts import EVENT, TOPIC
from streams.chains.layout import load_layout, topics
from streams.contract.contracts import load_contracts
from streams.contract.division import Divisions
from streams.contract.released import Released
from streams.engine.admin import Admin, TopicSpec
from streams.engine.client import producer_config
from streams.engine.writer import Writer
from streams.settings import ROOT

PARTITIONS = 4
FIELDS = ("alert_id", "state", "colour", "person_name", "phone", "address", "addressee")
SCHEMA = {
    "type": "record",
    "name": "AlertView",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        *({"name": name, "type": ["null", "string"], "default": None} for name in FIELDS),
    ],
}


class View:
    """A view topic in Kafka that the test writes to as the person chain does: in transactions."""

    def __init__(self, bootstrap: str, word: str) -> None:
        self.topic = f"to.{word}.grid.alert.changed"
        self.bootstrap = bootstrap
        contracts = load_contracts(ROOT / "schemas/avro")
        layout = load_layout(ROOT / "deploy/tianjin/layout.yaml")
        Admin(bootstrap).create(
            [
                TopicSpec("bus.policy", 1, {"cleanup.policy": "compact"}),
                *(spec for spec in topics(layout, contracts, ()) if spec.name == TOPIC),
                TopicSpec(self.topic, PARTITIONS, {"cleanup.policy": "compact", "min.compaction.lag.ms": "86400000"}),
            ]
        )
        released = Released(contracts, Divisions.load(ROOT / "deploy/tianjin/divisions.csv"))
        newest = contracts[EVENT].latest
        self._policy = dict(
            (
                Released.record(self.topic, 1, 4711, SCHEMA),
                Released.record(EVENT, newest, 4712, contracts[EVENT].versions[newest]),
            )
        )
        for key, value in self._policy.items():
            released.apply(key, value)
        self.release()
        self._version = released.latest(self.topic)
        self.receipted = released.latest(EVENT)
        self._producer = Producer(producer_config(bootstrap, transactional_id=self.topic))
        self._producer.init_transactions(30)
        self._open = False

    def release(self) -> None:
        """Releases what the gateway reads and writes; again after take_back."""
        with Writer(self.bootstrap) as writer:
            for key, value in self._policy.items():
                writer.write("bus.policy", key, value)

    def take_back(self, topic: str) -> None:
        """Takes a release back, as if it had never been."""
        with Writer(self.bootstrap) as writer:
            for key in self._policy:
                if key.split("/")[1] == topic:
                    writer.write("bus.policy", key, None)

    def write(self, event_id: str, alert_id: str, state: str = "RAISED", addressee: str = "gw-000001") -> None:
        """One event, in the open transaction or a new one."""
        event: Mapping[str, Any] = {
            "event_id": event_id,
            "occurred_at": int(time.time() * 1000),
            "alert_id": alert_id,
            "state": state,
            "colour": "RED",
            "addressee": addressee,
            "person_name": "张**",
        }
        self.write_raw(alert_id, self._version.encode(event))

    def write_raw(self, key: str | None, value: bytes | None) -> None:
        if not self._open:
            self._producer.begin_transaction()
            self._open = True
        self._producer.produce(self.topic, value, key, timestamp=int(time.time() * 1000))

    def commit(self) -> None:
        self._producer.commit_transaction(30)
        self._open = False

    def abort(self) -> None:
        self._producer.flush(30)
        self._producer.abort_transaction(30)
        self._open = False


class GatewayProcess:
    """One run of `haihe gateway`."""

    def __init__(self, view: View, home: Path, port: int = 0) -> None:
        self.home = home
        port_file = home / "port"
        port_file.unlink(missing_ok=True)
        self.log = home / "gateway.log"
        self._out = self.log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams", "gateway", "--topic", view.topic, "--port", str(port),
             "--port-file", str(port_file)],
            env={**os.environ, "HAIHE_HOME": str(home), "HAIHE_BOOTSTRAP_SERVERS": view.bootstrap,
                 "HAIHE_LOG_FORMAT": "json"},
            stdout=self._out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not port_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the gateway did not listen:\n{self.log.read_text()}")
            time.sleep(0.05)
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"
        self._keys = Keys.load(home / "token-secret")

    def headers(self, subject: str = "gw-000001") -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys.sign(subject, time.time())}"}

    def kill(self) -> None:
        """As a machine that loses power: nothing is said to anybody."""
        self.process.kill()
        self.process.wait(10)
        self._out.close()

    def terminate(self) -> float:
        """Asks it to stop; returns how many seconds that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self._out.close()
        return time.monotonic() - began

    def logged(self, word: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if re.search(word, line)]


@contextmanager
def gateway(view: View, home: Path, port: int = 0) -> Iterator[GatewayProcess]:
    process = GatewayProcess(view, home, port)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.kill()
