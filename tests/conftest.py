"""Kafka and the schema registry for the tests that need them: real ones, started once for the whole run.

In this order: the addresses in HAIHE_BOOTSTRAP_SERVERS and HAIHE_REGISTRY_URL, when both are set; testcontainers, where
a container engine answers; the project's own local stack. The choice is printed. Tests share one Kafka, so each names
its topics, groups and transactional ids with `unique`.
"""

import os
import subprocess
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

from streams.errors import HaiheError
from streams.local import kafka, ports, registry
from streams.local.stack import Stack

# No verdict on how long an example takes: on a busy machine that says nothing.
settings.register_profile("haihe", deadline=None)
settings.load_profile("haihe")

KAFKA_IMAGE = "apache/kafka:4.2.0"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.0.9"


class Addresses(NamedTuple):
    """Where the tests' Kafka and registry are, and what they run on."""

    bootstrap_servers: str
    registry_url: str
    runs_on: str


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Addresses]:
    """Kafka and registry, for as long as the tests run."""
    with ExitStack() as cleanup:
        addresses = _given() or _containers(cleanup) or _local(tmp_path_factory.mktemp("stack"), cleanup)
        _announce(pytestconfig, f"Kafka for these tests: {addresses.bootstrap_servers} ({addresses.runs_on})")
        yield addresses


@pytest.fixture(scope="session")
def bootstrap_servers(stack: Addresses) -> str:
    """Address of a real Kafka."""
    return stack.bootstrap_servers


@pytest.fixture(scope="session")
def registry_url(stack: Addresses) -> str:
    """Base URL of a real registry's Confluent-compatible API."""
    return stack.registry_url


@pytest.fixture
def unique() -> str:
    """A word that no other test uses: lower case letters and digits, beginning with a letter."""
    return f"t{uuid.uuid4().hex[:10]}"


def _announce(config: pytest.Config, text: str) -> None:
    capture = config.pluginmanager.get_plugin("capturemanager")
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if capture is None or terminal is None:
        return
    with capture.global_and_fixture_disabled():
        terminal.ensure_newline()
        terminal.write_line(text)


def _given() -> Addresses | None:
    bootstrap, url = os.environ.get("HAIHE_BOOTSTRAP_SERVERS"), os.environ.get("HAIHE_REGISTRY_URL")
    return Addresses(bootstrap, url, "given by HAIHE_BOOTSTRAP_SERVERS") if bootstrap and url else None


def _local(home: Path, cleanup: ExitStack) -> Addresses:
    started = cleanup.enter_context(Stack(home, prometheus=False))
    return Addresses(started.bootstrap_servers, started.registry_url, f"local stack in {home}")


def _containers(cleanup: ExitStack) -> Addresses | None:
    """Kafka and registry in containers; None when no engine answers or it cannot run them (no images, say)."""
    try:
        engine = subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if engine.returncode:
        return None
    with ExitStack() as started:
        try:
            addresses = _start_containers(started)
        except Exception as error:  # whatever an engine does wrong: the local stack does the same job
            warnings.warn(f"containers do not come up ({type(error).__name__}): local stack instead", stacklevel=1)
            return None
        cleanup.push(started.pop_all())
        return addresses


def _start_containers(started: ExitStack) -> Addresses:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network

    network = started.enter_context(Network())
    port = ports.any_free()
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": f"BUS://:{port},INSIDE://:29092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"BUS://127.0.0.1:{port},INSIDE://kafka:29092",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BUS:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
        **_template_settings(),
    }
    broker = DockerContainer(KAFKA_IMAGE).with_network(network).with_network_aliases("kafka")
    broker = broker.with_bind_ports(port, port)
    for name, value in settings.items():
        broker = broker.with_env(name, value)
    started.enter_context(broker)
    app = DockerContainer(REGISTRY_IMAGE).with_network(network).with_exposed_ports(8080)
    app = app.with_env("APICURIO_STORAGE_KIND", "kafkasql")
    app = app.with_env("APICURIO_KAFKASQL_BOOTSTRAP_SERVERS", "kafka:29092")
    started.enter_context(app)
    registry_port = int(app.get_exposed_port(8080))
    _wait_for(lambda: kafka.answers(port) and registry.ready(registry_port))
    return Addresses(f"127.0.0.1:{port}", f"http://127.0.0.1:{registry_port}{registry.API}", "testcontainers")


def _template_settings() -> dict[str, str]:
    """The settings of the local Kafka that do not name a place, as the image wants them: KAFKA_ and underscores."""
    lines = [line for line in kafka.TEMPLATE.read_text().splitlines() if "=" in line and not line.startswith("#")]
    pairs = [line.split("=", 1) for line in lines if "${" not in line]
    placed = ("process.", "node.", "controller.", "listener.", "inter.broker.")
    return {f"KAFKA_{k.replace('.', '_').upper()}": v for k, v in pairs if not k.startswith(placed)}


def _wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise HaiheError("not ready")
        time.sleep(0.2)
