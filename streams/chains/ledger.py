"""What happened to each record in the open transaction: the counts that `bus.audit` and the metrics are made of.

For each flow: read = delivered + filtered + rejected. The counts become true with the commit and are dropped with an
abort, so the sum over `bus.audit` holds over any window, whatever was killed.
"""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from streams.errors import Rejection
from streams.observe.metrics import METRICS


class FlowCount:
    """One flow in one transaction. `fired` are timer calls: they have no input record and are not in `read`."""

    def __init__(self) -> None:
        self.read = self.delivered = self.fired = 0
        self.filtered: Counter[str] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.notes: Counter[str] = Counter()

    def reject(self, rejection: Rejection) -> None:
        self.rejected[rejection.step, rejection.reason] += 1


class ViewCount:
    """One view in one transaction."""

    def __init__(self) -> None:
        self.delivered = 0
        self.withheld: Counter[str] = Counter()


class Ledger:
    """The counts of one worker slot."""

    def __init__(self, chain: str, slot: int):
        self.chain, self.slot = chain, slot
        self.reset()

    def reset(self) -> None:
        self.flows: dict[str, FlowCount] = {}
        self.views: dict[str, ViewCount] = {}
        self.written: list[int] = []
        """Timestamps (ms) of the records that had an output."""

    def flow(self, name: str) -> FlowCount:
        count = self.flows.get(name)
        if count is None:
            count = self.flows[name] = FlowCount()
        return count

    def view(self, name: str) -> ViewCount:
        count = self.views.get(name)
        if count is None:
            count = self.views[name] = ViewCount()
        return count

    def record(self, read: Mapping[tuple[str, int], tuple[int, int]], policy_version: int) -> dict[str, Any]:
        """The `bus.audit` event of the transaction about to commit."""
        return {
            "chain": self.chain,
            "slot": str(self.slot),
            "committed_at": int(time.time() * 1000),
            "policy_version": policy_version,
            "offsets": [
                {"topic": topic, "partition": partition, "from": first, "until": until}
                for (topic, partition), (first, until) in read.items()
            ],
            "flows": [
                {
                    "flow": name,
                    "read": c.read,
                    "delivered": c.delivered,
                    "filtered": dict(c.filtered),
                    "rejected": _by_reason(c.rejected),
                    "fired": c.fired,
                }
                for name, c in self.flows.items()
            ],
            "views": [
                {"view": name, "delivered": c.delivered, "withheld": dict(c.withheld)} for name, c in self.views.items()
            ],
        }

    def committed(self) -> None:
        """The transaction holds: count it in the metrics and begin anew."""
        chain, records = self.chain, METRICS.records
        for name, c in self.flows.items():
            if c.delivered:
                records.labels(chain, name, "deliver", "delivered").inc(c.delivered)
            for _, n in c.filtered.items():
                records.labels(chain, name, "route", "filtered").inc(n)
            for (step, _), n in c.rejected.items():
                records.labels(chain, name, step, "rejected").inc(n)
            for note, n in c.notes.items():
                METRICS.flow_notes.labels(name, note).inc(n)
        for name, view in self.views.items():
            METRICS.view_records.labels(name, "delivered").inc(view.delivered)
            METRICS.view_records.labels(name, "withheld").inc(sum(view.withheld.values()))
        now, observe = time.time() * 1000, METRICS.delivery_latency.labels(chain).observe
        for written in self.written:
            observe((now - written) / 1000)
        METRICS.transactions.labels(chain, "committed").inc()
        self.reset()

    def aborted(self) -> None:
        METRICS.transactions.labels(self.chain, "aborted").inc()
        self.reset()


def _by_reason(rejected: Counter[tuple[str, str]]) -> dict[str, int]:
    reasons: Counter[str] = Counter()
    for (_, reason), n in rejected.items():
        reasons[reason] += n
    return dict(reasons)
