"""One released version of one topic's schema: checks, decodes and encodes its records.

A schema id never changes its meaning, so a Version is made once per id and kept.
"""

import io
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import fastavro

from streams.contract.canonical import Schema, canonical, without_logical_types
from streams.contract.compiler import Compiled, compile_schema
from streams.contract.contracts import BUS, Contract
from streams.contract.division import Divisions
from streams.contract.hazard import hazards
from streams.contract.quality import Check, compile_check, fits, payload_start
from streams.contract.slow import inlined
from streams.contract.varint import Invalid, text
from streams.contract.wire import HEADER, header
from streams.errors import ConfigError, Rejection, SystemFailure


class Version:
    """`schema` is the raw schema; `latest` the schema that `decode` reads into, kept by Released.

    Raises ConfigError for a schema that is none, or that is dangerous to read (hazard.py).
    """

    def __init__(
        self,
        topic: str,
        version: int,
        schema_id: int,
        schema: Schema,
        contract: Contract | None = None,
        divisions: Divisions | None = None,
    ) -> None:
        self.topic, self.version, self.schema_id, self.schema = topic, version, schema_id, schema
        self._contract, self._divisions = contract, divisions
        try:
            refused = hazards(schema)
            self.canonical = canonical(schema)
            self._fields = {field["name"]: field["type"] for field in schema["fields"]}
            self._plain: Any = fastavro.parse_schema(without_logical_types(schema))
        except (KeyError, TypeError, ValueError, fastavro.schema.SchemaParseException) as error:
            raise ConfigError(f"{topic}, version {version}: not an Avro record schema: {error}") from None
        if refused:
            raise ConfigError(f"{topic}, version {version}: {refused[0]}")
        self._header = header(schema_id)
        self._reader: Any = None

    def __repr__(self) -> str:
        return f"<Version {self.version} of {self.topic}, schema id {self.schema_id}>"

    @cached_property
    def compiled(self) -> Compiled:
        """The schema's validator, made when the first record needs it."""
        return compile_schema(self.schema)

    @property
    def is_compiled(self) -> bool:
        """False when some field is checked by fastavro (slower, same verdict)."""
        return self.compiled.is_compiled

    @cached_property
    def _judge(self) -> "_Judge":
        if self._contract is None or self._divisions is None:
            raise SystemFailure(f"{self.topic} has no contract to check a record against")
        return _Judge(self._contract, self._fields, self._divisions)

    def check(self, value: bytes, publisher: str, received_ms: int) -> bytes | Rejection:
        """Judge a whole record whose header announces this version: structure, publisher, quality rules. Returns the
        key (UTF-8), or why the record is refused. `received_ms` is the broker's timestamp.

        Raises SystemFailure for a topic without a contract, never anything because of the bytes.
        """
        judge = self._judge
        try:
            at = self.compiled.offsets(value)
        except Invalid as error:
            return Rejection("decode", error.reason, f"field {error.field}, byte {error.byte}")
        return judge.check(value, at, publisher, received_ms)

    def decode(self, value: bytes) -> dict[str, Any]:
        """The record in the shape of the topic's latest version; timestamps are int milliseconds, UUIDs are str.
        Raises ValueError for bytes that this schema did not write."""
        body = io.BytesIO(value)
        body.seek(HEADER)
        try:
            record: Any = fastavro.schemaless_reader(body, self._plain, self._reader)
        except Exception as error:  # whatever fastavro raises on bad bytes; its text may quote a value
            raise ValueError(f"{self.topic}: unreadable record ({type(error).__name__})") from None
        if body.tell() != len(value):
            raise ValueError(f"{self.topic}: {len(value) - body.tell()} bytes left over after the record")
        return record  # type: ignore[no-any-return]  # a record schema reads as dict

    def encode(self, event: Mapping[str, Any]) -> bytes:
        """The record as bytes with the wire header. A field left out takes its default. Raises ValueError naming the
        field that is unknown, missing or of another type; what this returns, `check` and any reader can read."""
        out = io.BytesIO()
        out.write(self._header)
        try:
            fastavro.schemaless_writer(out, self._plain, event, strict_allow_default=True)
            value = out.getvalue()
            self.compiled.offsets(value)
        except Invalid as error:
            raise ValueError(f"{self.topic}: field {error.field} is wrong ({error.reason})") from None
        except Exception:  # fastavro's errors quote the value, which may be personal
            raise ValueError(f"{self.topic}: {self._misfit(event)}") from None
        return value

    def read_as(self, latest: Schema) -> None:
        """Make `decode` return records in the shape of `latest`."""
        self._reader = None if latest == self.schema else fastavro.parse_schema(without_logical_types(latest))

    def _misfit(self, event: Mapping[str, Any]) -> str:
        """Which field of `event` cannot be written."""
        for name in event:
            if name not in self._fields:
                return f"unknown field {name}"
        named: dict[str, Any] = {}
        fastavro.parse_schema(without_logical_types(self.schema), named)
        for field in self._plain["fields"]:
            name = field["name"]
            if name not in event:
                if "default" not in field:
                    return f"field {name} is missing"
                continue
            alone = {"type": "record", "name": "OneField", "fields": [{**field, "type": inlined(field["type"], named)}]}
            try:
                fastavro.schemaless_writer(io.BytesIO(), fastavro.parse_schema(alone), {name: event[name]})
            except Exception:  # whatever made the whole record fail
                return f"field {name} does not fit its type"
        return "the event does not fit the schema"


class _Judge:
    """A contract's rules, laid out for one version's fields."""

    def __init__(self, contract: Contract, fields: dict[str, Any], divisions: Divisions) -> None:
        names = list(fields)
        if contract.key not in fields or "publisher" not in fields:
            raise ConfigError(f"{contract.event_type}: a version lacks its key field or `publisher`")
        self.key = names.index(contract.key)
        self.key_field = contract.key
        self.publisher = names.index("publisher")
        self.publisher_may_be_null = isinstance(fields["publisher"], list)
        self.checks: list[tuple[int, str, Check]] = [
            (names.index(name), name, compile_check(rules, fields[name], divisions))
            for name, rules in contract.rules.items()
            if name in fields and all(fits(rule, fields[name]) for rule in rules)
        ]

    def check(self, v: bytes, at: tuple[int, ...], publisher: str, received_ms: int) -> bytes | Rejection:
        if self._publisher(v, at) != publisher.encode():
            return Rejection("validate", "publisher", "field publisher is not the publisher that the topic names")
        for i, name, check in self.checks:
            reason = check(v, at[i], at[i + 1], received_ms)
            if reason:
                return Rejection("validate", reason, f"field {name}")
        key = text(v, at[self.key], at[self.key + 1])
        return key or Rejection("validate", "missing", f"field {self.key_field} is the key")

    def _publisher(self, v: bytes, at: tuple[int, ...]) -> bytes:
        start: int | None = at[self.publisher]
        if self.publisher_may_be_null:
            start = payload_start(v, at[self.publisher], 1)
        return BUS.encode() if start is None else text(v, start, at[self.publisher + 1])
