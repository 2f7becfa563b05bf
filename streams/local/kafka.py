"""The local Kafka: one KRaft node from the jars, its data in the home, ready when it answers a real metadata request.

Readiness is asked over a bare socket: the Kafka client library belongs to the engine, and this needs one request.
"""

import os
import shutil
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from string import Template

from streams.errors import SystemFailure
from streams.local.jars import JAVA_ENV, java
from streams.local.process import Child, spawn
from streams.settings import ROOT

TEMPLATE = ROOT / "deploy" / "local" / "server.properties"
HEAP = ("-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1")
"""A broker that lives for minutes on two cores: the optimising compiler does not pay for itself in a demo's time (one
run each at 500 events/s, on cores with other work: 122% CPU with it, 95% without)."""
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)


def start(home: Path, jars: Path, port: int, controller_port: int, *, detach: bool) -> Child:
    """Starts Kafka on 127.0.0.1:`port`, formatting its data directory first if it is new. It is not ready yet."""
    directory = home / "kafka"
    data, config = directory / "data", directory / "server.properties"
    directory.mkdir(parents=True, exist_ok=True)
    text = TEMPLATE.read_text(encoding="utf-8")
    places = {"port": port, "controller_port": controller_port, "data": property_value(str(data))}
    config.write_text(Template(text).substitute(places), encoding="ascii", errors="backslashreplace")
    classpath = f"{jars / 'kafka'}/*"
    if not (data / "meta.properties").exists():
        _format(data, config, classpath)
    argv = [java(), *HEAP, *_LOGGING, "-cp", classpath, "kafka.Kafka", str(config)]
    return spawn(argv, home / "logs" / "kafka.log", port, env=JAVA_ENV, detach=detach)


def property_value(text: str) -> str:
    """`text` as a value of a .properties file, which Java reads as ISO 8859-1: a home may well lie in a folder with a
    Chinese name."""
    units = text.encode("utf-16-be")
    codes = [int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2)]
    return "".join(chr(c) if 32 < c < 127 and c != ord("\\") else f"\\u{c:04x}" for c in codes)


def ready(home: Path, port: int, timeout: float = 1.0) -> bool:
    """Whether this home's broker answers a Metadata request and lists itself: it then serves clients. Another Kafka
    that took the port meanwhile has another cluster id, and does not count."""
    return answers(port, cluster_id(home), timeout)


def answers(port: int, cluster: str | None = None, timeout: float = 1.0) -> bool:
    """Whether a broker on this port lists itself as alive, in the named cluster if one is named."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
            brokers, found = _metadata(connection)
    except (OSError, struct.error):
        return False
    return brokers > 0 and cluster in (None, found)


def cluster_id(home: Path) -> str | None:
    """The id that formatting gave to this home's Kafka; None before that."""
    try:
        lines = (home / "kafka" / "data" / "meta.properties").read_text().splitlines()
    except OSError:
        return None
    return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)


def _metadata(connection: socket.socket) -> tuple[int, str]:
    """Number of live brokers and the cluster's id, by Metadata version 5 for no topic. Layout from the Kafka protocol
    guide: request header v1 (api key 3, version, correlation id, client id), an empty topic array, no auto-creation."""
    client = b"haihe-up"
    request = struct.pack(">hhih", 3, 5, 1, len(client)) + client + struct.pack(">ib", 0, 0)
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _receive(connection, 4))
    answer = _receive(connection, size)
    (brokers,) = struct.unpack_from(">i", answer, 8)  # after the correlation id and the throttle time
    at = 12
    for _ in range(brokers):  # node id, host, port, rack
        _host, at = _string(answer, at + 4)
        _rack, at = _string(answer, at + 4)
    return brokers, _string(answer, at)[0]


def _string(data: bytes, at: int) -> tuple[str, int]:
    """A nullable string (int16 length, -1 for null) and the position after it."""
    (length,) = struct.unpack_from(">h", data, at)
    end = at + 2 + max(length, 0)
    return data[at + 2 : end].decode(), end


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def _format(data: Path, config: Path, classpath: str) -> None:
    # A directory without meta.properties was never finished formatting, and holds nothing.
    shutil.rmtree(data, ignore_errors=True)
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    if cluster.startswith("-"):  # Kafka's own generator avoids it too: it would look like an option
        cluster = "h" + cluster[1:]
    argv = [java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", *_LOGGING, "-cp", classpath]
    argv += ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config)]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, **JAVA_ENV}, check=False
    )
    if done.returncode:
        output = (done.stdout + done.stderr).strip()
        if "UnsupportedClassVersionError" in output:
            raise SystemFailure("this `java` is too old for Kafka 4: install Java 17 or later")
        raise SystemFailure(f"Kafka's data directory could not be formatted: {output[-400:]}")
