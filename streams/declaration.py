"""Reads a YAML declaration into frozen, typed data, strictly: the city's configuration is data, and a misspelling
in it must be found when it is read, not when the rule it meant to change does not fire.

Strict means: an unknown key, a key given twice, a missing key and a value of the wrong type are each a ConfigError that
names the file, the line, the key and, where a key looks misspelt, the one that was probably meant.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from streams.errors import ConfigError

T = TypeVar("T")

_Path = tuple[str | int, ...]


def strict_yaml(path: Path, type: type[T]) -> T:
    """The content of `path` as `type` (a msgspec Struct, or any type that msgspec converts to).

    Raises ConfigError. Unknown keys are refused whether or not the Struct says `forbid_unknown_fields`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    return strict_yaml_text(text, type, str(path))


def strict_yaml_text(text: str, type: type[T], name: str) -> T:
    """Like strict_yaml, for text that is already in memory; `name` is what error messages call it."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        spot = f"{name}:{mark.line + 1}" if mark is not None else name
        raise ConfigError(f"{spot}: not valid YAML: {getattr(error, 'problem', None) or error}") from None
    if node is None:
        raise ConfigError(f"{name} is empty")
    for line, key in _repeated_keys(node):
        raise ConfigError(f"{name}:{line}: key `{key}` is given twice")
    for path_to, key, known in _unknown_keys(data, msgspec.inspect.type_info(type), ()):
        raise ConfigError(f"{name}:{_line(node, (*path_to, key))}: unknown key `{key}`{suggestion(key, known)}")
    try:
        return msgspec.convert(data, type)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at ")
        steps = _steps(at)
        spot = ".".join(str(step) for step in steps)
        raise ConfigError(f"{name}:{_line(node, steps)}: {message}" + (f" at `{spot}`" if spot else "")) from None


def suggestion(word: str, known: Sequence[str]) -> str:
    """`, did you mean `x`?` when one of `known` is near, else `, known are ...`: the tail of an error message."""
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f", did you mean `{near[0]}`?"
    return f", known are: {', '.join(sorted(known))}" if known else ""


def _repeated_keys(node: yaml.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield key.start_mark.line + 1, key.value
                seen.add(key.value)
            yield from _repeated_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)


def _unknown_keys(data: Any, info: msgspec.inspect.Type, where: _Path) -> Iterator[tuple[_Path, str, tuple[str, ...]]]:
    """Keys of `data` that no Struct field accepts, with the path to them and the names that would have been."""
    match info:
        case msgspec.inspect.UnionType(types=types):
            # Judged by the member it fits best: a union is in error only when every member that takes this shape is.
            found = [list(_unknown_keys(data, member, where)) for member in types if _shape_fits(data, member)]
            if found:
                yield from min(found, key=len)
        case msgspec.inspect.StructType() if isinstance(data, dict):
            fields = {field.encode_name: field.type for field in info.fields}
            tag = (info.tag_field,) if info.tag_field else ()
            for key, value in data.items():
                if key in fields:
                    yield from _unknown_keys(value, fields[key], (*where, key))
                elif key not in tag:
                    yield where, str(key), (*fields, *tag)
        case msgspec.inspect.DictType(value_type=inner) if isinstance(data, dict):
            for key, value in data.items():
                yield from _unknown_keys(value, inner, (*where, key))
        case msgspec.inspect.CollectionType(item_type=inner) if isinstance(data, list):
            for position, value in enumerate(data):
                yield from _unknown_keys(value, inner, (*where, position))
        case msgspec.inspect.TupleType(item_types=inners) if isinstance(data, list):
            for position, (value, inner) in enumerate(zip(data, inners, strict=False)):
                yield from _unknown_keys(value, inner, (*where, position))


def _shape_fits(data: Any, info: msgspec.inspect.Type) -> bool:
    if isinstance(data, dict):
        return isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DictType)
    if isinstance(data, list):
        return isinstance(info, msgspec.inspect.CollectionType | msgspec.inspect.TupleType)
    return False


def _steps(at: str) -> _Path:
    """msgspec's "`$.a[0].b`" as ("a", 0, "b"); `[...]` (some value of a mapping) ends the path."""
    steps: list[str | int] = []
    for name, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", at):
        if index == "...":
            break
        steps.append(int(index) if index else name)
    return tuple(steps)


def _line(node: yaml.Node, steps: _Path) -> int:
    """Line (from 1) of the key or item at `steps`, or of the nearest thing above it that has one."""
    line: int = node.start_mark.line + 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if getattr(k, "value", None) == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
