"""The five bytes in front of every Avro value."""

import pytest

from streams.contract.wire import HEADER, header, schema_id
from streams.errors import Rejection


def test_a_header_gives_back_its_schema_id() -> None:
    assert schema_id(header(0x01020304) + b"body") == 0x01020304
    assert len(header(1)) == HEADER


@pytest.mark.parametrize("value", [None, b"", b"\0\0\0\0", b"\1\0\0\0\1body", b'{"a":1}'])
def test_a_value_without_header_is_rejected_not_raised(value: bytes | None) -> None:
    verdict = schema_id(value)
    assert isinstance(verdict, Rejection)
    assert (verdict.step, verdict.reason) == ("decode", "not-avro")
