"""Compiles an Avro record schema into a Python function over the encoded bytes.

Decoding a record into objects costs fastavro about 5 us, and most flows look at two fields of twelve. The generated
`offsets(value)` checks the whole record in 2 us without decoding it and says where each top-level field lies.

fastavro is the judge: what `offsets` accepts, fastavro reads to the last byte. It refuses more than fastavro does only
where the specification is on its side (each with a test):

- a number that does not fit its type (int 32 bits, long 64 bits, at most 5 and 10 bytes); fastavro wraps or widens
- an enum or union index below zero; fastavro counts it from the end, as Python does
- a boolean other than 0 and 1; fastavro takes any byte for true
- a UUID in another form than 8-4-4-4-12 hexadecimal digits (RFC 9562); Python takes braces, urn: and no hyphens
- an array or map block that announces another size in bytes than it has; fastavro never looks at it
- bytes left over after the record

A field whose type the compiler does not support is checked by fastavro itself (slow.py): same verdict, only slower.
Recursive types and array items without size must be refused before (hazard.py).
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fastavro
from fastavro.read import LOGICAL_READERS

from streams.contract.slow import slow_skip
from streams.contract.varint import Invalid, long_varint
from streams.contract.wire import HEADER

FIRST_MILLIS, LAST_MILLIS = -62_135_596_800_000, 253_402_300_799_999
"""0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what a date can be, in Python as in SQL."""

_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOST_LINES = 4_000  # of one field: a type used over and over is written out each time
_DEEPEST = 40  # indentation; Python itself stops at 100
_MOST_LOOPS = 8  # arrays and maps inside one another; Python allows 20 nested blocks, one takes two


class _Unsupported(Exception):
    """This type is fastavro's."""


@dataclass(frozen=True)
class Compiled:
    """A schema's validator. `offsets(value)` returns where each of `fields` starts, then where the last ends, counted
    from the start of the value (header included, not looked at), or raises Invalid. `slow` are the fields left to
    fastavro."""

    fields: tuple[str, ...]
    offsets: Callable[[bytes], tuple[int, ...]]
    slow: tuple[str, ...]
    source: str

    @property
    def is_compiled(self) -> bool:
        """False when a field takes the slow path: worth a metric, not an error."""
        return not self.slow


def compile_schema(schema: dict[str, Any]) -> Compiled:
    """Compile a record schema without hazards. Raises fastavro's SchemaParseException or UnknownType for no schema,
    ValueError for a schema that is not a record."""
    named: dict[str, Any] = {}
    parsed: Any = fastavro.parse_schema(schema, named)
    if not isinstance(parsed, dict) or parsed.get("type") != "record":
        raise ValueError("the schema of a topic must be a record")
    writer = _Writer(named)
    writer.emit(0, "def offsets(v):")
    writer.emit(1, "end = len(v)", f"p = {HEADER}", "try:", "    pass")
    names = tuple(field["name"] for field in parsed["fields"])
    begins: list[int] = []
    slow: list[str] = []
    for i, field in enumerate(parsed["fields"]):
        writer.begun = len(writer.lines)
        begins.append(writer.begun + 1)
        writer.emit(2, f"f{i} = p")
        try:
            writer.skip(field["type"], 2, 0)
        except _Unsupported:
            del writer.lines[writer.begun + 1 :]
            slow.append(field["name"])
            writer.scope[f"slow{i}"] = slow_skip(field["type"], named)
            writer.emit(2, f"p = slow{i}(v, p)")
    writer.emit(1, "except (IndexError, ValueError) as error:", "    raise refused(error, p, end) from None")
    writer.emit(1, "if p != end:", "    raise Invalid('truncated' if p > end else 'left-over', min(p, end))")
    writer.emit(1, "return " + "".join(f"f{i}, " for i in range(len(names))) + "p,")

    def refused(error: Exception, p: int, end: int) -> Invalid:
        """Which field it was: the line that raised says so, and the accepted records pay nothing for it."""
        assert error.__traceback__ is not None
        at = bisect_right(begins, error.__traceback__.tb_lineno) - 1
        field = names[at] if at >= 0 else ""
        if isinstance(error, Invalid):
            return Invalid(error.reason, error.byte, field)
        return (
            Invalid("bad-text", p, field) if isinstance(error, UnicodeDecodeError) else Invalid("truncated", end, field)
        )

    source = "\n".join(writer.lines)
    scope = {
        **writer.scope,
        "Invalid": Invalid,
        "long_varint": long_varint,
        "is_uuid": _UUID.fullmatch,
        "refused": refused,
    }
    exec(compile(source, f"<avro {parsed['name']}>", "exec"), scope)
    return Compiled(names, scope["offsets"], tuple(slow), source)


