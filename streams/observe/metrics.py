"""Everything that is measured, in one place: the names that dashboards, alerts and the demo's report rely on.

Labels are fixed words and numbers of the layout (chain, flow, step, view, topic, partition), never a value of a record:
each distinct label value is a time series, and a person's id would be one that Prometheus keeps.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

STEP_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds of one step over one batch: from a few records to thousands."""

LATENCY_BUCKETS = (
    *(0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25),
    *(0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
"""Seconds from publishing to delivery: fine around 50 and 250 ms, where the goals are, then up to the minute that an
outage may cost."""


class Metrics:
    """The metric objects of one process, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None, *, process: bool = True) -> None:
        """`process` adds CPU, memory, open files and garbage collection of this process (Linux)."""
        # A second series for every counter, that nothing here asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # unannotated in prometheus_client
        r = self.registry = registry if registry is not None else CollectorRegistry()
        if process:
            ProcessCollector(registry=r)
            PlatformCollector(registry=r)
            GCCollector(registry=r)
        self.records = Counter(
            "haihe_records",
            "Records that a flow read, delivered, filtered or rejected, by the step that decided",
            ("chain", "flow", "step", "outcome"),
            registry=r,
        )
        self.view_records = Counter(
            "haihe_view_records", "Events that a view delivered or withheld", ("view", "outcome"), registry=r
        )
        self.flow_notes = Counter(
            "haihe_flow_notes",
            "What a flow had to do instead (no-residence, to-street ...)",
            ("flow", "note"),
            registry=r,
        )
        self.step_seconds = Histogram(
            "haihe_step_seconds", "Time of one step over one batch", ("chain", "step"), buckets=STEP_BUCKETS, registry=r
        )
        self.delivery_latency = Histogram(
            "haihe_delivery_latency_seconds",
            "From the record's timestamp (publishing) to the commit of what the chain made of it",
            ("chain",),
            buckets=LATENCY_BUCKETS,
            registry=r,
        )
        self.transactions = Counter(
            "haihe_transactions", "Transactions by how they ended", ("chain", "outcome"), registry=r
        )
        self.consumer_lag = Gauge(
            "haihe_consumer_lag",
            "Offsets between the chain's position and the end of the partition",
            ("chain", "topic", "partition"),
            registry=r,
        )
        self.open_alerts = Gauge("haihe_open_alerts", "Alerts raised and neither retracted nor closed", registry=r)
        self.connected_grid_workers = Gauge(
            "haihe_connected_grid_workers", "Connections that wait for alerts", registry=r
        )
        self.sse_events = Counter("haihe_sse_events", "Alerts written to connections", registry=r)
        self.receipts = Counter(
            "haihe_receipts",
            "Receipts by kind (unknown: it could not be read) and HTTP status (gone: the client did not wait for it)",
            ("kind", "status"),
            registry=r,
        )
        self.sse_latency = Histogram(
            "haihe_sse_latency_seconds",
            "From the record's timestamp (publishing) to the write to a grid worker's connection",
            buckets=LATENCY_BUCKETS,
            registry=r,
        )


METRICS = Metrics()
"""The metrics of this process. Code that is tested takes a Metrics as a parameter, with this as its default."""
