"""The report that must balance: what was published against what came out, line by line, and the same as JSON.

The run is good when every line holds.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from rich.table import Table
from rich.text import Text

from streams.demo.duty_lines import duty_lines
from streams.demo.ledger import ALERT_VIEW, CHANGE_VIEW, Ledger
from streams.demo.line import Line, words

_INTAKE, _CODE, _ALERT, _DUTY = "intake", "health-code", "grid-alert", "alert-duty"


K = TypeVar("K")


class Report(NamedTuple):
    """The outcome of one run. `data` is what demo-report.json holds."""

    lines: tuple[Line, ...]
    data: dict[str, Any]

    @property
    def balanced(self) -> bool:
        return all(line.holds for line in self.lines)

    def write(self, path: Path) -> None:
        """Write the JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self.data)) + b"\n")

    def table(self) -> Table:
        """For people."""
        table = Table(title="The books of this run", title_justify="left", expand=False)
        table.add_column("what must be equal")
        table.add_column("one side", justify="right")
        table.add_column("other side", justify="right")
        table.add_column("")
        table.add_column("of which", style="dim", overflow="fold")
        for line in self.lines:
            mark = Text("ok", "green") if line.holds else Text("WRONG", "bold red")
            table.add_row(line.name, f"{line.left:,}", f"{line.right:,}", mark, line.detail)
        return table

    def latency(self) -> str:
        """The one line about time."""
        d = self.data
        if d["p50_ms"] is None:
            return "publish -> grid worker: nothing to measure"
        return (
            f"publish -> grid worker, in the steady part: p50 {d['p50_ms']:.0f} ms, p99 {d['p99_ms']:.0f} ms, "
            f"max {d['max_ms']:.0f} ms"
        )


def make(ledger: Ledger, kills: int) -> Report:
    """Draw up the books."""
    oracle, intake = ledger.oracle, ledger.flow(_INTAKE)
    ledger.duties.raced = ledger.receipts.late()
    accepted, rejected = ledger.accepted(), intake.rejected.total()
    changes = _compare(oracle.changes, ledger.changes)
    alerts = _compare(ledger.expected_alerts(), ledger.known_alerts())
    duplicates = ledger.repeated_changes + ledger.repeated_alerts + ledger.repeated_written()
    foreign = len(ledger.foreign_changes)
    late = f"{foreign} of people of an earlier run, broken off or just expired" if foreign else ""
    verdict = ledger.duties.verdict()
    lines = [
        Line("published = accepted + rejected", ledger.published, accepted + rejected),
        Line("accepted, expected = by intake", oracle.accepted, accepted),
        Line("rejected, spoilt = by intake", oracle.rejected.total(), rejected, words(intake.rejected)),
        *(_dead_letters(ledger)),
        *(_flow(name, ledger) for name in sorted({_INTAKE, _CODE, _ALERT, _DUTY, *ledger.flows})),
        Line("accepted = read by health-code", accepted, ledger.flow(_CODE).read),
        Line("colour changes = read by grid-alert", len(ledger.changes) + foreign, ledger.flow(_ALERT).read, late),
        Line("colour changes, expected = seen", len(oracle.changes), len(ledger.changes), _by_cause(ledger)),
        Line("colour changes, expected and not seen so", changes.missing, 0),
        Line("colour changes, seen and not expected so", changes.unexpected, 0),
        *_alert_lines(ledger),
        Line("alerts, expected and not received so", alerts.missing, 0),
        Line("alerts, received and not expected so", alerts.unexpected, 0),
        *duty_lines(ledger, verdict),
        Line("colour changes = in the citizens' view", len(ledger.changes) + foreign,
             ledger.view(CHANGE_VIEW, "person")),
        Line("alerts and their steps = in the grid workers' view", ledger.written.total(),
             ledger.view(ALERT_VIEW, "person") + ledger.view(ALERT_VIEW, "alert"), _own(ledger)),
        Line("received or seen twice", duplicates, 0),
        Line("phones that could not resume and began afresh", ledger.resets, 0),
    ]  # fmt: skip
    p50, p99, longest = percentiles(ledger.latencies)
    seen_s, acted_s = ledger.duties.medians()
    data = {
        "published": ledger.published,
        "accepted": accepted,
        "rejected": rejected,
        "receipts": len(ledger.receipts.acknowledged),
        "flows": {name: flow.data() for name, flow in sorted(ledger.flows.items())},
        "views": {name: view.data() for name, view in ledger.view_totals().items()},
        "changes_expected": len(oracle.changes),
        "changes": len(ledger.changes),
        "alerts_expected": len(oracle.alerts),
        "alerts_received": len(ledger.known_alerts()),
        "escalated_expected": verdict.escalated_expected,
        "escalated": verdict.escalated,
        "closed_expected": verdict.closed_expected,
        "closed": verdict.closed,
        "raced": verdict.raced,
        "missing": changes.missing + alerts.missing + len(verdict.escalated_missing),
        "duplicates": duplicates,
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": longest,
        "seen_median_s": seen_s,
        "acted_median_s": acted_s,
        "kills": kills,
    }
    return Report(tuple(lines), data)


