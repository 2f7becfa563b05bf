"""Two files say who may publish what, for two reasons: the contract (who is believed) and the layout (which topics
exist). They must say the same."""

from streams.chains.layout import load_layout
from streams.settings import ROOT
from tests.unit.contract.bus_of import CONTRACTS


def test_the_layout_has_an_input_topic_for_exactly_the_publishers_of_the_contracts() -> None:
    layout = load_layout(ROOT / "deploy" / "tianjin" / "layout.yaml")
    assert layout.inputs() == sorted(topic for contract in CONTRACTS.values() for topic in contract.input_topics)
