"""`haihe alert`: what became of one alert: who was told, when and why, and what they answered."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from streams import settings
from streams.errors import UserError

if TYPE_CHECKING:
    from streams.cli.tail import Decoder
    from streams.engine.record import Record

ALERT, RECEIPT = "grid.alert.changed", "grid.alert.receipted"
FINAL = ("RETRACTED", "CLOSED")
EVENT_FIELDS = ("occurred_at", "state", "cause", "addressee", "addressee_level", "due_at", "event_id")
RECEIPT_FIELDS = ("occurred_at", "kind", "addressee", "outcome", "event_id")
ANSWERS = ("received", "seen", "acted", "relieved")
ABOUT = ("alert_id", "colour", "person_id", "person_name", "phone", "address", "cell", "division", "opened_at")


@click.group(
    epilog="""\b
Examples:
  haihe alert show 6f0c3a52-5d0e-5d5c-9a3e-0d8a7c1b2e4f
"""
)
def command() -> None:
    """What became of an alert."""


@command.command(
    epilog="""\b
Examples:
  haihe alert show 6f0c3a52-5d0e-5d5c-9a3e-0d8a7c1b2e4f
  haihe alert show 6f0c3a52-5d0e-5d5c-9a3e-0d8a7c1b2e4f --json | jq '.told[].seen_at'
""",
)
@click.argument("alert_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; times in milliseconds.")
@click.option("--clear", is_flag=True, help="Show personal and sensitive fields as they are.")
def show(alert_id: str, as_json: bool, clear: bool) -> None:
    """Say who was told of the alert ALERT_ID, when, by which step, and what they answered.

    Read from the bus as of now: from the alert's events and receipts, which are kept for 30 days.
    """
    try:
        alert_id = str(uuid.UUID(alert_id))
    except ValueError:
        raise UserError(f"{alert_id!r} is no alert id: it is a UUID, see `haihe tail {ALERT}`") from None
    events, receipts = _read(alert_id, clear)
    if not events and not receipts:
        raise UserError(f"there is no alert {alert_id}: neither an event nor a receipt names it")
    told = story(alert_id, events, receipts)
    click.echo(msgspec.json.encode(told) if as_json else "\n".join(lines(told)))


def story(alert_id: str, events: Iterable[Mapping[str, Any]], receipts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The alert as one value. `events` and `receipts` as decoded, in the order of their topics.

    What holds now is what its last event says, until it ends: by CLOSED if it was closed, whatever came before or after
    that, otherwise by the first final event. An alert of which only receipts are known has the state `UNKNOWN`.
    """
    events = sorted(events, key=lambda event: event["occurred_at"])
    ends = [event for event in events if event["state"] in FINAL]
    closed = [event for event in ends if event["state"] == "CLOSED"]
    now = next(iter([*closed, *ends, *events[-1:]]), {})
    told: list[Any] = next((event["told"] for event in reversed(events) if event["told"]), [])
    about = events[0] if events else {"alert_id": alert_id}
    return {
        **{name: about.get(name) for name in ABOUT},
        **{name: now.get(name) for name in ("addressee", "addressee_level", "due_at")},
        "state": now.get("state", "UNKNOWN"),
        "cause": now.get("cause"),
        "told": told,
        "events": [{name: event[name] for name in EVENT_FIELDS} for event in events],
        "receipts": [{name: receipt[name] for name in RECEIPT_FIELDS} for receipt in receipts],
    }


def _read(alert_id: str, clear: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The alert's events and receipts, personal fields masked unless `clear`: from the one partition of its key."""
    from streams.cli.tail import POLICY, Decoder, Masker
    from streams.contract.contracts import load_contracts
    from streams.contract.division import Divisions
    from streams.contract.released import Released
    from streams.engine.admin import Admin
    from streams.engine.partitioner import partition_of
    from streams.engine.reader import Reader
    from streams.engine.record import BEGINNING
    from streams.engine.table import Follower

    found = settings.load()
    contracts = load_contracts(found.schemas)
    released = Released(contracts, Divisions.load(found.deploy / "divisions.csv"))
    decoder = Decoder(released, contracts, Masker(clear))
    key = alert_id.encode()
    partition = partition_of(key, len(Admin(found.bootstrap_servers).partitions([ALERT])))
    start = {(topic, partition): BEGINNING for topic in (ALERT, RECEIPT)}
    console = Console(stderr=True)
    with (
        Follower(
            found.bootstrap_servers, POLICY, lambda record: released.apply((record.key or b"").decode(), record.value)
        ),
        Reader(found.bootstrap_servers, [ALERT, RECEIPT], start, client_id="haihe-alert") as reader,
        console.status(f"reading {ALERT} and {RECEIPT}"),
    ):
        kept = [record for record in reader.read_to_end() if record.key == key]
        return _decoded(decoder, kept, ALERT), _decoded(decoder, kept, RECEIPT)


def _decoded(decoder: "Decoder", records: Iterable["Record"], topic: str) -> list[dict[str, Any]]:
    shown = (decoder.show(record) for record in records if record.topic == topic)
    return [record["value"] for record in shown if record.get("value")]


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The story for people, narrow enough for any terminal."""
    if told["state"] == "UNKNOWN":
        yield f"alert {told['alert_id']}: the bus knows only receipts for it"
    else:
        yield f"alert {told['alert_id']}: {_word(told['state'])} ({_word(told['cause'])}), {_word(told['colour'])}"
        whom = [str(told[name]) for name in ("person_id", "person_name", "phone", "address") if told[name]]
        yield f"about {', '.join(whom)}, in {told['cell'] or told['division']}"
        if told["due_at"] and told["state"] not in FINAL:
            yield f"{told['addressee']} must answer by {_time(told['due_at'])}"
    if told["told"]:
        yield "\nwho was told"
    for entry in told["told"]:
        yield f"  {_time(entry['told_at'])}  {entry['addressee']}, {_word(entry['level'])} ({_word(entry['cause'])})"
        answers = [f"{word} {_time(entry[f'{word}_at'])}" for word in ANSWERS if entry[f"{word}_at"]]
        outcome = f": {_word(entry['outcome'])}" if entry["outcome"] else ""
        yield f"                  {', '.join(answers) or 'no answer'}{outcome}"
    if told["events"]:
        yield "\nwhat happened"
    for event in told["events"]:
        why = f"{_word(event['state'])} ({_word(event['cause'])})"
        yield f"  {_time(event['occurred_at'])}  {why}, {event['addressee']}"
    if told["receipts"]:
        yield "\nreceipts"
    for receipt in told["receipts"]:
        outcome = f": {_word(receipt['outcome'])}" if receipt["outcome"] else ""
        yield f"  {_time(receipt['occurred_at'])}  {receipt['addressee']} {_word(receipt['kind'])}{outcome}"


def _word(symbol: str | None) -> str:
    return (symbol or "").lower().replace("_", " ")


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%m-%d %H:%M:%S")
