"""Names and labels are a contract with dashboards and alerts: changing one must be a decision."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.observe.metrics import Metrics

EXPECTED = {
    "haihe_records": {"chain", "flow", "step", "outcome"},
    "haihe_view_records": {"view", "outcome"},
    "haihe_flow_notes": {"flow", "note"},
    "haihe_step_seconds": {"chain", "step"},
    "haihe_delivery_latency_seconds": {"chain"},
    "haihe_transactions": {"chain", "outcome"},
    "haihe_consumer_lag": {"chain", "topic", "partition"},
    "haihe_open_alerts": set(),
    "haihe_connected_grid_workers": set(),
    "haihe_receipts": {"kind", "status"},
    "haihe_sse_events": set(),
    "haihe_sse_latency_seconds": set(),
}


def filled() -> Metrics:
    metrics = Metrics(process=False)
    metrics.records.labels("person", "health-code", "deliver", "delivered").inc()
    metrics.view_records.labels("to.jinzhitong.grid.alert.changed", "delivered").inc()
    metrics.flow_notes.labels("grid-alert", "no-residence").inc()
    metrics.step_seconds.labels("person", "decode").observe(0.01)
    metrics.delivery_latency.labels("person").observe(0.04)
    metrics.transactions.labels("person", "committed").inc()
    metrics.consumer_lag.labels("person", "health.test.result", "3").set(2)
    metrics.receipts.labels("SEEN", "202").inc()
    return metrics


def test_every_metric_has_the_name_and_labels_that_dashboards_use() -> None:
    text = generate_latest(filled().registry).decode()
    found = {
        family.name: {label for sample in family.samples for label in sample.labels} - {"le"}
        for family in text_string_to_metric_families(text)
    }
    assert found == EXPECTED


def test_counters_carry_the_total_suffix() -> None:
    text = generate_latest(filled().registry).decode()
    assert 'haihe_records_total{chain="person",flow="health-code",outcome="delivered",step="deliver"} 1.0' in text


def test_two_processes_metrics_are_apart() -> None:
    one, other = Metrics(process=False), Metrics(process=False)
    one.sse_events.inc()
    assert other.registry.get_sample_value("haihe_sse_events_total") == 0.0
