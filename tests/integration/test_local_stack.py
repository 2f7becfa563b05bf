"""The local stack on real processes, as `haihe up`, `status` and `down` use it: what runs is kept, what died comes
back, data and ids survive."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from streams.cli.main import run
from streams.contract.registry import Registry
from streams.engine.admin import Admin, TopicSpec
from streams.local import kafka, prometheus, registry, targets
from streams.local.stack import Stack

pytestmark = pytest.mark.kafka

Command = Callable[..., Any]
SCHEMA = {"type": "record", "name": "Probe", "fields": [{"name": "id", "type": "string"}]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own, whose stack is stopped at the end whatever happened."""
    home = tmp_path_factory.mktemp("home")
    yield home
    Stack(home).stop()


@pytest.fixture
def haihe(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one `haihe` command in that home and returns what it printed, as JSON when it is."""
    for name in ("HAIHE_BOOTSTRAP_SERVERS", "HAIHE_REGISTRY_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HAIHE_HOME", str(home))

    def command(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run(words) == code, capsys.readouterr().err
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in words else out

    return command


def states(haihe: Command, code: int = 0) -> dict[str, str]:
    return {line["name"]: line["state"] for line in haihe("status", "--json", code=code)}


def test_the_suites_kafka_and_registry_answer(bootstrap_servers: str, registry_url: str) -> None:
    """Whatever the suite runs on, both addresses serve a request."""
    assert kafka.answers(int(bootstrap_servers.rpartition(":")[2]))
    assert registry.ready(int(registry_url.split(":")[2].partition("/")[0]))


def test_a_second_up_keeps_what_runs(haihe: Command, home: Path) -> None:
    """`haihe up` is idempotent: the same processes at the same addresses, and it says so."""
    first = haihe("up", "--json")
    pids = {name: child.pid for name, child in Stack(home).processes.items()}
    again = haihe("up", "--json")
    assert again == {**first, "started": []}
    assert {name: child.pid for name, child in Stack(home).processes.items()} == pids
    assert "already running" in haihe("up")
    assert states(haihe)["kafka"] == "running"


def test_topics_and_schema_ids_survive_a_restart_even_on_another_port(haihe: Command, home: Path) -> None:
    """After `down` and `up` the same topics and schema ids are there, also when a stranger took Kafka's port."""
    before = haihe("up", "--json")
    Admin(before["bootstrap_servers"]).create([TopicSpec("probe.kept", 3)])
    schema_id = Registry(before["registry_url"]).register("probe.kept-value", SCHEMA, "FULL_TRANSITIVE")
    haihe("down")
    assert states(haihe, code=1)["kafka"] == "stopped"
    port = int(before["bootstrap_servers"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        after = haihe("up", "--json")
    assert after["bootstrap_servers"] != before["bootstrap_servers"]
    assert after["registry_url"] == before["registry_url"]
    assert Admin(after["bootstrap_servers"]).topics()["probe.kept"] == 3
    assert Registry(after["registry_url"]).schema(schema_id) == SCHEMA


def test_up_restarts_what_died(haihe: Command, home: Path) -> None:
    """A killed Kafka is seen by `status` and started again by `up`, at its old address; the registry goes on."""
    before = haihe("up", "--json")
    old = Stack(home).processes
    os.kill(old["kafka"].pid, signal.SIGKILL)
    while old["kafka"].alive:
        time.sleep(0.01)
    assert states(haihe, code=1)["kafka"] == "dead"
    after = haihe("up", "--json")
    assert after["started"] == ["kafka"]
    assert after["bootstrap_servers"] == before["bootstrap_servers"]
    assert Stack(home).processes["registry"] == old["registry"]
    assert states(haihe)["registry"] == "running"


def test_nothing_is_forgotten_by_default(haihe: Command) -> None:
    """A topic that names no retention, as the registry's journal, keeps its records for ever."""
    from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

    address = haihe("up", "--json")["bootstrap_servers"]
    journal = ConfigResource(ResourceType.TOPIC, "kafkasql-journal")
    client = AdminClient({"bootstrap.servers": address})
    config = client.describe_configs([journal])[journal].result(10)
    assert config["retention.ms"].value == "-1"
    assert "compact" not in config["cleanup.policy"].value


@pytest.mark.skipif(prometheus.installed() is None, reason="prometheus is not installed")
def test_prometheus_scrapes_the_listed_processes(haihe: Command, home: Path) -> None:
    """A process added to targets.json is scraped under its name, without a restart."""
    url = haihe("up", "--json")["prometheus_url"]

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"probe_answer 42\n")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    targets.add(home, "probe-0", server.server_port)
    try:
        deadline = time.monotonic() + 60
        while not (found := _query(url, 'probe_answer{process="probe-0"}')) and time.monotonic() < deadline:
            time.sleep(0.2)  # Prometheus scrapes when it scrapes
        assert [series["value"][1] for series in found] == ["42"]
    finally:
        targets.remove(home, "probe-0")
        server.shutdown()


def test_down_with_wipe_forgets_the_data_and_nothing_else(haihe: Command, home: Path) -> None:
    """`haihe down --wipe` deletes what the stack wrote, and leaves other files of the home."""
    haihe("up", "--json")
    (home / "token-secret").write_text("kept")
    haihe("down", "--wipe")
    assert (home / "token-secret").read_text() == "kept"
    assert {path.name for path in home.iterdir()} <= {"token-secret", "stack.lock", "targets.lock"}


def _query(url: str, query: str) -> list[dict[str, Any]]:
    from urllib.parse import quote, urlsplit

    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", f"/api/v1/query?query={quote(query)}")
        result: list[dict[str, Any]] = json.load(connection.getresponse())["data"]["result"]
        return result
    finally:
        connection.close()
