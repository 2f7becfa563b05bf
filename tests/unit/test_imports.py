"""Imports point one way: engine, contract and flows know nothing of each other, the edges nothing of the city, and each
library has one home. Read from the source with `ast`, so that an import inside a function counts too."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

COMMON = {"streams.errors", "streams.declaration", "streams.settings", "streams.observe"}
EVERY_ZONE = {
    "streams.engine",
    "streams.contract",
    "streams.flows",
    "streams.governance",
    "streams.chains",
    "streams.local",
    "streams.demo",
    "streams.cli",
    "connectors",
}

ALLOWED: dict[str, set[str]] = {
    "streams.errors": set(),
    "streams.declaration": {"streams.errors"},
    "streams.settings": {"streams.errors", "streams.declaration"},
    "streams.observe": {"streams.errors", "streams.declaration", "streams.settings"},
    # Pure functions of the city: no metrics, no settings, nothing that is not their arguments.
    "streams.flows": {"streams.errors", "streams.declaration"},
    "streams.engine": COMMON,
    "streams.contract": COMMON,
    "streams.local": COMMON,
    "streams.governance": COMMON | {"streams.contract"},
    "streams.chains": COMMON | {"streams.flows", "streams.governance", "streams.contract", "streams.engine"},
    "connectors": COMMON | {"streams.engine", "streams.contract"},
    "streams.demo": COMMON | EVERY_ZONE - {"streams.cli"},
    "streams.cli": COMMON | EVERY_ZONE,
    "streams.__main__": {"streams.cli"},
    "streams": set(),
}
"""Zone to the zones it may import (itself always)."""

LIBRARIES: dict[str, tuple[str, ...]] = {
    "faust": ("streams.engine",),
    "mode": ("streams.engine",),
    "confluent_kafka": ("streams.engine", "connectors.mirror"),
    "confluent_kafka.schema_registry": ("streams.contract.registry",),
    "fastavro": ("streams.contract",),
    "aiokafka": (),
}
"""Library (the longest name that matches counts) to the modules or packages that may import it."""


class Import(NamedTuple):
    importer: str
    line: int
    imported: str

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def _modules() -> dict[str, Path]:
    """Dotted name to file, of the product's modules."""
    found = {}
    for package in ("streams", "connectors"):
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = _modules()


def _imports(module: str, source: str, is_package: bool = False) -> Iterator[Import]:
    """Every import of `source`; `from x import y` counts as x.y when that is a module, so packages hide nothing."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(module, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                above = parts[: len(parts) - node.level + (1 if is_package else 0)]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield Import(module, node.lineno, full if full in MODULES or base in ("streams", "") else base)


def _all_imports() -> list[Import]:
    return [
        found
        for module, file in MODULES.items()
        for found in _imports(module, file.read_text(encoding="utf-8"), file.name == "__init__.py")
    ]


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _zone(module: str) -> str | None:
    """The longest name in ALLOWED that the module lies in; None for libraries."""
    fitting = [zone for zone in ALLOWED if _within(module, zone) and (zone != "streams" or module == "streams")]
    return max(fitting, key=len, default=None)


def _breaks_direction(found: Import) -> bool:
    importer, imported = _zone(found.importer), _zone(found.imported)
    if importer is None:
        return True
    if imported is None:
        return _within(found.imported, "streams")
    return imported not in {importer, "streams"} | ALLOWED[importer]


def _breaks_home(found: Import) -> bool:
    library = max((name for name in LIBRARIES if _within(found.imported, name)), key=len, default=None)
    return library is not None and not any(_within(found.importer, home) for home in LIBRARIES[library])


def test_every_module_lies_in_a_zone_with_a_rule() -> None:
    """A new folder under streams/ needs a line in ALLOWED before it can be used."""
    assert len(MODULES) > 10, "no modules found: this test would pass on nothing"
    assert [module for module in MODULES if _zone(module) is None] == []


def test_zones_import_only_what_lies_below_them() -> None:
    """engine, contract and flows are leaves; governance knows contract; chains wire those; connectors the engine."""
    imports = _all_imports()
    assert any(_within(found.imported, "streams") for found in imports), "no imports found"
    assert [str(found) for found in imports if _breaks_direction(found)] == []


def test_each_library_is_imported_only_in_its_home() -> None:
    """Faust and librdkafka live in the engine, fastavro in contract, aiokafka nowhere."""
    imports = _all_imports()
    for library in ("faust", "confluent_kafka", "fastavro"):
        assert any(_within(found.imported, library) for found in imports), f"nobody imports {library}: a stale rule?"
    assert [str(found) for found in imports if _breaks_home(found)] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streams.engine.source", "import streams.chains.intake"),
        ("streams.engine.source", "from streams.contract import wire"),
        ("streams.engine.source", "from streams import flows"),
        ("streams.engine.source", "def later():\n    from ..chains import intake"),
        ("streams.flows.health_code", "from streams.settings import Settings"),
        ("streams.flows.health_code", "from streams.observe import metrics"),
        ("streams.governance.view", "from streams.engine.reader import Reader"),
        ("streams.local.stack", "from streams.engine.admin import Admin"),
        ("connectors.gateway.app", "from streams.governance import view"),
        ("streams.observe.log", "from streams.engine import client"),
        ("streams.unheard_of", "import os"),
    ],
)
def test_a_wrong_direction_is_seen(module: str, source: str) -> None:
    """However it is written, an import against the direction is found."""
    assert any(_breaks_direction(found) for found in _imports(module, source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streams.chains.intake", "import fastavro"),
        ("streams.cli.tail", "from confluent_kafka.admin import AdminClient"),
        ("streams.engine.source", "from confluent_kafka.schema_registry import SchemaRegistryClient"),
        ("streams.contract.registry", "from confluent_kafka import Consumer"),
        ("streams.engine.source", "import aiokafka"),
        ("streams.demo.publish", "import faust.app"),
    ],
)
def test_a_library_outside_its_home_is_seen(module: str, source: str) -> None:
    """A library used elsewhere is found, also by a submodule."""
    assert any(_breaks_home(found) for found in _imports(module, source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streams.chains.intake", "from streams.contract import wire\nfrom streams.flows.flow import Flow"),
        ("streams.contract.registry", "from confluent_kafka.schema_registry import SchemaRegistryClient"),
        ("streams.flows.health_code", "from streams.errors import Rejection\nfrom . import flow"),
        ("streams.engine.source", "from streams.observe import metrics\nimport confluent_kafka"),
    ],
)
def test_a_right_import_is_left_alone(module: str, source: str) -> None:
    """What the rules allow is not reported."""
    found = list(_imports(module, source))
    assert found
    assert not any(_breaks_direction(one) or _breaks_home(one) for one in found)
