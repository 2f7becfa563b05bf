"""Lint: what a contract must be beyond what the bus can run with, so that a stranger can use the event in ten years.

Every finding names the file and the field. Rules of the Avro specification are not repeated here: the parser has them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from streams.contract.canonical import Schema
from streams.contract.compat import conflicts
from streams.contract.contracts import BUS, Contract
from streams.contract.division import Divisions
from streams.contract.version import Version
from streams.errors import ConfigError, Rejection

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_TYPE = re.compile(r"[A-Z][A-Za-z0-9]*")
_EVENT_TYPE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_MOMENT = re.compile(r".*_(at|until|time)")
_PERSONAL = ("person_id", "person_name", "phone", "address")
_LOGICAL = {("string", "uuid"), ("long", "timestamp-millis"), ("int", "date")}
METADATA: dict[str, Any] = {
    "event_id": {"type": "string", "logicalType": "uuid"},
    "occurred_at": {"type": "long", "logicalType": "timestamp-millis"},
    "publisher": "string",
}
"""The first three fields of every event; rows of tables and records of the bus itself may leave them null."""


class Finding(NamedTuple):
    """One thing to mend. `file` is the file to open."""

    file: Path
    message: str


def lint(contracts: Iterable[Contract], divisions: Divisions) -> list[Finding]:
    """All findings, in the order of the files. Raises ConfigError when the `avro` package is needed and missing."""
    found = []
    for contract in contracts:
        for check in (_declaration, _schemas, _compatibility):
            found += list(check(contract))
        found += list(_examples(contract, divisions))
    return found


def _declaration(contract: Contract) -> Iterator[Finding]:
    file = contract.path / "event.yaml"
    if not _EVENT_TYPE.fullmatch(contract.event_type):
        yield Finding(file, f"{contract.event_type} is no event type: lower case words joined by dots")
    if not _HAN.search(contract.owner) or not _HAN.search(contract.name_zh) or not _HAN.search(contract.description.zh):
        yield Finding(file, "owner, name_zh and description.zh are the department's own words, in Chinese")
    if not contract.description.en.strip() or not contract.update_frequency.strip():
        yield Finding(file, "description.en and update_frequency must say something")
    if not contract.publishers:
        yield Finding(file, "publishers: somebody must be allowed to publish the event")
    for publisher in contract.publishers:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", publisher):
            yield Finding(
                file, f"publisher {publisher!r} must be a lower case word without a dot: topic ACLs end at one"
            )
    if (contract.retention is None) != contract.event_type.startswith("ref."):
        yield Finding(file, "retention_days is for events; a reference table (ref.*) is compacted and has none")
    for name, sensitivity in contract.sensitivity.items():
        if name in _PERSONAL and sensitivity not in ("personal", "sensitive"):
            yield Finding(file, f"field {name} is about a person: personal or sensitive")


def _schemas(contract: Contract) -> Iterator[Finding]:
    domain = contract.event_type.split(".")[0]
    name = "".join(word.capitalize() for word in re.split(r"[.-]", contract.event_type))
    for number, schema in contract.versions.items():
        file = contract.path / f"{number}.avsc"
        try:
            Version(contract.event_type, number, 0, schema)
        except ConfigError as error:
            yield Finding(file, str(error))
            continue
        if (schema.get("namespace"), schema["name"]) != (f"haihe.{domain}", name):
            yield Finding(file, f"the record must be haihe.{domain}.{name}")
        yield from (Finding(file, message) for message in _metadata(contract, schema))
        yield from (Finding(file, message) for message in _type(schema, "the record"))


def _metadata(contract: Contract, schema: Schema) -> Iterator[str]:
    may_be_null = contract.event_type.split(".")[0] in ("ref", "bus")
    types = {field["name"]: field["type"] for field in schema["fields"]}
    if tuple(types)[:3] != tuple(METADATA):
        yield f"the first fields must be {', '.join(METADATA)}"
    for name, wanted in METADATA.items():
        if types.get(name) != wanted and not (may_be_null and types.get(name) == ["null", wanted]):
            yield f"field {name} must have the type {wanted}"


def _type(node: Any, where: str) -> Iterator[str]:
    """Findings in a type and all that it holds. `where` says which field it belongs to."""
    if isinstance(node, list):
        if len(node) != 2 or node[0] != "null":
            yield f"{where}: a union is null and one other type, null first"
        for branch in node:
            yield from _type(branch, where)
    elif isinstance(node, dict):
        kind = node["type"]
        logical = node.get("logicalType")
        if logical is not None and (kind, logical) not in _LOGICAL:
            yield f"{where}: logicalType {logical} of {kind} is not among {sorted(_LOGICAL)}"
        if kind in _NAMED:
            if not str(node.get("doc", "")).strip():
                yield f"{where}: type {node['name']} has no doc"
            if not _TYPE.fullmatch(node["name"]):
                yield f"{where}: type {node['name']} must be in CamelCase"
            yield from _NAMED[kind](node, where)
        for inner in ("items", "values"):
            if inner in node:
                yield from _type(node[inner], where)


def _record(node: Mapping[str, Any], where: str) -> Iterator[str]:
    for field in node["fields"]:
        name = field["name"]
        at = f"field {name}" if where == "the record" else f"{where}, field {name}"
        if not str(field.get("doc", "")).strip():
            yield f"{at} has no doc"
        if not _SNAKE.fullmatch(name):
            yield f"{at} must be in snake_case"
        if "logicalType" in field:
            yield f"{at}: logicalType belongs inside the type, here readers overlook it"
        if _MOMENT.fullmatch(name) and "timestamp-millis" not in str(field["type"]):
            yield f"{at} is a moment: a long with logicalType timestamp-millis"
        if isinstance(field["type"], list) and ("default" not in field or field["default"] is not None):
            yield f"{at} may be null, so its default must be null"
        yield from _type(field["type"], at)


def _enum(node: Mapping[str, Any], where: str) -> Iterator[str]:
    if node.get("default") not in node["symbols"]:
        yield f"{where}: enum {node['name']} needs a default among its symbols, for readers that do not know a new one"
    for symbol in node["symbols"]:
        if not _SYMBOL.fullmatch(symbol):
            yield f"{where}: symbol {symbol} of {node['name']} must be in UPPER_CASE"


def _fixed(node: Mapping[str, Any], where: str) -> Iterator[str]:
    return iter(())


_NAMED: dict[str, Callable[[Mapping[str, Any], str], Iterator[str]]] = {
    "record": _record,
    "enum": _enum,
    "fixed": _fixed,
}


def _compatibility(contract: Contract) -> Iterator[Finding]:
    for conflict in conflicts(list(contract.versions.values())):
        yield Finding(contract.path / f"{contract.latest}.avsc", conflict)


def _examples(contract: Contract, divisions: Divisions) -> Iterator[Finding]:
    """Each version has examples, and each is accepted as if it came from its publisher when it occurred."""
    for number, schema in contract.versions.items():
        examples = contract.examples(number)
        folder = contract.path / "examples" / str(number)
        if not examples:
            yield Finding(folder, f"version {number} has no example")
        for name, event in examples.items():
            file = folder / f"{name}.json"
            try:
                version = Version(contract.event_type, number, 0, schema, contract, divisions)
                value = version.encode(event)
            except (ConfigError, ValueError) as error:
                yield Finding(file, str(error))
                continue
            if version.decode(value) != event:
                yield Finding(file, "does not read back as it is written: give every field, in its own type")
            publisher = event.get("publisher") or BUS
            if publisher not in contract.publishers:
                yield Finding(file, "publisher is none of the contract's publishers")
            verdict = version.check(value, publisher, event.get("occurred_at") or 0)
            if isinstance(verdict, Rejection):
                yield Finding(file, f"would be refused: {verdict.reason}, {verdict.detail}")
