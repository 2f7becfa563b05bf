"""`haihe tail`: a topic's events as a person reads them, without showing anybody's name, id or phone by accident.

What is shown in clear is decided by the contract's sensitivity tags, and nothing is shown that no contract vouches for:
an unreadable value, a changelog's bytes or a field without a tag are hidden as well, unless `--clear`.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import click
import msgspec

from streams import settings
from streams.errors import Rejection, UserError

if TYPE_CHECKING:
    from streams.contract.contracts import Contract
    from streams.contract.released import Released
    from streams.contract.version import Version
    from streams.engine.record import Record

POLICY = "bus.policy"
TIMESTAMP = "timestamp-millis"
_OPEN = ("none", "internal")
"""Sensitivities shown in clear; `personal`, `sensitive`, and whatever is unknown are not."""


class Masker:
    """Replaces a value by a mark that is the same for the same value within one run only: two events of one person can
    be told to be so, and the mark says nothing to anybody else (the key is random and never stored)."""

    def __init__(self, clear: bool) -> None:
        self.clear = clear
        self._key = secrets.token_bytes(32)

    def hide(self, value: Any) -> Any:
        """The mark for a value, None for None."""
        if self.clear or value is None:
            return value
        digest = hmac.new(self._key, repr(value).encode(), hashlib.sha256).hexdigest()
        return f"<masked {digest[:6]}>"

    def key(self, key: bytes | None, open_: bool) -> Any:
        """A record's key as text, masked unless its contract says that it is open."""
        if key is None:
            return None
        text = key.decode("utf-8", "backslashreplace")
        return text if open_ else self.hide(text)

    def event(self, event: Mapping[str, Any], contract: "Contract | None") -> dict[str, Any]:
        """The event with every field hidden that the contract does not call none or internal."""
        tags: Mapping[str, str] = contract.sensitivity if contract else {}
        return {name: value if tags.get(name) in _OPEN else self.hide(value) for name, value in event.items()}


class Decoder:
    """Turns records into what is printed: a mapping with `value` (decoded and masked) or `unreadable` (why not)."""

    def __init__(self, released: "Released", contracts: Mapping[str, "Contract"], masker: Masker) -> None:
        self._released, self._contracts, self._masker = released, contracts, masker

    def show(self, record: "Record") -> dict[str, Any]:
        """One record. Never raises because of its bytes."""
        of = event_type(record.topic)
        contract = self._contracts.get(of)
        key_open = of == POLICY or (contract is not None and contract.sensitivity.get(contract.key) in _OPEN)
        shown: dict[str, Any] = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "key": self._masker.key(record.key, key_open),
        }
        if record.topic.startswith("dead."):
            # Written by the bus, which puts fixed words, places and numbers there; a publisher's own are not shown.
            shown["headers"] = {name: value.decode("utf-8", "backslashreplace") for name, value in record.headers}
        return shown | self._value(record.value, of)

    def _value(self, value: bytes | None, of: str) -> dict[str, Any]:
        if value is None:
            return {"value": None}
        if of == POLICY:
            return {"value": msgspec.json.decode(value)}
        version = self._version(value, of)
        if version is None:
            return {"unreadable": "no released schema", **self._bytes(value)}
        try:
            event = version.decode(value)
        except ValueError:
            return {"unreadable": f"not what schema {version.schema_id} wrote", **self._bytes(value)}
        # By the version's own topic: a dead letter may hold another topic's event.
        return {"value": self._masker.event(event, self._contracts.get(event_type(version.topic)))}

    def _version(self, value: bytes, of: str) -> "Version | None":
        from streams.contract.wire import schema_id

        found = schema_id(value)
        if isinstance(found, Rejection):
            return None
        return self._released.find(found, of) or self._released.by_id(found)

    def times(self, record: "Record") -> set[str]:
        """The fields of this record's value that hold milliseconds since 1970."""
        version = None if record.value is None else self._version(record.value, event_type(record.topic))
        fields = [] if version is None else version.schema["fields"]
        return {field["name"] for field in fields if TIMESTAMP in json.dumps(field["type"])}

    def _bytes(self, value: bytes) -> dict[str, Any]:
        return {"size": len(value)} | ({"bytes": value.hex()} if self._masker.clear else {})


