"""The city's layout: which publishers, co-partition groups and chains there are, and the topics that follow from them.

`deploy/tianjin/layout.yaml` declares it; everything else about a topic follows from its zone (the first part of its
name) and its contract, so there is no list of topics to keep in step.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from streams.contract.contracts import Contract
from streams.declaration import strict_yaml
from streams.engine.admin import TopicSpec
from streams.engine.client import MAX_INPUT, MAX_TOPIC
from streams.errors import ConfigError

DAY = 24 * 3600 * 1000
INPUT_PARTITIONS = 6
DAYS = 7
"""How long inputs are kept, and events whose contract does not say."""
POLICY, AUDIT = "bus.policy", "bus.audit"
COMPACTED = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_TOPIC)}
RESUMABLE = str(DAY)
"""A view keeps every record for a day before compaction may drop one (ms): an SSE client resumes exactly within it."""


class ChainLayout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    group: str
    flows: tuple[str, ...]
    partitioned_tables: tuple[str, ...] = ()
    global_tables: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        return (*self.partitioned_tables, *self.global_tables)


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    groups: dict[str, int]
    publishers: dict[str, tuple[str, ...]]
    chains: dict[str, ChainLayout]

    def inputs(self) -> list[str]:
        """Every `in.<publisher>.<event type>` topic, sorted."""
        return sorted(f"in.{p}.{event}" for p, events in self.publishers.items() for event in events)


def load_layout(path: Path) -> Layout:
    """Read and check a layout. Raises ConfigError: unknown key, dot in a publisher's id, unknown group."""
    layout = strict_yaml(path, Layout)
    for publisher in layout.publishers:
        if "." in publisher:
            raise ConfigError(f"{path}: publisher {publisher!r} may not contain a dot: topic ACLs end at one")
    for name, chain in layout.chains.items():
        if chain.group not in layout.groups:
            raise ConfigError(f"{path}: chain {name} is in group {chain.group!r}, which is not declared under groups")
        if name == "intake":
            raise ConfigError(f"{path}: the chain intake is built in: remove it")
    return layout


def split_input(topic: str) -> tuple[str, str]:
    """`in.wjw.health.test.result` -> (`wjw`, `health.test.result`)."""
    _, publisher, event_type = topic.split(".", 2)
    return publisher, event_type


def changelog(chain: str) -> str:
    return f"bus.changelog.{chain}"


def topics(layout: Layout, contracts: Mapping[str, Contract], views: tuple[str, ...] = ()) -> list[TopicSpec]:
    """All topics of the bus. `views` are the `to.*` topics of the grants in force.

    Raises ConfigError for a publisher's event type without a contract, or a contract in an undeclared group.
    """
    specs: list[TopicSpec] = []
    for topic in layout.inputs():
        _, event_type = split_input(topic)
        if event_type not in contracts:
            raise ConfigError(f"{topic}: there is no contract {event_type} under the schemas directory")
        # A larger limit than the bus's own, so that an oversized input arrives and is dead-lettered with its origin.
        limits = {"max.message.bytes": str(MAX_INPUT), "message.timestamp.type": "LogAppendTime"}
        specs.append(TopicSpec(topic, INPUT_PARTITIONS, limits | _retention(DAYS)))
        specs.append(_dead(topic))
    for event_type, contract in sorted(contracts.items()):
        if event_type.startswith("bus."):
            continue
        group = contract.partition_group
        if group and group not in layout.groups:
            raise ConfigError(f"contract {event_type}: partition_group {group!r} is not in the layout")
        partitions = layout.groups[group] if group else 1
        if event_type.startswith("ref."):
            specs.append(TopicSpec(event_type, partitions, COMPACTED))
        else:
            kept = _retention(contract.retention or DAYS)
            specs.append(TopicSpec(event_type, partitions, {"max.message.bytes": str(MAX_TOPIC)} | kept))
            specs.append(_dead(event_type))
    for view in views:
        specs.append(TopicSpec(view, max(layout.groups.values()), COMPACTED | {"min.compaction.lag.ms": RESUMABLE}))
    specs.append(TopicSpec(POLICY, 1, COMPACTED))
    specs.append(TopicSpec(AUDIT, 1, {"max.message.bytes": str(MAX_TOPIC)} | _retention(365)))
    for name, chain in layout.chains.items():
        specs.append(TopicSpec(changelog(name), layout.groups[chain.group], COMPACTED))
    return specs


def _dead(topic: str) -> TopicSpec:
    return TopicSpec(f"dead.{topic}", 1, {"max.message.bytes": str(MAX_TOPIC)} | _retention(90))


def _retention(days: int) -> dict[str, str]:
    return {"retention.ms": str(days * DAY)}
