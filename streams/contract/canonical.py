"""Schemas compared and stripped: what two texts of one schema have in common, and what only annotates it.

Registries give a re-formatted text, or one without its docs, a new id. Such an id still means the same bytes, so a
schema is recognised by its Parsing Canonical Form (Avro 1.11 specification, "Parsing Canonical Form for Schemas").
"""

from typing import Any

from fastavro.schema import to_parsing_canonical_form

Schema = dict[str, Any]
"""A record schema as JSON has it, not parsed by fastavro."""


def canonical(schema: Any) -> str:
    """Parsing Canonical Form of a schema: equal texts are written with equal bytes. Raises fastavro's
    SchemaParseException or UnknownType for what is no schema."""
    return to_parsing_canonical_form(without_parser_marks(schema))


def without_parser_marks(schema: Any) -> Any:
    """The schema as JSON has it: fastavro marks what it parsed (`__fastavro_parsed__`, `__named_schemas`)."""
    return _without(schema, lambda key: key.startswith("__"))


def without_logical_types(schema: Any) -> Any:
    """The schema with every `logicalType` taken off: fastavro then reads a timestamp as int and a UUID as str, which is
    what flows compare and msgspec stores, and spares a datetime and a UUID object per record."""
    return _without(schema, lambda key: key == "logicalType" or key.startswith("__"))


def _without(node: Any, unwanted: Any) -> Any:
    if isinstance(node, dict):
        # A default is data, not schema: its keys are the user's.
        return {k: v if k == "default" else _without(v, unwanted) for k, v in node.items() if not unwanted(k)}
    if isinstance(node, list):
        return [_without(item, unwanted) for item in node]
    return node
