"""Which released schema a schema id stands for, when the worker does not know the id.

First `bus.policy` is read to its end, so that a version released a moment ago never lands in the dead letters of a
worker with an old cache; then the registry is asked, since it gives re-formatted text a new id; only then is the id
judged. Both happen at most once per batch and id: the batch was fetched before, so its records are judged by what was
released after they were published. The registry is asked by a thread, for it may take seconds
not to answer, in which other partitions flow on; the schema that it has under an id is kept, for it never changes.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import structlog

from streams.contract.canonical import Schema
from streams.contract.registry import RegistryAway, RegistryLike
from streams.contract.released import Released
from streams.contract.version import Version
from streams.engine.table import Follower
from streams.errors import Rejection

log = structlog.get_logger(__name__)

ANSWER_S = 0.2
"""How long a batch waits for the registry; a later answer is for the next batch that needs it, about a second later."""
FRESH_S = 30.0
"""How long an answer that nobody looked at may say that there is no such schema: it may be registered meanwhile."""


class _Question(NamedTuple):
    asked: float
    answer: "Future[Schema | None]"


class Resolver:
    """Used by one pass. `released` is kept current by `policy`, which follows bus.policy in a thread of its own."""

    def __init__(self, released: Released, policy: Follower, registry: RegistryLike):
        self._released, self._policy, self._registry = released, policy, registry
        self._synced = False
        self._judged: dict[tuple[int, str], Version | Rejection | None] = {}
        self._registry_away = self._told = False
        self._questions: dict[int, _Question] = {}
        self._known: dict[int, Schema] = {}
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="ask-registry")

    def new_batch(self) -> None:
        self._synced = self._registry_away = False
        self._judged.clear()

    def find(self, schema_id: int, topic: str) -> Version | Rejection | None:
        """The released version of the city topic; a Rejection; or None: unknown while the registry is away, so wait."""
        version = self._released.find(schema_id, topic)
        if version is not None:
            return version
        asked = (schema_id, topic)
        if asked not in self._judged:
            self._judged[asked] = self._judge(schema_id, topic)
        return self._judged[asked]

    def _judge(self, schema_id: int, topic: str) -> Version | Rejection | None:
        if not self._synced:
            self._policy.sync()
            self._synced = True
            if (version := self._released.find(schema_id, topic)) is not None:
                return version
        if self._released.by_id(schema_id) is not None:
            return Rejection("decode", "wrong-schema", f"schema id {schema_id} belongs to another topic")
        try:
            schema = self._known.get(schema_id) or self._ask(schema_id)
        except RegistryAway as exc:
            if not self._told:
                log.warning(
                    "a partition waits for an unknown schema", schema_id=schema_id, topic=topic, reason=str(exc)
                )
            self._registry_away = self._told = True
            return None
        if schema is None:
            return Rejection("decode", "unknown-schema", f"schema id {schema_id} is not registered")
        version = self._released.same_as(topic, schema)
        if version is None:
            return Rejection("decode", "wrong-schema", f"schema id {schema_id} is no released version of {topic}")
        return version

    def _ask(self, schema_id: int) -> Schema | None:
        """As RegistryLike.schema, but raises RegistryAway as well while there is no answer yet."""
        question = self._questions.pop(schema_id, None)
        if question is None or (question.answer.done() and time.monotonic() - question.asked > FRESH_S):
            if self._registry_away:  # one wait a batch is enough
                raise RegistryAway("the schema registry does not answer")
            question = _Question(time.monotonic(), self._threads.submit(self._registry.schema, schema_id))
        try:
            schema = question.answer.result(0 if self._registry_away else ANSWER_S)
        except TimeoutError:
            self._questions[schema_id] = question
            raise RegistryAway("the schema registry has not answered yet") from None
        self._told = False
        if schema is not None:
            self._known[schema_id] = schema
        return schema
