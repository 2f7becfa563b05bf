"""The dead-letter budget: after intake a flood of refusals means that the fault is ours, so the chain stops.

Before intake nothing ever stops: what a publisher sends wrong is its own affair.
"""

from streams.errors import SystemFailure

WINDOW = 10_000
"""Records of one flow over which the share is taken."""
SHARE = 0.01
IN_A_ROW = 1_000


class Budget:
    """One flow's refusals; those of an aborted transaction never happened."""

    def __init__(self, flow: str):
        self._flow = flow
        self._seen = self._refused = self._row = 0
        self.commit()

    def commit(self) -> None:
        self._committed = (self._seen, self._refused, self._row)

    def rollback(self) -> None:
        self._seen, self._refused, self._row = self._committed

    def accepted(self) -> None:
        """Raises SystemFailure when that ends a window in which too many were refused."""
        self._row = 0
        self._seen += 1
        self._end_window()

    def refused(self) -> None:
        """Raises SystemFailure when the budget is spent."""
        self._seen += 1
        self._refused += 1
        self._row += 1
        if self._row >= IN_A_ROW:
            self._stop()
        self._end_window()

    def _end_window(self) -> None:
        if self._seen >= WINDOW:
            if self._refused > SHARE * WINDOW:
                self._stop()
            self._seen = self._refused = 0

    def _stop(self) -> None:
        raise SystemFailure(
            f"flow {self._flow} refused {self._refused} of its last {self._seen} records "
            f"({self._row} in a row): the fault is the bus's, so the chain stops before it refuses more"
        )
