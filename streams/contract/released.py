"""The schemas that `bus.policy` has released: what a schema id in a record's header may mean, and for which topic.

A record's id must be one of its topic's. Registries give a re-formatted text of a schema a new id; such an id is
recognised by its canonical form (`same_as`), or released beside the first.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from streams.contract.canonical import Schema, canonical
from streams.contract.contracts import Contract
from streams.contract.division import Divisions
from streams.contract.version import Version
from streams.errors import ConfigError

KIND = "schema"


class _Record(msgspec.Struct, tag_field="kind", tag=KIND):
    topic: str
    version: int
    id: int
    schema: dict[str, Any]


class Released:
    """Follows the `schema/...` records of bus.policy. `apply` is called by one thread; the others may be called by any
    at any time. A topic is a city, ref, bus or to topic: callers strip `in.<publisher>.`."""

    def __init__(self, contracts: Mapping[str, Contract], divisions: Divisions) -> None:
        self._contracts, self._divisions = contracts, divisions
        self._by_topic: dict[str, dict[int, Version]] = {}
        self._latest: dict[str, Version] = {}
        self._by_id: dict[int, Version] = {}
        self._by_key: dict[str, tuple[str, int]] = {}

    def apply(self, key: str, value: bytes | None) -> None:
        """One record of bus.policy; keys of other kinds are passed over, a null value takes a release back. Raises
        ConfigError for a record that is malformed or whose schema is dangerous."""
        if not key.startswith(KIND + "/"):
            return
        if value is None:
            if key in self._by_key:
                topic, schema_id = self._by_key.pop(key)
                self._put(topic, {i: v for i, v in self._by_topic[topic].items() if i != schema_id})
            return
        try:
            record = msgspec.json.decode(value, type=_Record)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"bus.policy, record {key}: {error}") from None
        known = self._by_topic.get(record.topic, {}).get(record.id)
        if known is None or known.version != record.version:
            version = self._version(record.topic, record.version, record.id, record.schema)
            self._put(record.topic, {**self._by_topic.get(record.topic, {}), record.id: version})
        self._by_key[key] = (record.topic, record.id)

    def same_as(self, topic: str, schema: Schema) -> Version | None:
        """The topic's released version that `schema` is a re-formatted text of, None when it is none of them. For an id
        that only the registry knows; the caller has read bus.policy to its end before."""
        try:
            form = canonical(schema)
        except Exception:  # a registry holds what anybody put there; what the parser cannot take is not released
            return None
        return next((known for known in self.versions(topic) if known.canonical == form), None)

    def find(self, schema_id: int, topic: str) -> Version | None:
        """The version that the id means on this topic; None: not (yet) released for it."""
        return self._by_topic.get(topic, {}).get(schema_id)

    def by_id(self, schema_id: int) -> Version | None:
        """Some topic's version with this id: when `find` has none, the record has another topic's schema."""
        return self._by_id.get(schema_id)

    def latest(self, topic: str) -> Version:
        """The newest version, to encode with. Raises ConfigError when none is released."""
        try:
            return self._latest[topic]
        except KeyError:
            raise ConfigError(f"no schema is released for {topic}: run `haihe schema register`") from None

    def versions(self, topic: str) -> list[Version]:
        """All of a topic's versions, oldest first; a version may occur under several ids."""
        return sorted(self._by_topic.get(topic, {}).values(), key=lambda v: (v.version, v.schema_id))

    def topics(self) -> list[str]:
        """Topics that have a released schema."""
        return sorted(self._latest)

    @staticmethod
    def record(topic: str, version: int, schema_id: int, schema: Schema) -> tuple[str, bytes]:
        """Key and value of the bus.policy record that releases a schema."""
        key = f"{KIND}/{topic}/{version}/{schema_id}"
        return key, msgspec.json.encode(_Record(topic, version, schema_id, schema))

    def _version(self, topic: str, version: int, schema_id: int, schema: Schema) -> Version:
        return Version(topic, version, schema_id, schema, self._contracts.get(topic), self._divisions)

    def _put(self, topic: str, versions: dict[int, Version]) -> None:
        """Replace a topic's versions: readers in other threads see either the old or the new dictionary."""
        if versions:
            newest = max(versions.values(), key=lambda v: (v.version, -v.schema_id))
            for version in versions.values():
                version.read_as(newest.schema)
            self._latest[topic] = newest
        else:
            self._latest.pop(topic, None)
        self._by_topic[topic] = versions
        self._by_id = {i: v for those in self._by_topic.values() for i, v in those.items()}
