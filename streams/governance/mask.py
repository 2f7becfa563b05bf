"""Masks: what a subscriber sees of a personal field that it needs to recognise but not to know.

Each is a total function over text: a value of a shape that it does not know is covered whole, since a guess could
reveal it and withholding the whole event would cost a grid worker an alert over a landline number. None stays None.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Literal

MaskName = Literal["keep", "name", "phone", "id", "pseudonym"]

COVERED = "****"

_MOBILE = re.compile(r"(?:\+?86)?(1[3-9]\d)\d{4}(\d{4})", re.A)
_PERSON_ID = re.compile(r"(\d{6})\d{8}(\d{3}[\dXx])", re.A)


def name(value: str) -> str:
    """`张三丰` -> `张**`: the first character and two stars, whatever the length, which would narrow the guess."""
    value = value.strip()
    # One character is a whole name, or as good as one.
    return f"{value[0]}**" if len(value) > 1 else COVERED


def phone(value: str) -> str:
    """`13812341234` -> `138****1234`; anything but a mobile number (YD/T 1138) is covered whole."""
    found = _MOBILE.fullmatch(re.sub(r"[ -]", "", value))
    return f"{found[1]}****{found[2]}" if found else COVERED


def person_id(value: str) -> str:
    """`120101199003071234` -> `120101********1234` (GB 11643): the date of birth is covered, as on the city's forms."""
    found = _PERSON_ID.fullmatch(value)
    return f"{found[1]}********{found[2]}" if found else COVERED


def pseudonym(secret: bytes, subscriber: str) -> Callable[[str], str]:
    """A function that gives each value the same 32 hexadecimal characters for one subscriber and others for another,
    so that two of them cannot join what they got: HMAC-SHA256 (RFC 2104) under a key derived for the subscriber,
    truncated to 128 bits. Without the secret, 10^11 possible person ids could simply be tried."""
    key = hmac.digest(secret, f"view/{subscriber}".encode(), hashlib.sha256)

    def apply(value: str) -> str:
        return hmac.digest(key, value.encode(), hashlib.sha256)[:16].hex()

    return apply


PLAIN: dict[str, Callable[[str], str]] = {"name": name, "phone": phone, "id": person_id}
"""The masks that need no secret."""
