"""Releasing schemas: registers them under every subject that a serializer may ask for, and says what bus.policy must
be told so that the bus accepts records written with them. Idempotent: what is released already is passed over.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.contract.canonical import Schema, canonical
from streams.contract.contracts import Contract
from streams.contract.registry import RegistryLike
from streams.contract.released import KIND, Released
from streams.contract.version import Version


class Releases(NamedTuple):
    """What `release` did: the subjects that have their versions now, and the records that bus.policy still needs."""

    subjects: tuple[str, ...]
    records: tuple[tuple[str, bytes], ...]


def subjects(contract: Contract) -> tuple[str, ...]:
    """Of the city's topic and of each publisher's input topic, as the usual serializer names them by default
    (TopicNameStrategy: `<topic>-value`)."""
    return tuple(f"{topic}-value" for topic in (contract.event_type, *contract.input_topics))


def release(
    registry: RegistryLike,
    contracts: Iterable[Contract],
    views: Sequence[tuple[str, Schema]],
    policy: Mapping[str, bytes],
) -> Releases:
    """Register every version of `contracts`, and of `views` (topic, schema; they have no contract and one version at a
    time). `policy` is bus.policy as it is, by key.

    Raises RegistryAway, or ConfigError for a schema that the registry refuses or that is dangerous to read.
    """
    done: list[str] = []
    needed: dict[str, bytes] = {}
    for contract in contracts:
        for number, schema in contract.versions.items():
            _safe(contract.event_type, number, schema)
            ids = {registry.register(subject, schema) for subject in subjects(contract)}
            needed |= dict(Released.record(contract.event_type, number, i, schema) for i in sorted(ids))
        done += subjects(contract)
    for topic, schema in views:
        number = _view_version(topic, schema, policy)
        _safe(topic, number, schema)
        schema_id = registry.register(f"{topic}-value", schema)
        needed |= [Released.record(topic, number, schema_id, schema)]
        done.append(f"{topic}-value")
    return Releases(tuple(done), tuple((k, v) for k, v in needed.items() if policy.get(k) != v))


def _safe(topic: str, number: int, schema: Schema) -> None:
    """A schema that every reader of bus.policy would stop at must not get there. Raises ConfigError."""
    Version(topic, number, 0, schema)


def _view_version(topic: str, schema: Schema, policy: Mapping[str, bytes]) -> int:
    """The number that this schema has among the view's released ones, or the next."""
    highest = 0
    for key, value in policy.items():
        if key.startswith(f"{KIND}/{topic}/"):
            record = msgspec.json.decode(value)
            if canonical(record["schema"]) == canonical(schema):
                return int(record["version"])
            highest = max(highest, int(record["version"]))
    return highest + 1
