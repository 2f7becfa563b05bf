"""What one sees while the outbreak plays: a table that renews itself on a terminal, a plain line a second elsewhere."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table

from streams.demo.ledger import Ledger
from streams.demo.report import percentiles

_TERMINAL_S, _PLAIN_S = 0.25, 1.0


class View:
    """Reads the ledger now and then; changes nothing. `phase` says what is going on, `kills` and `phones` how many."""

    def __init__(
        self,
        console: Console,
        ledger: Ledger,
        phase: Callable[[], str],
        kills: Callable[[], int],
        phones: Callable[[], int],
    ) -> None:
        self._console, self._ledger = console, ledger
        self._phase, self._kills, self._phones = phase, kills, phones
        self._began = time.monotonic()
        self._before = (self._began, 0)
        self._rate = 0.0

    async def show(self) -> None:
        """Until cancelled."""
        if not self._console.is_terminal:
            while True:
                await asyncio.sleep(_PLAIN_S)
                self._console.print(self._plain(), soft_wrap=True, highlight=False)
        with Live(self._table(), console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                await asyncio.sleep(_TERMINAL_S)
                live.update(self._table(), refresh=True)

    def _numbers(self) -> dict[str, str]:
        ledger = self._ledger
        now, published = time.monotonic(), ledger.published
        then, before = self._before
        if now - then >= 1:
            self._rate = (published - before) / (now - then)
            self._before = (now, published)
        recent = ledger.recent[-2_000:]
        p50, p99, _ = percentiles(recent)
        colours = Counter(change.colour for change in ledger.changes.values())
        states = Counter(alert.state for alert in ledger.alerts.values())
        escalated, closed = sum(1 for _ in ledger.duties.steps()), sum(1 for _ in ledger.duties.ends())
        return {
            "events in": f"{published:,} ({self._rate:,.0f}/s)",
            "colours changed": f"{len(ledger.changes):,} (red {colours['RED']:,}, orange {colours['ORANGE']:,}, "
            f"green {colours['GREEN']:,})",
            "alerts pushed": f"{len(ledger.alerts):,} (raised {states['RAISED']:,}, retracted {states['RETRACTED']:,})",
            "duty": f"open {len(ledger.open):,}, escalated {escalated:,}, closed {closed:,}",
            "latency": f"p50 {p50:.0f} ms, p99 {p99:.0f} ms" if p50 is not None and p99 is not None else "-",
            "lag": f"{ledger.lag():,}",
            "phones": f"{self._phones():,}",
            "kills": f"{self._kills()}",
        }

    def _table(self) -> Table:
        table = Table(
            title=f"{time.monotonic() - self._began:4.0f} s  {self._phase()}",
            title_justify="left",
            min_width=72,
            show_header=False,
        )
        table.add_column("", style="bold")
        table.add_column("now", justify="left")
        for name, text in self._numbers().items():
            table.add_row(name, text)
        return table

    def _plain(self) -> str:
        numbers = "  ".join(f"{name}: {text}" for name, text in self._numbers().items())
        return f"{time.monotonic() - self._began:4.0f} s  {self._phase()}  {numbers}"
