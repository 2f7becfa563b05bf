"""The local schema registry: Apicurio, storing in the local Kafka, so that ids that records carry survive a restart."""

import http.client
from pathlib import Path

from streams.errors import SystemFailure
from streams.local.jars import JAVA_ENV, java
from streams.local.process import Child, spawn

API = "/apis/ccompat/v7"
"""The Confluent-compatible API: what any serializer of the Confluent family speaks."""

# It serves a few requests at start-up: quick to start and small counts, peak speed does not.
JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def start(home: Path, jars: Path, port: int, bootstrap_servers: str, *, detach: bool) -> Child:
    """Starts the registry on 127.0.0.1:`port`. Kafka may still be starting; the registry waits for it."""
    runner = next((jars / "registry").glob("*-runner.jar"), None)
    if runner is None:
        raise SystemFailure(f"{jars} holds no registry: delete that directory, it will be fetched again")
    env = {
        **JAVA_ENV,
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_HTTP_PORT": str(port),
        "QUARKUS_LOG_LEVEL": "WARN",
        "QUARKUS_LOG_CONSOLE_COLOR": "false",
        "APICURIO_STORAGE_KIND": "kafkasql",
        "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": bootstrap_servers,
        # At start it waits this long (ms) for a snapshot; nobody makes any, the journal is replayed whole.
        "APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT": "500",
    }
    return spawn([java(), *JVM, "-jar", str(runner)], home / "logs" / "registry.log", port, env=env, detach=detach)


def ready(port: int, timeout: float = 1.0) -> bool:
    """Whether the registry answers a real request for its subjects."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", f"{API}/subjects")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
