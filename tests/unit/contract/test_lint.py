"""Lint: the city's contracts have nothing to mend, and each rule finds what it is for."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.contract.contracts import load_contracts
from streams.contract.lint import Finding, lint
from streams.settings import ROOT
from tests.unit.contract.bus_of import CONTRACTS, DIVISIONS

SOURCE = ROOT / "schemas" / "avro" / "health" / "test.result"
Edit = Callable[[dict[str, Any]], object]


def test_the_citys_contracts_have_nothing_to_mend() -> None:
    assert lint(CONTRACTS.values(), DIVISIONS) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A contract with one version, to be spoilt."""
    shutil.copytree(SOURCE, tmp_path / "health" / "test.result")
    return tmp_path / "health" / "test.result"


def findings(folder: Path) -> list[Finding]:
    return lint(load_contracts(folder.parent.parent).values(), DIVISIONS)


def rewrite(file: Path, edit: Edit, to: Path | None = None) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    edit(content)
    (to or file).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def field(number: int, **changes: Any) -> Edit:
    return lambda schema: schema["fields"][number].update(changes)


def without_rules(folder: Path) -> None:
    """A rule that cannot judge its field's type is found by the loader already: lint comes after it."""
    path = folder / "event.yaml"
    path.write_text(re.sub(r", rules: \[.*\]", "", path.read_text(encoding="utf-8")), encoding="utf-8")


ENUM = {"type": "enum", "name": "TestResult", "doc": "d", "symbols": ["NEGATIVE", "POSITIVE", "UNKNOWN"]}


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (field(5, doc=" "), "field laboratory has no doc"),
        (lambda s: s.update(doc=""), "type HealthTestResult has no doc"),
        (lambda s: s.update(namespace="other"), "the record must be haihe.health.HealthTestResult"),
        (field(4, type=ENUM), "needs a default among its symbols"),
        (field(4, type={**ENUM, "symbols": ["NEGATIVE", "POSITIVE", "unknown"], "default": "unknown"}), "UPPER_CASE"),
        (field(0, type="string"), "field event_id must have the type"),
        (field(1, type="long"), "field occurred_at must have the type"),
        (lambda s: s["fields"].reverse(), "the first fields must be"),
        (field(5, logicalType="uuid"), "logicalType belongs inside the type"),
        (field(5, type={"type": "long", "logicalType": "timestamp-micros"}), "is not among"),
        (field(5, type=["string", "null"]), "null first"),
        (field(5, type=["null", "string"]), "its default must be null"),
        (field(5, type=["null", "string", "long"], default=None), "null and one other type"),
        (field(5, type={"type": "array", "items": "null"}), "without size"),
        (
            field(5, type={"type": "record", "name": "lab", "fields": [{"name": "n", "type": "string"}]}),
            "field laboratory, field n has no doc",
        ),
        (
            field(5, type={"type": "map", "values": {"type": "record", "name": "lab", "doc": "d", "fields": []}}),
            "must be in CamelCase",
        ),
    ],
)
def test_lint_finds_what_is_wrong_in_a_schema(folder: Path, edit: Edit, said: str) -> None:
    without_rules(folder)
    rewrite(folder / "1.avsc", edit)
    found = findings(folder)
    assert any(said in message for file, message in found if file == folder / "1.avsc"), found


@pytest.mark.parametrize(
    ("name", "type_", "default", "said"),
    [
        ("sampledAt", "string", "", "must be in snake_case"),
        ("sampled_at", "long", 0, "is a moment"),
        ("valid_until", ["null", "long"], None, "is a moment"),
    ],
)
def test_lint_finds_a_field_with_a_wrong_name_or_unit(
    folder: Path, name: str, type_: Any, default: Any, said: str
) -> None:
    new = {"name": name, "type": type_, "default": default, "doc": "d"}
    rewrite(folder / "1.avsc", lambda schema: schema["fields"].append(new))
    with (folder / "event.yaml").open("a", encoding="utf-8") as file:
        file.write(f"  {name}: {{sensitivity: none}}\n")
    assert any(said in message for _, message in findings(folder))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("owner: 市卫生健康委", "owner: health", "in Chinese"),
        ("  en: One", "  en: ' '\n#", "must say something"),
        ("publishers: [wjw]", "publishers: []", "somebody must be allowed"),
        ("publishers: [wjw]", "publishers: [w.jw]", "without a dot"),
        ("retention_days: 30", "", "retention_days is for events"),
        ("person_id: {sensitivity: sensitive", "person_id: {sensitivity: none", "is about a person"),
    ],
)
def test_lint_finds_what_is_wrong_in_event_yaml(folder: Path, old: str, new: str, said: str) -> None:
    path = folder / "event.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert any(said in message for file, message in findings(folder) if file == path)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda e: e.update(division="99"), "would be refused: unknown-division"),
        (lambda e: e.update(publisher="cdc"), "none of the contract's publishers"),
        (lambda e: e.update(extra=1), "unknown field extra"),
        (lambda e: e.pop("laboratory"), "field laboratory is missing"),
    ],
)
def test_lint_finds_an_example_that_the_bus_would_not_take(folder: Path, edit: Edit, said: str) -> None:
    file = folder / "examples" / "1" / "positive.json"
    rewrite(file, edit)
    found = findings(folder)
    assert any(said in message for at, message in found if at == file), found


def test_lint_asks_for_examples_of_every_version(folder: Path) -> None:
    rewrite(folder / "1.avsc", lambda s: None, to=folder / "2.avsc")
    assert any("version 2 has no example" in message for _, message in findings(folder))


@pytest.mark.parametrize(
    ("edit", "conflicts"),
    [
        (
            lambda s: s["fields"].append({"name": "device", "type": ["null", "string"], "default": None, "doc": "d"}),
            False,
        ),
        (lambda s: s["fields"][4]["type"]["symbols"].append("WEAK"), False),
        (lambda s: s["fields"].append({"name": "device", "type": "string", "doc": "d"}), True),
        (lambda s: s["fields"].pop(5), True),
        (lambda s: s["fields"][5].update(type="long"), True),
    ],
)
def test_versions_that_do_not_read_one_another_are_found(folder: Path, edit: Edit, conflicts: bool) -> None:
    rewrite(folder / "1.avsc", edit, to=folder / "2.avsc")
    text = (folder / "event.yaml").read_text(encoding="utf-8").replace(", rules: [not-empty]", "")
    names = [f["name"] for f in json.loads((folder / "2.avsc").read_text(encoding="utf-8"))["fields"]]
    if "device" in names:
        text += "  device: {sensitivity: none}\n"
    if "laboratory" not in names:
        text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("  laboratory"))
    (folder / "event.yaml").write_text(text, encoding="utf-8")
    assert any("cannot read" in message for _, message in findings(folder)) == conflicts
