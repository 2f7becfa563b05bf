"""One field read by fastavro: for the types that the compiler does not turn into Python.

Same verdict, only slower; because a record mixes such fields with compiled ones, the unit is the field.
"""

import io
from collections.abc import Callable
from typing import Any

import fastavro

from streams.contract.varint import Invalid

Skip = Callable[[bytes, int], int]
"""`skip(value, start) -> stop`: checks the field that begins at `start`; raises Invalid (`unreadable`)."""


def slow_skip(field_type: Any, named: dict[str, Any]) -> Skip:
    """The check of one top-level field of a parsed schema; `named` holds the schema's named types."""
    alone = {"type": "record", "name": "OneField", "fields": [{"name": "it", "type": inlined(field_type, named)}]}
    schema = fastavro.parse_schema(alone)

    def skip(v: bytes, p: int) -> int:
        body = io.BytesIO(v)
        body.seek(p)
        try:
            fastavro.schemaless_reader(body, schema, None)
        except Exception:  # whatever fastavro raises on bad bytes: EOFError, IndexError, decimal and struct errors
            raise Invalid("unreadable", p) from None
        return body.tell()

    return skip


def inlined(node: Any, named: dict[str, Any], seen: set[str] | None = None) -> Any:
    """`node` with each named type defined where it first occurs, so that it can be parsed without its record."""
    seen = set() if seen is None else seen
    if isinstance(node, str):
        return inlined(named[node], named, seen) if node in named and node not in seen else node
    if isinstance(node, list):
        return [inlined(branch, named, seen) for branch in node]
    if node.get("name") in named:
        if node["name"] in seen:
            return node["name"]
        seen.add(node["name"])
    out = {key: value for key, value in node.items() if not key.startswith("__")}
    if "fields" in out:
        out["fields"] = [{**field, "type": inlined(field["type"], named, seen)} for field in out["fields"]]
    for key in ("items", "values"):
        if key in out:
            out[key] = inlined(out[key], named, seen)
    if out["type"] in named:
        out["type"] = inlined(out["type"], named, seen)
    return out
