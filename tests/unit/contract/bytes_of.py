"""Avro bytes by hand and by fastavro, and fastavro's verdict on them: the judge of the compiled validators."""

import io
from typing import Any

import fastavro

from streams.contract.wire import HEADER, header


def written(schema: Any, record: Any, schema_id: int = 7) -> bytes:
    """A record as fastavro writes it, with the wire header."""
    out = io.BytesIO()
    out.write(header(schema_id))
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
    return out.getvalue()


def accepted_by_fastavro(schema: Any, value: bytes) -> bool:
    """Does fastavro read the value to its last byte, logical types included?"""
    body = io.BytesIO(value)
    body.seek(HEADER)
    try:
        fastavro.schemaless_reader(body, fastavro.parse_schema(schema), None)
    except Exception:  # every way of saying no
        return False
    return body.tell() == len(value)


def varint(number: int, at_least: int = 1) -> bytes:
    """A zig-zag varint, padded to `at_least` bytes, which is legal and which no writer does."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 127 or len(out) < at_least - 1:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest])


def record_of(*types: Any) -> dict[str, Any]:
    """A record schema with one field for each type: a, b, c ..."""
    return {
        "type": "record",
        "name": "R",
        "fields": [{"name": "abcdefghij"[i], "type": t} for i, t in enumerate(types)],
    }