class _Writer:
    """Writes the lines of one function. In them `v` is the value, `end` its length and `p` the position."""

    def __init__(self, named: dict[str, Any]) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {}
        self.named = named
        self.variables = 0
        self.begun = 0  # line at which the present field begins

    def emit(self, depth: int, *lines: str) -> None:
        if depth > _DEEPEST or len(self.lines) - self.begun > _MOST_LINES:
            raise _Unsupported
        self.lines += ["    " * depth + line for line in lines]

    def variable(self) -> str:
        self.variables += 1
        return f"n{self.variables}"

    def raw(self, d: int) -> str:
        """Reads a varint, still zig-zag encoded: one byte in the common case."""
        n = self.variable()
        self.emit(d, f"{n} = v[p]", "p += 1", f"if {n} > 127:", f"    {n}, p = long_varint(v, p - 1)")
        return n

    def size(self, d: int, reason: str) -> str:
        """Reads a length or count that must not be negative."""
        n = self.raw(d)
        self.emit(d, f"if {n} & 1:", f"    raise Invalid('{reason}', p)", f"{n} >>= 1")
        return n

    def skip(self, schema: Any, d: int, loops: int) -> None:
        """Writes the check of one value of `schema`, which moves `p` behind it."""
        if isinstance(schema, list):
            self.union(schema, d, loops)
            return
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind in self.named:
            self.skip(self.named[kind], d, loops)
            return
        logical = f"{kind}-{schema['logicalType']}" if isinstance(schema, dict) and "logicalType" in schema else ""
        if logical in _LOGICAL:
            _LOGICAL[logical](self, d)
            return
        if logical in LOGICAL_READERS:
            raise _Unsupported
        if kind in _PLAIN:
            _PLAIN[kind](self, d)
            return
        match kind:
            case "null":
                pass
            case "fixed":
                self.emit(d, f"p += {int(schema['size'])}")
            case "enum":
                n = self.raw(d)
                limit = 2 * len(schema["symbols"])
                self.emit(d, f"if {n} & 1 or {n} >= {limit}:", "    raise Invalid('bad-enum', p - 1)")
            case "record" | "error":
                for field in schema["fields"]:
                    self.skip(field["type"], d, loops)
            case "array":
                self.blocks(schema["items"], d, loops, keyed=False)
            case "map":
                self.blocks(schema["values"], d, loops, keyed=True)
            case _:
                raise _Unsupported

    def union(self, branches: list[Any], d: int, loops: int) -> None:
        if not branches:
            raise _Unsupported
        n = self.raw(d)
        for i, branch in enumerate(branches):
            self.emit(d, f"{'elif' if i else 'if'} {n} == {2 * i}:", "    pass")
            self.skip(branch, d + 1, loops)
        self.emit(d, "else:", "    raise Invalid('bad-union', p - 1)")

    def blocks(self, item: Any, d: int, loops: int, keyed: bool) -> None:
        if loops >= _MOST_LOOPS:
            raise _Unsupported
        n, i, stop = self.variable(), self.variable(), self.variable()
        self.emit(d, "while True:")
        read = self.raw(d + 1)
        self.emit(d + 1, f"if not {read}:", "    break", f"{stop} = -1", f"{n} = ({read} + 1) >> 1", f"if {read} & 1:")
        announced = self.size(d + 2, "bad-block")
        self.emit(d + 2, f"{stop} = p + {announced}")
        # An item takes a byte at least, so a count beyond the bytes left is refused before anything loops over it.
        self.emit(
            d + 1, f"if {n} > end - p:", "    raise Invalid('truncated', p)", f"for {i} in range({n}):", "    pass"
        )
        if keyed:
            self.string(d + 2)
        self.skip(item, d + 2, loops + 1)
        self.emit(d + 1, f"if {stop} >= 0 and p != {stop}:", "    raise Invalid('bad-block', p)")

    def boolean(self, d: int) -> None:
        self.emit(d, "if v[p] > 1:", "    raise Invalid('bad-boolean', p)", "p += 1")

    def number64(self, d: int) -> None:
        self.emit(d, "q = p", "while v[p] > 127:", "    p += 1", "p += 1")
        self.emit(d, "if p - q > 9 and (p - q > 10 or v[p - 1] > 1):", "    raise Invalid('bad-number', q)")

    def number32(self, d: int) -> None:
        self.emit(d, "q = p", "while v[p] > 127:", "    p += 1", "p += 1")
        self.emit(d, "if p - q > 4 and (p - q > 5 or v[p - 1] > 15):", "    raise Invalid('bad-number', q)")

    def millis(self, d: int) -> None:
        self.emit(
            d, "q = p", "while v[p] > 127:", "    p += 1", "p += 1", "if p - q > 6:"
        )  # 6 bytes reach from 1900 to 2039
        self.emit(d + 1, "n, p = long_varint(v, q)", "n = (n >> 1) ^ -(n & 1)")
        self.emit(d + 1, f"if not {FIRST_MILLIS} <= n <= {LAST_MILLIS}:", "    raise Invalid('bad-timestamp', q)")

    def octets(self, d: int) -> str:
        n = self.size(d, "bad-length")
        self.emit(d, f"if {n} > end - p:", "    raise Invalid('truncated', p)", f"p += {n}")
        return n

    def string(self, d: int) -> None:
        n = self.octets(d)
        self.emit(d, f"str(v[p - {n}:p], 'utf-8')")

    def uuid(self, d: int) -> None:
        n = self.octets(d)
        self.emit(d, f"if {n} != 36 or not is_uuid(v, p - 36, p):", f"    raise Invalid('bad-uuid', p - {n})")

    def four(self, d: int) -> None:
        self.emit(d, "p += 4")

    def eight(self, d: int) -> None:
        self.emit(d, "p += 8")


_PLAIN: dict[str, Callable[[_Writer, int], object]] = {
    "boolean": _Writer.boolean,
    "int": _Writer.number32,
    "long": _Writer.number64,
    "float": _Writer.four,
    "double": _Writer.eight,
    "bytes": _Writer.octets,
    "string": _Writer.string,
}
_LOGICAL: dict[str, Callable[[_Writer, int], object]] = {
    "string-uuid": _Writer.uuid,
    "long-timestamp-millis": _Writer.millis,
}
