"""Reading Avro's numbers and texts out of encoded bytes (Avro 1.11 specification, "Binary Encoding").

Used where a compiled validator has already accepted the record, except `long_varint`, which the validators call.
"""


class Invalid(ValueError):
    """A record is not what its schema says. `reason` is a fixed word (a metric label), `byte` counts from the start of
    the value, header included; `field` is the top-level field. Never holds a value of the record."""

    def __init__(self, reason: str, byte: int, field: str = "") -> None:
        super().__init__(reason)
        self.reason, self.byte, self.field = reason, byte, field

    def __str__(self) -> str:
        return f"{self.reason} at byte {self.byte}" + (f", field {self.field}" if self.field else "")


def long_varint(v: bytes, p: int) -> tuple[int, int]:
    """The varint at `p`, still zig-zag encoded, and the position after it. Raises IndexError at the end of the bytes,
    Invalid (`bad-number`) when it does not fit into 64 bits."""
    n = shift = 0
    start = p
    while True:
        b = v[p]
        p += 1
        n |= (b & 127) << shift
        if b < 128:
            if n >> 64:
                raise Invalid("bad-number", start)
            return n, p
        shift += 7
        if shift > 63:
            raise Invalid("bad-number", start)


def number(v: bytes, p: int) -> int:
    """The int or long that starts at `p`."""
    n, _ = long_varint(v, p)
    return (n >> 1) ^ -(n & 1)


def text(v: bytes, start: int, stop: int) -> bytes:
    """UTF-8 bytes of the string field that lies from `start` to `stop`, without its length."""
    if v[start] < 128:
        return v[start + 1 : stop]
    return v[long_varint(v, start)[1] : stop]
