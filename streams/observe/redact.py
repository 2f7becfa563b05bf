"""The last defence against personal data in logs: whatever looks like a person's id or mobile number is replaced.

Nothing should ever log one: errors name fields and offsets, never values. This is for the line that somebody adds in a
hurry, and for libraries that quote what they choke on. It knows shapes, not names: a person's name passes it.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

PERSON_ID = re.compile(r"(?<!\d)\d{6}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\d)", re.A)
"""GB 11643: region (GB/T 2260), date of birth, sequence, check character. The check character is not verified: a
mistyped id still points at a person. The date is, so that other 18-digit numbers mostly pass."""

MOBILE = re.compile(r"(?<![0-9A-Za-z])(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?![0-9A-Za-z])", re.A)
"""A mobile number of the national numbering plan (YD/T 1138): 11 digits from 13 to 19, written with or without +86 and
separators. Bounded by letters too, since event ids are hexadecimal."""

NUMBERS = frozenset({"offset", "partition", "from", "until", "lag", "version", "records", "bytes", "timestamp"})
"""Fields whose integers are counts or positions, although a large one may look like a mobile number."""

_PLAIN = (bool, float, type(None))


def redact(text: str) -> str:
    """`text` with person ids as `[id]` and mobile numbers as `[phone]`."""
    return MOBILE.sub("[phone]", PERSON_ID.sub("[id]", text))


def redact_value(value: Any) -> Any:
    """The same for anything that a log line may hold: mappings (keys too), sequences, integers, objects by their repr.

    What needs no change comes back as it is; what does is a plain copy.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, int):
        text = str(value)
        return value if redact(text) == text else redact(text)
    if isinstance(value, Mapping):
        return {
            redact_value(key): inner if key in NUMBERS and isinstance(inner, int) else redact_value(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(inner) for inner in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return redact(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, BaseException):
        return type(value).__name__  # its text may quote a record in a shape that no pattern knows
    return redact(repr(value))


def redact_event(logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """structlog processor: the last one before rendering."""
    clean: dict[str, Any] = redact_value(event)
    return clean
