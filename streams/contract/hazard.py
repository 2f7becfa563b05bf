"""Schemas that must never be released, because a few bytes written with them can stop a reader.

Recursion: a 5 kB value under a recursive schema overflows fastavro's C stack and kills the process.
Items without size: an array of 2^60 nulls takes ten bytes and a lifetime to read.
"""

from collections.abc import Iterator
from typing import Any

import fastavro


def hazards(schema: Any) -> list[str]:
    """One sentence for each reason to refuse `schema`; empty when it is safe. Raises fastavro's
    SchemaParseException or UnknownType for what is no schema."""
    named: dict[str, Any] = {}
    parsed: Any = fastavro.parse_schema(schema, named)
    found = [f"type {name} contains itself" for name in sorted(_recursive(named))]
    # The size of a recursive type cannot be told, so look at items only when there is none.
    return found or [f"an array has items without size ({what})" for what in _empty_items(parsed, named, set())]


def _recursive(named: dict[str, Any]) -> set[str]:
    uses = {name: _names_in(schema, named, top=True) for name, schema in named.items()}

    def reachable(name: str) -> set[str]:
        seen: set[str] = set()
        todo = list(uses[name])
        while todo:
            step = todo.pop()
            if step not in seen:
                seen.add(step)
                todo += uses[step]
        return seen

    return {name for name in named if name in reachable(name)}


def _names_in(node: Any, named: dict[str, Any], top: bool = False) -> set[str]:
    """Named types that `node` mentions, or defines inside."""
    if isinstance(node, str):
        return {node} & named.keys()
    if isinstance(node, list):
        return set().union(*(_names_in(branch, named) for branch in node))
    if not top and node.get("name") in named:
        return {node["name"]}
    children = [node.get("items"), node.get("values"), *(field["type"] for field in node.get("fields", ()))]
    if node["type"] in named:
        return {node["type"]}
    return set().union(*(_names_in(child, named) for child in children if child is not None))


def _smallest(node: Any, named: dict[str, Any]) -> int:
    """Least number of bytes that a value takes, or 1 for "some"."""
    if isinstance(node, list):
        return 1
    if isinstance(node, str):
        return _smallest(named[node], named) if node in named else int(node != "null")
    match node["type"]:
        case "record" | "error":
            return max((_smallest(field["type"], named) for field in node["fields"]), default=0)
        case "fixed":
            return min(int(node["size"]), 1)
        case "enum" | "array" | "map":
            return 1
        case inner:
            return _smallest(inner, named)


def _empty_items(node: Any, named: dict[str, Any], seen: set[str]) -> Iterator[str]:
    if isinstance(node, str):
        if node in named and node not in seen:
            seen.add(node)
            yield from _empty_items(named[node], named, seen)
    elif isinstance(node, list):
        for branch in node:
            yield from _empty_items(branch, named, seen)
    elif node["type"] == "array":
        if not _smallest(node["items"], named):
            yield str(node["items"]["type"] if isinstance(node["items"], dict) else node["items"])
        yield from _empty_items(node["items"], named, seen)
    elif node["type"] == "map":
        yield from _empty_items(node["values"], named, seen)
    elif "fields" in node:
        for field in node["fields"]:
            yield from _empty_items(field["type"], named, seen)
