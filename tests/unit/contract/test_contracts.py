"""Contracts as files: what is read, and which mistakes are found when they are read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.contract.contracts import load_contracts
from streams.errors import ConfigError
from streams.settings import ROOT
from tests.unit.contract.bus_of import CONTRACTS

SCHEMAS = ROOT / "schemas" / "avro"
EVENT_TYPES = {
    "health.test.result",
    "health.contact.identified",
    "health.area.stayed",
    "health.national.checked",
    "health.evidence.corrected",
    "health.code.changed",
    "grid.alert.changed",
    "ref.residence",
    "ref.roster",
    "bus.audit",
}


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A copy of the contract health.test.result, in a tree of its own."""
    shutil.copytree(SCHEMAS / "health" / "test.result", tmp_path / "health" / "test.result")
    return tmp_path / "health" / "test.result"


def test_every_event_type_of_the_health_code_has_a_contract() -> None:
    assert set(CONTRACTS) >= EVENT_TYPES


def test_a_contract_says_who_answers_and_who_may_publish() -> None:
    contract = CONTRACTS["health.evidence.corrected"]
    assert (contract.owner, contract.key, contract.partition_group) == ("市卫生健康委", "person_id", "person")
    assert contract.input_topics == ("in.wjw.health.evidence.corrected", "in.cdc.health.evidence.corrected")
    assert contract.sensitivity["person_id"] == "sensitive"


def test_what_only_the_bus_writes_has_no_input_topic() -> None:
    assert CONTRACTS["health.code.changed"].input_topics == ()
    assert CONTRACTS["ref.roster"].retention is None


def _replace(old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "event.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def _third_version(folder: Path) -> None:
    shutil.copy(folder / "1.avsc", folder / "3.avsc")


def _named_schema(folder: Path) -> None:
    shutil.copy(folder / "1.avsc", folder / "draft.avsc")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_replace("sharing:", "shareing:"), "shareing.*did you mean `sharing`"),
        (_replace("sensitivity: internal", "sensitivity: secret"), "Invalid enum value"),
        (_replace("key: person_id", "key: person"), "key `person` must be a string field"),
        (_replace("key: person_id", "key: occurred_at"), "must be a string field"),
        (_replace("  laboratory:", "  labratory:"), "did you mean `laboratory`"),
        (_replace("  result: {sensitivity: internal}\n", ""), "field `result` of the schema has no sensitivity"),
        (_replace("check-character", "check-caracter"), "did you mean `check-character`"),
        (
            _replace("  result: {sensitivity: internal}", "  result: {sensitivity: internal, rules: [division]}"),
            "cannot judge",
        ),
        (_third_version, "without a gap"),
        (_named_schema, "named by its version"),
        (lambda folder: (folder / "1.avsc").write_text("{"), "not readable as JSON"),
        (lambda folder: (folder / "1.avsc").write_text("[]"), "must hold a JSON object"),
        (lambda folder: (folder / "1.avsc").unlink(), "versions must be"),
    ],
)
def test_a_mistake_in_a_contract_is_one_sentence(one: Path, edit: Callable[[Path], None], said: str) -> None:
    edit(one)
    with pytest.raises(ConfigError, match=said) as caught:
        load_contracts(one.parent.parent)
    assert str(one) in str(caught.value)


def test_a_folder_without_contracts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no contract"):
        load_contracts(tmp_path)


def test_versions_are_in_order_and_the_newest_is_the_latest(one: Path) -> None:
    schema = json.loads((one / "1.avsc").read_text(encoding="utf-8"))
    for number in range(2, 12):
        (one / f"{number}.avsc").write_text(json.dumps(schema), encoding="utf-8")
    contract = load_contracts(one.parent.parent)["health.test.result"]
    assert list(contract.versions) == list(range(1, 12))
    assert contract.latest == 11
