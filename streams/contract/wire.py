"""The Confluent wire format: byte 0, the schema id (4 bytes, big-endian), then the Avro body.

Kept apart from schemas because gateway, tail and intake look at the header before they know any schema.
"""

from streams.errors import Rejection

HEADER = 5
"""Bytes before the Avro body; every offset in this package counts from the start of the whole value."""

_NOT_AVRO = Rejection("decode", "not-avro", "the value does not begin with byte 0 and a schema id")


def header(schema_id: int) -> bytes:
    """The five bytes that announce a body written with `schema_id`."""
    return b"\0" + schema_id.to_bytes(4, "big")


def schema_id(value: bytes | None) -> int | Rejection:
    """The schema id that `value` announces. A null value or other bytes are a Rejection: decode / not-avro."""
    if value is None or len(value) < HEADER or value[0]:
        return _NOT_AVRO
    return int.from_bytes(value[1:HEADER], "big")
