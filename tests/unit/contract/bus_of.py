"""The city's contracts and released schemas as tests need them: loaded once, registered nowhere."""

from typing import Any

from streams.contract.contracts import load_contracts
from streams.contract.division import Divisions
from streams.contract.released import Released
from streams.settings import ROOT

CONTRACTS = load_contracts(ROOT / "schemas" / "avro")
DIVISIONS = Divisions.load(ROOT / "deploy" / "tianjin" / "divisions.csv")
DAY = 86_400_000


def released() -> Released:
    """Every version of every contract, under schema ids from 1."""
    schemas = Released(CONTRACTS, DIVISIONS)
    for schema_id, (event_type, number) in enumerate(
        ((event_type, number) for event_type, contract in CONTRACTS.items() for number in contract.versions), 1
    ):
        schemas.apply(*Released.record(event_type, number, schema_id, CONTRACTS[event_type].versions[number]))
    return schemas


def positive() -> dict[str, Any]:
    """A health.test.result that is in order."""
    return dict(CONTRACTS["health.test.result"].examples(1)["positive"])
