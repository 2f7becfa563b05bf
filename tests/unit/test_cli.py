"""The command line as a person meets it: help everywhere, one sentence for a mistake, quick to start."""

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from streams.cli.main import COMMANDS, Entry, cli, run
from streams.errors import ConfigError, HaiheError, SystemFailure, UserError


def commands() -> list[tuple[str, click.Command]]:
    """Every command and subcommand by its full name."""
    found: list[tuple[str, click.Command]] = []
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found.extend((f"{name} {sub}", below) for sub, below in command.commands.items())
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`haihe COMMAND --help` says what it does and shows at least one whole command line."""
    assert run([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: haihe {name}")
    assert f"\n    haihe {name}" in out or f"(haihe {name}" in out


def test_every_option_and_subcommand_says_what_it_is() -> None:
    """No option without a help text, no subcommand without a sentence."""
    every = commands()
    assert len(every) > len(COMMANDS)
    for name, command in every:
        assert command.help, name
        silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
        assert silent == [], name


def test_the_list_of_commands_is_their_own_first_sentence_or_shorter() -> None:
    """`haihe --help` has a line for each command, which fits beside its name."""
    for entry in COMMANDS.values():
        assert entry.help.endswith(".")
        assert len(entry.help) < 80


def test_help_and_version_import_nothing_heavy(tmp_path: Path) -> None:
    """`haihe --help` is quick: neither the engine's nor the contracts' libraries are loaded for it."""
    script = """
import sys
from streams.cli.main import run
code = run(["--help"])
heavy = {"faust", "confluent_kafka", "fastavro", "aiohttp", "rich", "yaml", "structlog"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Commands:" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stauts"], "haihe: no such command 'stauts', did you mean `status`? (see `haihe --help`)"),
        (["topics", "craete"], "haihe: no such command 'craete', did you mean `create`? (see `haihe topics --help`)"),
        (["up", "--jsn"], "haihe: no such option: --jsn, did you mean --json? (see `haihe up --help`)"),
        (["tail"], "haihe: missing argument 'TOPIC' (see `haihe tail --help`)"),
        (["tail", "x", "-n", "none"], "haihe: invalid value for '-n': 'none' is not a valid integer range"),
        (["tail", "x", "--no-follow"], "haihe: from the end there is nothing to print without following"),
    ],
)
def test_a_mistake_is_one_sentence_with_what_was_meant(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong word, option or value: one line on stderr, exit code 2, nothing on stdout."""
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_a_command_that_needs_kafka_says_so_when_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a stack `haihe topics` says how to start one."""
    monkeypatch.setenv("HAIHE_HOME", str(tmp_path))
    monkeypatch.delenv("HAIHE_BOOTSTRAP_SERVERS", raising=False)
    assert run(["topics"]) == 2
    assert capsys.readouterr().err.startswith("haihe: no stack is running: start one with `haihe up`")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("no such person's file"), 2, "haihe: no such person's file\n"),
        (ConfigError("a.yaml:3: unknown key\n`x`"), 2, "haihe: a.yaml:3: unknown key `x`\n"),
        (SystemFailure("Kafka does not answer"), 70, "haihe: Kafka does not answer\n"),
        (HaiheError("something else"), 70, "haihe: something else\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
        (click.exceptions.Exit(3), 3, ""),
    ],
)
def test_what_a_command_raises_becomes_a_sentence_and_an_exit_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors that are raised on purpose and Ctrl-C never show a traceback; the code tells a supervisor what to do."""
    raising(error, monkeypatch)
    assert run(["up"]) == code
    assert capsys.readouterr().err.lstrip() == said  # click ends the line with ^C in it


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is not dressed up as a person's mistake."""
    raising(ZeroDivisionError(), monkeypatch)
    with pytest.raises(ZeroDivisionError):
        run(["up"])


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `haihe up` raise."""

    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setitem(COMMANDS, "up", Entry("raising", "Raises."))
    monkeypatch.setattr(importlib, "import_module", lambda name: type("module", (), {"command": command}))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script calls haihe back with the variable that haihe listens to."""
    assert run(["completion", shell]) == 0
    assert "_HAIHE_COMPLETE" in capsys.readouterr().out


def test_words_are_completed() -> None:
    """The shell's question is answered with command names, although they are imported lazily."""
    env = {"_HAIHE_COMPLETE": "fish_complete", "COMP_WORDS": "haihe sta", "COMP_CWORD": "sta", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "streams"], env=env, capture_output=True, text=True, check=False, cwd=main_root()
    )
    assert "plain,status" in done.stdout.replace("\t", ",")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """`haihe schema list | head -1` ends quietly."""
    line = f"{sys.executable} -m streams schema list | head -c 1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, cwd=main_root())
    assert (len(done.stdout), done.stderr) == (1, "")


def main_root() -> Path:
    return Path(__file__).resolve().parents[2]


def test_a_home_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain file, a directory that cannot be made: named, with an exit code, and without a traceback."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("HAIHE_HOME", str(tmp_path / "file"))
    assert run(["up"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("haihe: ") and str(tmp_path / "file") in said


def test_a_port_that_is_taken_is_one_sentence_for_a_worker() -> None:
    """In a process of its own: a worker sets up logging for the whole process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        worker = subprocess.run(
            [sys.executable, "-m", "streams", "worker", "--chain", "intake", "--slot", "0", "--port", str(port)],
            env={**os.environ, "HAIHE_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert worker.returncode == 2
    assert worker.stderr.startswith(f"haihe: cannot listen on port {port}: ")
    assert len(worker.stderr.splitlines()) == 1
