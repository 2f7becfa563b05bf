"""Settings and declarations: where values come from, and what a mistake in them is told."""

import os
from pathlib import Path

import msgspec
import pytest

from streams import settings
from streams.declaration import strict_yaml, strict_yaml_text
from streams.errors import ConfigError, UserError
from streams.settings import ROOT, load


def stack_json(home: Path, pid: int) -> None:
    home.mkdir(exist_ok=True)
    stack = {
        "bootstrap_servers": "127.0.0.1:1111",
        "registry_url": "http://127.0.0.1:2222/apis/ccompat/v7",
        "prometheus_url": None,
        "processes": {"kafka": {"pid": pid, "started": 1, "port": 1111, "log": "x"}},
    }
    (home / "stack.json").write_bytes(msgspec.json.encode(stack))


def test_defaults_lie_in_the_checkout() -> None:
    """Without variables, the home, the declarations and the contracts are the checkout's."""
    found = load({}, need_stack=False)
    assert found.home == ROOT / ".haihe"
    assert (found.deploy / "divisions.csv").is_file()
    assert found.schemas == ROOT / "schemas" / "avro"
    assert found.log_format == "auto"


def test_the_running_stack_says_the_addresses(tmp_path: Path) -> None:
    """What `haihe up` wrote is used as long as its Kafka process exists."""
    stack_json(tmp_path, os.getpid())
    found = load({"HAIHE_HOME": str(tmp_path)})
    assert found.bootstrap_servers == "127.0.0.1:1111"
    assert found.registry_url == "http://127.0.0.1:2222/apis/ccompat/v7"


def test_a_stack_that_died_is_no_stack(tmp_path: Path) -> None:
    """A crash leaves stack.json behind; its addresses are then not used."""
    stack_json(tmp_path, 2**22 + 1)  # above the kernel's largest pid
    with pytest.raises(UserError, match="no stack is running"):
        load({"HAIHE_HOME": str(tmp_path)})


def test_variables_win_over_the_running_stack(tmp_path: Path) -> None:
    """Another Kafka is used with its own registry, never with the local stack's."""
    stack_json(tmp_path, os.getpid())
    found = load({"HAIHE_HOME": str(tmp_path), "HAIHE_BOOTSTRAP_SERVERS": "kafka.city:9092"})
    assert (found.bootstrap_servers, found.registry_url) == ("kafka.city:9092", "")


def test_no_stack_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    """A process that needs Kafka and knows no address says how to get one."""
    with pytest.raises(UserError) as error:
        load({"HAIHE_HOME": str(tmp_path)})
    assert str(error.value) == settings.NO_STACK
    assert load({"HAIHE_HOME": str(tmp_path)}, need_stack=False).bootstrap_servers == ""


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"HAIHE_BOOTSTRAP_SERVER": "x:1"}, "HAIHE_BOOTSTRAP_SERVERS"),
        ({"HAIHE_LOG_FORMAT": "xml"}, "auto, json or pretty"),
        ({"HAIHE_REGISTRY_URL": "127.0.0.1:8081"}, "http://"),
        ({"HAIHE_BOOTSTRAP_SERVERS": "garbage"}, "host:port"),
        ({"HAIHE_BOOTSTRAP_SERVERS": "a:1,b"}, "host:port"),
    ],
)
def test_a_wrong_variable_is_told_what_was_meant(env: dict[str, str], said: str) -> None:
    """A misspelt or malformed variable is an error, not the default."""
    with pytest.raises(ConfigError, match=said):
        load(env, need_stack=False)


def test_a_damaged_stack_file_is_told(tmp_path: Path) -> None:
    """Half a file is an error that says how to get rid of it."""
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(ConfigError, match="delete it"):
        load({"HAIHE_HOME": str(tmp_path)})


class Rule(msgspec.Struct):
    days: int
    colour: str = "RED"


class Policy(msgspec.Struct, frozen=True):
    name: str
    rules: dict[str, Rule] = {}
    more: list[Rule] = []
    fallback: Rule | None = None


def test_a_declaration_becomes_typed_data(tmp_path: Path) -> None:
    """What is right is read into the type."""
    file = tmp_path / "policy.yaml"
    file.write_text("name: 健康码\nrules:\n  close: {days: 14}\n", encoding="utf-8")
    assert strict_yaml(file, Policy) == Policy("健康码", {"close": Rule(14)})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nrulez: {}", "p.yaml:2: unknown key `rulez`, did you mean `rules`?"),
        ("name: x\nrules:\n  close:\n    days: 1\n    dayz: 2", "p.yaml:5: unknown key `dayz`, did you mean `days`?"),
        ("name: x\nmore:\n  - days: 1\n  - day: 2", "p.yaml:4: unknown key `day`, did you mean `days`?"),
        ("name: x\nfallback: {days: 1, color: RED}", "p.yaml:2: unknown key `color`, did you mean `colour`?"),
        ("name: x\nzzz: 1", "p.yaml:2: unknown key `zzz`, known are: fallback, more, name, rules"),
        ("name: x\nname: y", "p.yaml:2: key `name` is given twice"),
        ("name: x\nmore:\n  - days: many", "p.yaml:3: Expected `int`, got `str` at `more.0.days`"),
        ("rules: {}", "p.yaml:1: Object missing required field `name`"),
        ("name: [", "p.yaml:1: not valid YAML"),
        ("", "p.yaml is empty"),
    ],
)
def test_a_mistake_names_the_file_the_line_and_what_was_meant(text: str, said: str) -> None:
    """Each kind of mistake in a declaration is one sentence that leads to it."""
    with pytest.raises(ConfigError) as error:
        strict_yaml_text(text, Policy, "p.yaml")
    assert str(error.value).startswith(said)


def test_a_missing_declaration_is_told(tmp_path: Path) -> None:
    """A file that is not there is a ConfigError with its path."""
    with pytest.raises(ConfigError, match="does not exist"):
        strict_yaml(tmp_path / "none.yaml", Policy)
