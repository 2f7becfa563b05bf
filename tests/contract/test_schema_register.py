"""`haihe schema register` against a real Kafka and a real registry, and a publisher's usual serializer after it."""

from pathlib import Path

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streams.cli import schema as cli
from streams.cli.main import run
from streams.contract.released import Released
from streams.contract.wire import schema_id
from streams.engine.admin import Admin, TopicSpec
from streams.engine.reader import Reader
from tests.unit.contract.bus_of import CONTRACTS, DIVISIONS, positive

pytestmark = pytest.mark.kafka


@pytest.fixture
def bus(bootstrap_servers: str, registry_url: str, unique: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A Kafka with a policy topic of this test's own."""
    monkeypatch.setenv("HAIHE_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("HAIHE_REGISTRY_URL", registry_url)
    monkeypatch.setenv("HAIHE_HOME", str(tmp_path))
    monkeypatch.setattr(cli, "POLICY", f"bus.policy.{unique}")
    Admin(bootstrap_servers).create([TopicSpec(cli.POLICY, 1, {"cleanup.policy": "compact"})])
    return bootstrap_servers


def policy(bootstrap: str) -> list[tuple[str, bytes | None]]:
    with Reader(bootstrap, [cli.POLICY]) as reader:
        return [((record.key or b"").decode(), record.value) for record in reader.read_to_end()]


def test_register_all_releases_every_contract_and_view_once(bus: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "register", "--all"]) == 0
    released = Released(CONTRACTS, DIVISIONS)
    records = policy(bus)
    for key, value in records:
        released.apply(key, value)
    assert set(released.topics()) >= set(CONTRACTS)
    assert "to.jinzhitong.grid.alert.changed" in released.topics()
    assert f"{len(records)} releases written" in capsys.readouterr().out
    assert run(["schema", "register", "--all"]) == 0
    assert "0 releases written" in capsys.readouterr().out
    assert policy(bus) == records


def test_a_publishers_usual_serializer_writes_what_the_bus_accepts(bus: str, registry_url: str) -> None:
    assert run(["schema", "register", "health.test.result"]) == 0
    released = Released(CONTRACTS, DIVISIONS)
    for key, value in policy(bus):
        released.apply(key, value)
    client = SchemaRegistryClient({"url": registry_url})
    topic = "in.wjw.health.test.result"
    # As publishers are told to: whatever version is the newest, nothing registered by the client.
    serialize = AvroSerializer(client, conf={"auto.register.schemas": False, "use.latest.version": True})
    event = positive()
    value = serialize(event, SerializationContext(topic, MessageField.VALUE))
    assert isinstance(value, bytes)
    number = schema_id(value)
    assert isinstance(number, int)
    version = released.find(number, "health.test.result")
    assert version is not None
    assert version.check(value, "wjw", event["occurred_at"]) == event["person_id"].encode()
    assert version.decode(value) == event


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["register", "health.test.resul"], 2, "did you mean `health.test.result`"),
        (["register"], 2, "or --all"),
        (["register", "--all", "ref.roster"], 2, "or --all"),
    ],
)
def test_a_mistake_gets_one_sentence(
    bus: str, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["schema", *arguments]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_registry_that_is_away_is_one_sentence_and_writes_nothing(
    bus: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HAIHE_REGISTRY_URL", "http://127.0.0.1:9/apis/ccompat/v7")
    assert run(["schema", "register", "--all"]) == 70
    error = capsys.readouterr().err
    assert "does not answer" in error
    assert error.count("\n") == 1
    assert policy(bus) == []


def test_list_and_lint_need_no_stack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HAIHE_HOME", str(tmp_path))
    assert run(["schema", "list"]) == 0
    assert "health.test.result" in capsys.readouterr().out
    assert run(["schema", "lint"]) == 0
    assert "nothing to mend" in capsys.readouterr().out
