"""Counts summed from the audit: of one flow, of one view."""

from collections import Counter
from collections.abc import Mapping
from typing import Any


class FlowTotal:
    """One flow."""

    def __init__(self) -> None:
        self.read = self.delivered = self.fired = 0
        self.filtered: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    def add(self, count: Mapping[str, Any]) -> None:
        self.read += count["read"]
        self.delivered += count["delivered"]
        self.fired += count["fired"]
        self.filtered.update(count["filtered"])
        self.rejected.update(count["rejected"])

    def data(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "read": self.read,
            "delivered": self.delivered,
            "filtered": dict(sorted(self.filtered.items())),
            "rejected": dict(sorted(self.rejected.items())),
            "fired": self.fired,
        }


class ViewTotal:
    """One view."""

    def __init__(self) -> None:
        self.delivered = 0
        self.withheld: Counter[str] = Counter()

    def add(self, count: Mapping[str, Any]) -> None:
        self.delivered += count["delivered"]
        self.withheld.update(count["withheld"])

    def data(self) -> dict[str, Any]:
        """For the JSON."""
        return {"delivered": self.delivered, "withheld": dict(sorted(self.withheld.items()))}
