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

from streams import settings
from streams.cli.main import run
from streams.contract.contracts import load_contracts
from streams.contract.division import Divisions
from streams.contract.registry import Registry
from streams.contract.released import Released
from streams.engine.admin import Admin, TopicSpec
from streams.engine.reader import Reader
from streams.engine.writer import Writer
from streams.local import kafka, prometheus, registry, targets
from streams.local.stack import Stack

pytestmark = pytest.mark.kafka

Command = Callable[..., Any]
SCHEMA = {"type": "record", "name": "Probe", "fields": [{"name": "id", "type": "string"}]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own, whose stack is stopped at the end whatever happened; its path is no plain ASCII."""
    home = tmp_path_factory.mktemp("home") / "海河 的家"
    home.mkdir()
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


def test_topics_are_created_once_and_listed(haihe: Command) -> None:
    """`haihe topics create` creates what the layout declares, a second one finds it there; the list has it."""
    haihe("up", "--json")
    created = haihe("topics", "create").splitlines()
    assert "created bus.policy" in created
    assert haihe("topics", "create").startswith("0 created, ")
    listed = {row["topic"]: row for row in haihe("topics", "--json")}
    assert listed["bus.policy"] == {"topic": "bus.policy", "partitions": 1, "records": 0}
    assert {f"created {topic}" for topic in listed if topic != "probe.kept"} == set(created[:-1])
    assert {row["topic"].split(".")[0] for row in haihe("topics", "--zone", "in", "--json")} == {"in"}


def test_tail_prints_what_was_written_with_personal_fields_masked(haihe: Command) -> None:
    """From topic to terminal on real Kafka: an event is decoded by its released schema, its person hidden."""
    address = haihe("up", "--json")["bootstrap_servers"]
    haihe("topics", "create")
    haihe("schema", "register", "health.test.result")
    found = settings.load()
    contract = load_contracts(found.schemas)["health.test.result"]
    released = Released({}, Divisions.load(found.deploy / "divisions.csv"))
    with Reader(address, ["bus.policy"]) as policy:
        for record in policy.read_to_end():
            released.apply((record.key or b"").decode(), record.value)
    event = next(iter(contract.examples(contract.latest).values()))
    with Writer(address) as writer:
        for _ in range(3):
            writer.write("health.test.result", event["person_id"], released.latest("health.test.result").encode(event))
        writer.flush()
    tail = ("tail", "health.test.result", "--from", "beginning")
    text = haihe(*tail, "-n", "2")
    assert len(text.splitlines()) == 2
    assert event["laboratory"] in text
    assert event["person_id"] not in text
    assert len(haihe(*tail, "--no-follow").splitlines()) >= 3
    assert haihe(*tail, "-n", "1", "--json", "--clear")["value"]["person_id"] == event["person_id"]


def test_a_topic_that_does_not_exist_is_one_sentence(haihe: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt topic is told with the one that was meant."""
    haihe("up", "--json")
    haihe("topics", "create")
    assert run(["tail", "health.code.chnaged"]) == 2
    assert "did you mean health.code.changed?" in capsys.readouterr().err


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
