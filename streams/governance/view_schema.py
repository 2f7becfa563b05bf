"""The Avro schema of a view, derived from its source's: a subscriber reads it with the usual deserializer.

The metadata fields stay as they are. Every granted field becomes nullable with default null, so that one that is
withdrawn later is written as null and both old and new readers go on (FULL_TRANSITIVE).
"""

from collections.abc import Mapping
from typing import Any

from streams.governance.grant import Grant
from streams.governance.mask import MaskName

METADATA = ("event_id", "occurred_at", "publisher")
"""Fields that every view carries: without them a subscriber could not tell repeats, place or attribute an event."""

Schema = dict[str, Any]
"""An Avro schema as JSON gives it."""

_NAMED = ("enum", "fixed", "record", "error")


def view_schema(grant: Grant, source: Schema, masks: Mapping[str, MaskName]) -> Schema:
    """The schema of the view that gives the fields in `masks` (metadata included), in the order of the source's."""
    fields = []
    named = _definitions(source)
    defined: set[str] = set()
    for field in source["fields"]:
        name = field["name"]
        if name not in masks:
            continue
        doc = field.get("doc", "")
        if masks[name] != "keep":
            # What a mask makes of it is no UUID and no code any more, only text.
            note = f"Masked for this subscriber ({masks[name]})."
            fields.append({"name": name, "type": ["null", "string"], "default": None, "doc": f"{doc} {note}".strip()})
        elif name in METADATA:
            fields.append({"name": name, "type": _once(field["type"], named, defined), "doc": doc})
        else:
            branches = field["type"] if isinstance(field["type"], list) else [field["type"]]
            kept = [_once(branch, named, defined) for branch in branches if branch != "null"]
            fields.append({"name": name, "type": ["null", *kept], "default": None, "doc": doc})
    return {
        "type": "record",
        "name": f"{source['name']}View",
        # The source's, so that the types it defines keep their names.
        "namespace": source.get("namespace", ""),
        "doc": f"What {grant.subscriber} receives of {grant.event_type}. {source.get('doc', '')}".strip(),
        "fields": fields,
    }


def _definitions(schema: Any) -> dict[str, Schema]:
    """Every named type that a schema defines, by its name as written and without namespace."""
    found: dict[str, Schema] = {}
    if isinstance(schema, list):
        for branch in schema:
            found |= _definitions(branch)
    elif isinstance(schema, dict):
        if schema.get("type") in _NAMED:
            found[schema["name"]] = found[schema["name"].rpartition(".")[2]] = schema
        for inner in ("type", "items", "values"):
            if isinstance(schema.get(inner), dict | list):
                found |= _definitions(schema[inner])
        for field in schema.get("fields", ()):
            found |= _definitions(field["type"])
    return found


def _once(type_: Any, named: Mapping[str, Schema], defined: set[str]) -> Any:
    """`type_` with each named type written out where it is used first and by its name from then on: the field that
    defined it in the source may not be granted."""
    if isinstance(type_, list):
        return [_once(branch, named, defined) for branch in type_]
    if isinstance(type_, str):
        short = type_.rpartition(".")[2]
        return _once(named[short], named, defined) if short in named and short not in defined else type_
    if type_["type"] in _NAMED:
        short = type_["name"].rpartition(".")[2]
        if short in defined:
            return type_["name"]
        defined.add(short)
        if "fields" in type_:
            inner = [{**field, "type": _once(field["type"], named, defined)} for field in type_["fields"]]
            return {**type_, "fields": inner}
        return type_
    nested = {k: _once(type_[k], named, defined) for k in ("items", "values") if k in type_}
    if isinstance(type_["type"], dict | list):
        nested["type"] = _once(type_["type"], named, defined)
    return {**type_, **nested}
