"""What a process answers to Prometheus and to its supervisor."""

import urllib.error
import urllib.request

from streams.observe.health import Health, HealthServer
from streams.observe.metrics import Metrics


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_process_is_alive_before_it_is_ready() -> None:
    health = Health(Metrics(process=False))
    assert health.respond("/healthz").status == 200
    assert health.respond("/readyz").status == 503


def test_readiness_names_what_is_missing_and_can_be_lost_again() -> None:
    health = Health(Metrics(process=False))
    health.ready("restoring state")
    assert health.respond("/readyz")[::2] == (503, b"restoring state\n")
    health.ready()
    assert health.respond("/readyz").status == 200
    health.ready("the broker is away")
    assert health.reason == "the broker is away"
    assert health.respond("/readyz").status == 503


def test_another_path_is_not_found() -> None:
    assert Health(Metrics(process=False)).respond("/").status == 404


def test_the_server_serves_the_metrics_of_its_registry() -> None:
    metrics = Metrics()
    metrics.open_alerts.set(7)
    with HealthServer(metrics=metrics) as server:
        server.ready()
        status, body = get(server.port, "/metrics")
        assert status == 200
        assert "haihe_open_alerts 7.0" in body
        assert "process_cpu_seconds_total" in body
        assert get(server.port, "/readyz") == (200, "ready\n")
        assert get(server.port, "/nothing")[0] == 404


def test_openmetrics_is_served_to_who_asks_for_it() -> None:
    response = Health(Metrics(process=False)).respond("/metrics", "application/openmetrics-text; version=1.0.0")
    assert response.content_type.startswith("application/openmetrics-text")
    assert response.body.endswith(b"# EOF\n")


def test_two_processes_get_two_ports() -> None:
    with HealthServer() as one, HealthServer() as other:
        assert one.port != other.port