class _Compared(NamedTuple):
    missing: int
    unexpected: int


def _compare(expected: Mapping[K, Any], seen: Mapping[K, Any]) -> _Compared:
    """Entry by entry, by id and content: one that came with another content is both missing and unexpected."""
    missing = sum(seen.get(id_) != entry for id_, entry in expected.items())
    unexpected = sum(expected.get(id_) != entry for id_, entry in seen.items())
    return _Compared(missing, unexpected)


def _flow(name: str, ledger: Ledger) -> Line:
    flow = ledger.flow(name)
    filtered, rejected = flow.filtered.total(), flow.rejected.total()
    detail = f"delivered {flow.delivered:,}"
    if filtered:
        detail += f", filtered {words(flow.filtered)}"
    if rejected:
        detail += f", rejected {rejected:,}"
    if flow.fired:
        detail += f"; timers fired {flow.fired:,}"
    return Line(
        f"{name}: read = delivered + filtered + rejected", flow.read, flow.delivered + filtered + rejected, detail
    )


def _dead_letters(ledger: Ledger) -> list[Line]:
    expected, found = ledger.oracle.rejected, ledger.dead
    agreeing = sum(min(expected[kind], found[kind]) for kind in expected)
    detail = ", ".join(f"{kind} {found[kind]}/{expected[kind]}" for kind in sorted(expected))
    return [
        Line("spoilt inputs = dead letters that say why and whence", expected.total(), agreeing, detail),
        Line("dead letters that nobody expected", found.total() - agreeing + ledger.dead_unexpected.total(), 0,
             words(ledger.dead_unexpected)),
    ]  # fmt: skip


def _alert_lines(ledger: Ledger) -> list[Line]:
    """Alerts by state, each with its colours and the addressees' levels."""
    expected = Counter(alert.state for alert in ledger.oracle.alerts.values())
    received = Counter(alert.state for alert in ledger.known_alerts().values())
    lines = []
    for state in sorted(expected.keys() | received.keys()):
        told = [a for a in ledger.known_alerts().values() if a.state == state]
        colours = Counter(alert.colour.lower() for alert in told)
        levels = Counter(_DOORS.get(len(alert.addressee), "?") for alert in told)
        lines.append(
            Line(f"alerts {state}, expected = received", expected[state], received[state],
                 f"{words(colours)}; to {words(levels)}")
        )  # fmt: skip
    return lines


_DOORS = {9: "grid workers", 14: "street desks", 11: "district desks", 7: "the city's desk"}
"""By the length of an addressee's id: gw-000001, desk-120101001, desk-120101, desk-12."""


def _by_cause(ledger: Ledger) -> str:
    return words(Counter(change.cause.lower() for change in ledger.changes.values()))


def _own(ledger: Ledger) -> str:
    raised = ledger.written.total() - ledger.steps_written
    return f"raised and retracted {raised:,}, steps after that {ledger.steps_written:,}"


def percentiles(latencies: list[float]) -> tuple[float | None, float | None, float | None]:
    """p50, p99 and the longest, in ms; None without any. The nearest-rank percentiles: values that occurred."""
    if not latencies:
        return None, None, None
    ranked = sorted(latencies)
    p50, p99 = (ranked[min(len(ranked) - 1, int(len(ranked) * part))] for part in (0.5, 0.99))
    return round(p50, 1), round(p99, 1), round(ranked[-1], 1)
