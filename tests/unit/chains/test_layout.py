"""The layout: which topics follow from a few declarations, and what is said when they contradict each other."""

from pathlib import Path

import pytest

from streams.chains.layout import changelog, load_layout, split_input, topics
from streams.engine.client import MAX_INPUT, MAX_TOPIC
from streams.errors import ConfigError
from streams.settings import ROOT
from tests.unit.contract.bus_of import CONTRACTS

GOOD = """
groups: {person: 24, alert: 24}
publishers: {wjw: [health.test.result]}
chains:
  person: {group: person, flows: [health-code]}
"""
VIEW = "to.jinzhitong.grid.alert.changed"


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "layout.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def specs():
    layout = load_layout(ROOT / "deploy/tianjin/layout.yaml")
    return {spec.name: spec for spec in topics(layout, CONTRACTS, (VIEW,))}


@pytest.mark.parametrize(
    ("from_", "to", "says"),
    [
        ("wjw:", '"w.jw":', "publisher 'w.jw' may not contain a dot"),
        ("group: person", "group: persons", "chain person is in group 'persons', which is not declared under groups"),
        ("flows:", "flow:", "unknown key `flow`, did you mean `flows`?"),
        ("publishers:", "publisher:", "unknown key `publisher`, did you mean `publishers`?"),
        ("  person: {group", "  intake: {group", "the chain intake is built in"),
        ("24", "many", "Expected `int`, got `str`"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_file_and_what_is_wrong(
    written, from_: str, to: str, says: str
) -> None:
    path = written(GOOD.replace(from_, to))
    with pytest.raises(ConfigError) as raised:
        load_layout(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)


def test_an_event_type_without_a_contract_is_an_error_that_names_its_topic(written) -> None:
    layout = load_layout(written(GOOD.replace("health.test.result", "health.tests.result")))
    with pytest.raises(ConfigError, match=r"in\.wjw\.health\.tests\.result: there is no contract"):
        topics(layout, CONTRACTS)


def test_a_contract_in_a_group_that_the_layout_lacks_is_an_error(written) -> None:
    layout = load_layout(
        written(GOOD.replace("person: 24, alert", "people: 24, alert").replace("group: person", "group: people"))
    )
    with pytest.raises(ConfigError, match="partition_group 'person' is not in the layout"):
        topics(layout, CONTRACTS)


def test_each_input_and_city_topic_has_its_dead_letters(specs) -> None:
    with_dead = {name for name in specs if name.split(".")[0] in ("in", "health", "grid")}
    assert with_dead == {name.removeprefix("dead.") for name in specs if name.startswith("dead.")}


def test_all_topics_with_a_persons_key_have_the_groups_partition_count(specs) -> None:
    of_persons = {event for event, contract in CONTRACTS.items() if contract.partition_group == "person"}
    assert {"health.test.result", "health.code.changed", "ref.residence"} <= of_persons
    assert {specs[topic].partitions for topic in (*of_persons, changelog("person"))} == {24}


def test_inputs_take_larger_records_than_the_bus_writes_and_the_brokers_time(specs) -> None:
    config = specs["in.wjw.health.test.result"].config
    assert config["max.message.bytes"] == str(MAX_INPUT)
    assert config["message.timestamp.type"] == "LogAppendTime"


def test_whatever_the_bus_writes_shares_one_limit(specs) -> None:
    limits = {spec.config["max.message.bytes"] for name, spec in specs.items() if not name.startswith("in.")}
    assert limits == {str(MAX_TOPIC)}


def test_tables_changelogs_policy_and_views_are_compacted_and_nothing_else(specs) -> None:
    compacted = {name for name, spec in specs.items() if spec.config.get("cleanup.policy") == "compact"}
    assert compacted == {
        "ref.residence",
        "ref.roster",
        "bus.changelog.person",
        "bus.changelog.alert",
        "bus.policy",
        VIEW,
    }


def test_what_is_not_compacted_says_how_long_it_is_kept(specs) -> None:
    for spec in specs.values():
        assert ("retention.ms" in spec.config) != (spec.config.get("cleanup.policy") == "compact"), spec.name


def test_a_view_keeps_every_record_for_a_day_so_that_clients_resume(specs) -> None:
    assert specs[VIEW].config["min.compaction.lag.ms"] == str(24 * 3600 * 1000)


def test_an_input_topics_name_holds_its_publisher_and_event_type() -> None:
    assert split_input("in.wjw.health.test.result") == ("wjw", "health.test.result")
