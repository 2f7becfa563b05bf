"""The part of the books about what people did: receipts, steps up, ends, and who learnt of them."""

from collections import Counter

from streams.demo.duties import Verdict
from streams.demo.ledger import Ledger
from streams.demo.line import Line, some, words


def duty_lines(ledger: Ledger, verdict: Verdict) -> list[Line]:
    """What must be equal."""
    duties, steps = ledger.duties, list(ledger.duties.steps())
    levels = Counter(step.rung.level.lower() for step in steps)
    causes = Counter(step.cause.lower().replace("_", " ") for step in steps)
    climbed = "; ".join(part for part in (f"to {words(levels)}", words(causes)) if steps)
    if verdict.raced:
        climbed += f"; {verdict.raced} seen too late to say what had to come"
    receipts = ledger.receipts
    again = receipts.written.total() - len(receipts.written)
    missing, wrong = duties.misdelivered()
    return [
        Line("receipts, acknowledged = through intake", len(receipts.acknowledged), len(receipts.written),
             f"{again} came twice" if again else ""),
        Line("receipts that the gateway refused", receipts.refused.total(), 0, words(receipts.refused)),
        Line("alerts, steps and receipts = read by alert-duty", ledger.written.total() + receipts.written.total(),
             ledger.flow("alert-duty").read),
        Line("alerts SEEN, expected = received", verdict.seen_expected, verdict.seen),
        Line("alerts ESCALATED, expected = received", verdict.escalated_expected, verdict.escalated, climbed),
        Line("escalations, expected and not received so", len(verdict.escalated_missing), 0,
             some(verdict.escalated_missing)),
        Line("escalations, received and not expected so", len(verdict.escalated_unexpected), 0,
             some(verdict.escalated_unexpected)),
        Line("alerts CLOSED, expected = received", verdict.closed_expected, verdict.closed, _ends(ledger)),
        Line("alerts closed twice, or not as expected", verdict.closed_wrongly, 0),
        Line("steps that somebody who was told did not receive", len(missing), 0,
             some(missing) or f"received {duties.deliveries():,}"),
        Line("steps that reached somebody who was not told", len(wrong), 0, some(wrong)),
    ]  # fmt: skip


def _ends(ledger: Ledger) -> str:
    ends = words(Counter(cause.lower() for cause in ledger.duties.ends()))
    seen_s, acted_s = ledger.duties.medians()
    took = f"; median until seen {seen_s} s, until acted on {acted_s} s" if seen_s is not None else ""
    return f"{ends}{took}; open {len(ledger.open):,}"
