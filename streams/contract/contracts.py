"""Contracts: what an event must be, read from `schemas/avro/<domain>/<entity>.<event>/`.

    1.avsc 2.avsc ...     the schema's versions, oldest first, never edited once released
    event.yaml            who answers for it, who may publish it, how sensitive each field is, what its values must be
    examples/1/*.json     events of version 1 as JSON; timestamps in milliseconds

The event type is the folder's name with its domain: `health/test.result` is `health.test.result`, the city's topic.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from streams.contract.canonical import Schema
from streams.contract.quality import Rule, fits, parse_rule
from streams.declaration import strict_yaml, suggestion
from streams.errors import ConfigError

Sensitivity = Literal["none", "internal", "personal", "sensitive"]
Sharing = Literal["unconditional", "conditional", "withheld"]
BUS = "haihe"
"""The publisher of everything that the bus derives or loads; it has no `in.*` topic."""


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the event means, for the catalogue."""

    zh: str
    en: str


class FieldTag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What event.yaml says of one field."""

    sensitivity: Sensitivity
    rules: list[str | dict[str, Any]] = []


class Declaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """event.yaml as it is written."""

    owner: str
    name_zh: str
    description: Description
    sharing: Sharing
    update_frequency: str
    key: str
    publishers: list[str]
    fields: dict[str, FieldTag]
    partition_group: str | None = None
    retention_days: int | None = None


@dataclass(frozen=True)
class Contract:
    """One event type. `versions` are raw schemas by number, from 1 without a gap; `retention` is in days, None for a
    compacted table; `partition_group` names the topics that share its key and partition count."""

    event_type: str
    owner: str
    name_zh: str
    description: Description
    sharing: Sharing
    update_frequency: str
    key: str
    partition_group: str | None
    publishers: tuple[str, ...]
    retention: int | None
    sensitivity: Mapping[str, Sensitivity]
    rules: Mapping[str, tuple[Rule, ...]]
    versions: Mapping[int, Schema]
    path: Path

    @property
    def latest(self) -> int:
        """Number of the newest version."""
        return max(self.versions)

    @property
    def input_topics(self) -> tuple[str, ...]:
        """`in.<publisher>.<event type>` of each publisher; none for what only the bus writes."""
        return tuple(f"in.{publisher}.{self.event_type}" for publisher in self.publishers if publisher != BUS)

    def examples(self, version: int) -> dict[str, dict[str, Any]]:
        """Example events of a version by file name; timestamps are int milliseconds."""
        files = sorted((self.path / "examples" / str(version)).glob("*.json"))
        return {file.stem: _json(file) for file in files}


def load_contracts(root: Path) -> dict[str, Contract]:
    """All contracts under `root` by event type. Raises ConfigError naming the file that is wrong."""
    found = {}
    for declaration in sorted(root.glob("*/*/event.yaml")):
        contract = _load(declaration.parent)
        found[contract.event_type] = contract
    if not found:
        raise ConfigError(f"{root}: holds no contract; expected <domain>/<entity>.<event>/event.yaml")
    return found


def _load(path: Path) -> Contract:
    said = strict_yaml(path / "event.yaml", Declaration)
    versions = _versions(path)
    fields = {field["name"]: field["type"] for field in versions[max(versions)].get("fields", ())}
    where = str(path / "event.yaml")
    for name in said.fields:
        if name not in fields:
            raise ConfigError(f"{where}: the schema has no field `{name}`{suggestion(name, tuple(fields))}")
    for name in fields:
        if name not in said.fields:
            raise ConfigError(f"{where}: field `{name}` of the schema has no sensitivity")
    if fields.get(said.key) != "string" and fields.get(said.key) != {"type": "string", "logicalType": "uuid"}:
        raise ConfigError(f"{where}: key `{said.key}` must be a string field of the schema that cannot be null")
    rules = {
        name: tuple(parse_rule(raw, f"{where}: field `{name}`") for raw in tag.rules)
        for name, tag in said.fields.items()
        if tag.rules
    }
    for name, those in rules.items():
        for rule in those:
            if not fits(rule, fields[name]):
                raise ConfigError(f"{where}: rule `{rule.name}` cannot judge the type of field `{name}`")
    return Contract(
        event_type=f"{path.parent.name}.{path.name}",
        owner=said.owner,
        name_zh=said.name_zh,
        description=said.description,
        sharing=said.sharing,
        update_frequency=said.update_frequency,
        key=said.key,
        partition_group=said.partition_group,
        publishers=tuple(said.publishers),
        retention=said.retention_days,
        sensitivity={name: tag.sensitivity for name, tag in said.fields.items()},
        rules=rules,
        versions=versions,
        path=path,
    )


def _versions(path: Path) -> dict[int, Schema]:
    found = {}
    for file in path.glob("*.avsc"):
        if not file.stem.isdecimal():
            raise ConfigError(f"{file}: a schema file is named by its version, 1.avsc, 2.avsc ...")
        found[int(file.stem)] = _json(file)
    if sorted(found) != list(range(1, len(found) + 1)) or not found:
        raise ConfigError(f"{path}: versions must be 1.avsc, 2.avsc ... without a gap")
    return dict(sorted(found.items()))


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: must hold a JSON object")
    return content
