"""The schema registry: any that speaks the Confluent API (Apicurio's is under /apis/ccompat/v7).

Publishers' serializers ask it; the bus asks it only about an id that `bus.policy` does not know. MemoryRegistry does
the same in memory and passes the same tests.
"""

import json
from typing import Any, Protocol

from streams.contract.canonical import Schema
from streams.contract.compat import conflicts
from streams.errors import ConfigError, SystemFailure

TIMEOUT_S = 5.0
"""How long one request may take. Callers retry: a partition that waits for a schema asks again with its next batch."""

_NO_SUCH_SCHEMA = 40403  # error code of the Confluent API; a bare 404 means that nothing of the kind answers there
_REFUSED = (409, 422)  # incompatible; not a schema, or not one that the API takes


class RegistryAway(SystemFailure):
    """The registry cannot be asked now. Not a reason to stop what needs no unknown schema."""


class RegistryLike(Protocol):
    """What the bus asks of a registry."""

    def register(self, subject: str, schema: Schema, compatibility: str = "FULL_TRANSITIVE") -> int: ...

    def schema(self, schema_id: int) -> Schema | None: ...

    def ping(self) -> None: ...


class Registry:
    """A registry over HTTP. `url` is the whole base of its Confluent API. Safe to use from several threads.

    Every method raises RegistryAway when the registry does not answer, or not sensibly.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None

    def register(self, subject: str, schema: Schema, compatibility: str = "FULL_TRANSITIVE") -> int:
        """Register a version of a subject and return its id; the same schema again has the same id. The subject gets
        its compatibility level before its first version: a registry starts at its own level (Apicurio at NONE).

        Raises ConfigError, with the registry's words, for a schema that it refuses.
        """
        from confluent_kafka.schema_registry import Schema as Text

        text = Text(json.dumps(schema, ensure_ascii=False), "AVRO")
        self._ask(f"refuses the level {compatibility} for {subject}", "set_compatibility", subject, compatibility)
        return int(self._ask(f"refuses {subject}", "register_schema", subject, text))

    def schema(self, schema_id: int) -> Schema | None:
        """The schema with this id; None when the registry says that there is none (or that it is not Avro)."""
        found = self._ask("", "get_schema", schema_id, missing=_NO_SUCH_SCHEMA)
        if found is None or found.schema_type not in (None, "AVRO"):
            return None
        try:
            schema = json.loads(found.schema_str)
        except ValueError:
            return None
        return schema if isinstance(schema, dict) else None

    def ping(self) -> None:
        """Return when the registry answers."""
        self._ask("", "get_subjects")

    def _ask(self, refusal: str, method: str, *args: Any, missing: int = 0) -> Any:
        """Call the client; None when the answer is the error code `missing`."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        if not self._url:
            raise RegistryAway("no schema registry is known: start one with `haihe up` or set HAIHE_REGISTRY_URL")
        try:
            return getattr(self._connected(), method)(*args)
        except SchemaRegistryError as error:
            if error.error_code == missing:
                return None
            if error.http_status_code in _REFUSED:
                raise ConfigError(f"the schema registry {refusal}: {error.error_message}") from None
            raise RegistryAway(
                f"the schema registry at {self._url} answers with an error (HTTP {error.http_status_code})"
            ) from None
        except Exception as error:  # the client lets its HTTP library's errors through, whichever library that is
            raise RegistryAway(f"the schema registry at {self._url} does not answer ({type(error).__name__})") from None

    def _connected(self) -> Any:
        if self._client is None:
            from confluent_kafka.schema_registry import SchemaRegistryClient

            self._client = SchemaRegistryClient({"url": self._url, "timeout": TIMEOUT_S, "max.retries": 0})
        return self._client


class MemoryRegistry:
    """A registry without a server. `away` makes every call raise RegistryAway, as a registry that is down does."""

    def __init__(self) -> None:
        self.away = False
        self._ids: dict[str, int] = {}
        self._subjects: dict[str, list[Schema]] = {}

    def register(self, subject: str, schema: Schema, compatibility: str = "FULL_TRANSITIVE") -> int:
        """As Registry.register; judges the levels NONE and FULL_TRANSITIVE."""
        self.ping()
        versions = self._subjects.setdefault(subject, [])
        if schema not in versions:
            found = conflicts([*versions, schema]) if compatibility != "NONE" else []
            if found:
                raise ConfigError(f"the schema registry refuses {subject}: {found[0]}")
            versions.append(schema)
        return self._ids.setdefault(json.dumps(schema, ensure_ascii=False), len(self._ids) + 1)

    def schema(self, schema_id: int) -> Schema | None:
        """As Registry.schema."""
        self.ping()
        return next((json.loads(text) for text, known in self._ids.items() if known == schema_id), None)

    def ping(self) -> None:
        """As Registry.ping."""
        if self.away:
            raise RegistryAway("the schema registry in memory is away")

    def subjects(self) -> list[str]:
        """Every subject that has a version."""
        return sorted(subject for subject, versions in self._subjects.items() if versions)
