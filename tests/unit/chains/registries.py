"""A registry that counts questions and a bus.policy that is behind, for the resolver's and intake's tests."""

import json

from streams.contract.registry import MemoryRegistry
from streams.contract.released import Released
from tests.unit.contract.bus_of import CONTRACTS, DIVISIONS

TOPIC, OTHER = "health.test.result", "health.area.stayed"
SCHEMA = CONTRACTS[TOPIC].versions[1]
REFORMATTED = json.loads(json.dumps(SCHEMA) + " ") | {"doc": "the same, explained in other words"}


class Counting(MemoryRegistry):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def schema(self, schema_id: int):
        self.asked.append(schema_id)
        return super().schema(schema_id)


class Policy:
    """bus.policy and what of it has not been read yet: `sync` reads it, as Follower.sync does."""

    def __init__(self, released: Released) -> None:
        self.released, self.unread, self.syncs = released, [], 0

    def sync(self) -> None:
        self.syncs += 1
        while self.unread:
            self.released.apply(*self.unread.pop(0))


class Offices:
    """Registry and policy as one: `release` releases TOPIC's schema for a worker that has (not) read it yet."""

    def __init__(self) -> None:
        self.registry = Counting()
        self.released = Released(CONTRACTS, DIVISIONS)
        self.policy = Policy(self.released)

    def release(self, topic: str, unread: bool = False) -> int:
        schema = CONTRACTS[topic].versions[1]
        schema_id = self.registry.register(f"{topic}-value", schema)
        record = Released.record(topic, 1, schema_id, schema)
        if unread:
            self.policy.unread.append(record)
        else:
            self.released.apply(*record)
        return schema_id
