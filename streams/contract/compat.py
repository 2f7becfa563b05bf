"""Compatibility of a schema's versions, checked offline by the reference checker of Apache Avro's own Python package.

FULL_TRANSITIVE: every version can read what every other one wrote, so readers and publishers upgrade in any order. The
registry checks it again when a version is registered.
"""

import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from streams.contract.canonical import Schema
from streams.errors import ConfigError


def conflicts(schemas: Sequence[Schema]) -> list[str]:
    """Why these versions (the first is number 1) do not all read one another, one sentence each; empty when they do.

    Raises ConfigError when the `avro` package is not installed, or refuses a schema.
    """
    if len(schemas) < 2:
        return []
    try:
        from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
        from avro.errors import AvroException
        from avro.schema import parse
    except ImportError:
        raise ConfigError(
            "checking the compatibility of schemas needs the avro package: pip install 'haihe[dev]'"
        ) from None
    parsed: list[Any] = []
    for number, schema in enumerate(schemas, 1):
        try:
            parsed.append(parse(json.dumps(schema)))
        except AvroException as error:
            raise ConfigError(f"version {number} is no Avro schema: {error}") from None
    found = []
    for (reader, by), (writer, of) in permutations(enumerate(parsed, 1), 2):
        result = ReaderWriterCompatibilityChecker().get_compatibility(by, of)
        if result.compatibility is not SchemaCompatibilityType.compatible:
            why = "; ".join(sorted(result.messages)) or "incompatible"
            found.append(f"version {reader} cannot read what version {writer} wrote: {why}")
    return found