def event_type(topic: str) -> str:
    """The event type whose contract a topic follows: `dead.in.wjw.health.test.result` is health.test.result."""
    topic = topic.removeprefix("dead.")
    zone, _, rest = topic.partition(".")
    return rest.partition(".")[2] if zone in ("in", "to") else topic


def line(shown: Mapping[str, Any], times: Collection[str] = ()) -> str:
    """One record as a line for people: place, time, key, headers of a dead letter, then what is not null. `times` are
    the fields that hold milliseconds."""
    parts = [f"[{shown['partition']}] {shown['offset']}", _time(shown["timestamp"]), _text(shown["key"])]
    if "headers" in shown:
        parts.append("(" + " ".join(f"{name}={_text(value)}" for name, value in shown["headers"].items()) + ")")
    if "unreadable" in shown:
        parts.append(f"unreadable: {shown['unreadable']}, {shown['size']} bytes {shown.get('bytes', '')}".rstrip())
    elif shown["value"] is None:
        parts.append("deleted")
    else:
        for name, value in shown["value"].items():
            if value is not None:
                is_time = name in times and isinstance(value, int)
                parts.append(f"{name}={_time(value) if is_time else _text(value)}")
    return "  ".join(parts)


@click.command(
    epilog="""\b
Examples:
  haihe tail health.code.changed                       what comes from now on, until Ctrl-C
  haihe tail grid.alert.changed --from beginning -n 5  the first five
  haihe tail dead.in.wjw.health.test.result --from beginning --no-follow
  haihe tail ref.residence --clear --json | jq .value
""",
)
@click.argument("topic")
@click.option("--from", "start", type=click.Choice(["beginning", "end"]), default="end", help="Where to begin.")
@click.option("-n", "count", type=click.IntRange(min=1), help="Stop after this many records.")
@click.option("--follow/--no-follow", default=True, help="Wait for more at the end of the topic (the default).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; times in milliseconds.")
@click.option("--clear", is_flag=True, help="Show personal and sensitive fields as they are.")
def command(topic: str, start: str, count: int | None, follow: bool, as_json: bool, clear: bool) -> None:
    """Print TOPIC's events, decoded, personal fields masked.

    Only committed records are shown. A masked value carries a mark that is the same for the same value within this run.
    """
    if start == "end" and not follow:
        raise UserError("from the end there is nothing to print without following: add `--from beginning`")
    from streams.contract.contracts import load_contracts
    from streams.contract.division import Divisions
    from streams.contract.released import Released
    from streams.engine.table import Follower

    found = settings.load()
    contracts = load_contracts(found.schemas)
    released = Released(contracts, Divisions.load(found.deploy / "divisions.csv"))
    decoder = Decoder(released, contracts, Masker(clear))
    with Follower(
        found.bootstrap_servers, POLICY, lambda record: released.apply((record.key or b"").decode(), record.value)
    ):
        for record in _records(found.bootstrap_servers, topic, start, count, follow):
            shown = decoder.show(record)
            click.echo(json.dumps(shown, ensure_ascii=False) if as_json else line(shown, decoder.times(record)))


def _records(bootstrap: str, topic: str, start: str, count: int | None, follow: bool) -> Iterator["Record"]:
    from streams.engine.reader import Reader

    with Reader(bootstrap, [topic], "beginning" if start == "beginning" else "end", client_id="haihe-tail") as reader:
        batches = iter(lambda: reader.read(timeout=1.0), None) if follow else iter([reader.read_to_end()])
        yield from islice(chain.from_iterable(batches), count)


def _time(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000).astimezone().isoformat(" ", "milliseconds")


def _text(value: Any) -> str:
    """A value on one line. A publisher's text may hold terminal escapes: what is not printable is shown as a code."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
