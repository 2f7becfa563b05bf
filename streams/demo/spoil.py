"""Every way in which an input can be wrong, made on purpose, with the step and reason its dead letter must then name.

Each is otherwise a good event about a real resident: only the one fault can be why it is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from streams.contract.wire import HEADER, header
from streams.demo.oracle import DAY
from streams.demo.scenario import Draft
from streams.errors import Rejection

Encode = Callable[[str, Mapping[str, Any]], bytes]
"""Event type and fields to bytes of the released schema."""

_UNKNOWN_ID = 2_000_000_000
_MIB = 1 << 20
_ENUMS = {
    "health.test.result": ("result", "NEGATIVE", "POSITIVE"),
    "health.contact.identified": ("degree", "CLOSE", "SECONDARY"),
}


def _with(draft: Draft, **fields: Any) -> dict[str, Any]:
    return {**draft.value, **fields}


def _truncated(draft: Draft, encode: Encode) -> bytes:
    return encode(draft.type, draft.value)[:-5]


def _not_avro(draft: Draft, encode: Encode) -> bytes:
    return b'{"person_id": ""}'


def _unknown_schema(draft: Draft, encode: Encode) -> bytes:
    return header(_UNKNOWN_ID) + encode(draft.type, draft.value)[HEADER:]


def _wrong_schema(draft: Draft, encode: Encode) -> bytes:
    fields = {name: draft.value[name] for name in ("event_id", "occurred_at", "publisher", "person_id", "division")}
    return encode("health.area.stayed", fields | {"risk": "HIGH", "area": "-"})


def _check_character(draft: Draft, encode: Encode) -> bytes:
    person_id: str = draft.value["person_id"]
    return encode(draft.type, _with(draft, person_id=person_id[:17] + ("0" if person_id[17] != "0" else "1")))


def _unknown_division(draft: Draft, encode: Encode) -> bytes:
    return encode(draft.type, _with(draft, division="120199001001"))


def _future(draft: Draft, encode: Encode) -> bytes:
    return encode(draft.type, _with(draft, occurred_at=draft.value["occurred_at"] + 2 * DAY))


def _enum(draft: Draft, encode: Encode) -> bytes:
    # The schema's encoder refuses a symbol that is not there, so its number is put in where two symbols differ.
    field, one, other = _ENUMS[draft.type]
    first, second = encode(draft.type, _with(draft, **{field: one})), encode(draft.type, _with(draft, **{field: other}))
    place = next(n for n, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)
    return first[:place] + b"\x7e" + first[place + 1 :]


def _publisher(draft: Draft, encode: Encode) -> bytes:
    return encode(draft.type, _with(draft, publisher="national"))


def _large(size: int) -> Callable[[Draft, Encode], bytes]:
    def spoil(draft: Draft, encode: Encode) -> bytes:
        field = "laboratory" if draft.type == "health.test.result" else "case_id"
        return encode(draft.type, _with(draft, **{field: "x" * size}))

    return spoil


class Spoil(NamedTuple):
    """One way: what makes the bytes, and what its dead letter says."""

    make: Callable[[Draft, Encode], bytes]
    expected: Rejection


KINDS: dict[str, Spoil] = {
    "truncated": Spoil(_truncated, Rejection("decode", "truncated")),
    "not-avro": Spoil(_not_avro, Rejection("decode", "not-avro")),
    "unknown-schema": Spoil(_unknown_schema, Rejection("decode", "unknown-schema")),
    "wrong-schema": Spoil(_wrong_schema, Rejection("decode", "wrong-schema")),
    "check-character": Spoil(_check_character, Rejection("validate", "check-character")),
    "unknown-division": Spoil(_unknown_division, Rejection("validate", "unknown-division")),
    "in-the-future": Spoil(_future, Rejection("validate", "in-the-future")),
    "bad-enum": Spoil(_enum, Rejection("decode", "bad-enum")),
    "publisher": Spoil(_publisher, Rejection("validate", "publisher")),
    "2-mb": Spoil(_large(2 * _MIB), Rejection("decode", "too-large")),
    "6-mb": Spoil(_large(6 * _MIB), Rejection("decode", "too-large")),
}
"""What the simulator makes wrong, by name."""

LARGE = ("2-mb", "6-mb")
SMALL = tuple(kind for kind in KINDS if kind not in LARGE)


def encoded(draft: Draft, encode: Encode) -> bytes:
    """The bytes of one input, spoilt if it is to be."""
    if draft.spoilt is None:
        return encode(draft.type, draft.value)
    return KINDS[draft.spoilt].make(draft, encode)
