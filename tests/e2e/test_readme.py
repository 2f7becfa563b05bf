"""The README is right: its commands exist, its files are there, its first event goes through a real bus as it says."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from streams.cli.main import cli
from streams.settings import ROOT, VARIABLES

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S)
HAIHE = str(Path(sys.executable).with_name("haihe"))
TAILED = "haihe tail "


def _shell_lines() -> list[str]:
    """Every command of the shell blocks, in order, without comments."""
    lines = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    return [" ".join(shlex.split(line, comments=True)) for line in lines if shlex.split(line, comments=True)]


def _haihe_commands() -> list[str]:
    """What README tells a person to type that begins with `haihe`, in blocks and in the text."""
    text = re.sub(r"^```.*?^```$", "", README, flags=re.M | re.S)
    return [line for line in _shell_lines() if line.startswith("haihe ")] + re.findall(r"`(haihe [^`]+)`", text)


def _check(words: list[str]) -> None:
    """Raises UsageError unless the words are a command with options and arguments that it takes."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        with click.Context(command) as context:
            found = command.get_command(context, words[0])
        assert found is not None, f"there is no `{words[0]}`"
        command, words = found, words[1:]
    command.make_context("haihe", words).close()


@pytest.mark.parametrize("command", sorted(set(_haihe_commands())))
def test_every_haihe_command_of_the_readme_exists_with_its_options(command: str) -> None:
    """Parsed by the program's own parser, not run."""
    _check(shlex.split(command)[1:])


def test_a_wrong_command_would_be_found() -> None:
    """The check above fails on a misspelt command and on an option that is not there."""
    with pytest.raises(AssertionError):
        _check(["tale", "x"])
    with pytest.raises(click.UsageError):
        _check(["tail", "x", "--form", "end"])


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"`make ([a-z]+)", README)) | {
        line.split()[1] for line in _shell_lines() if line.startswith("make ")
    }
    assert {"demo", "test"} <= named <= targets


def test_the_variables_of_the_readme_are_those_that_are_read() -> None:
    """Name and meaning, in the order of streams/settings.py; nowhere is another one named."""
    assert re.findall(r"^\| `(HAIHE_\w+)` \| (.*) \|$", README, re.M) == list(VARIABLES.items())
    assert set(re.findall(r"HAIHE_[A-Z_]*[A-Z]", README)) == set(VARIABLES)


def test_every_file_that_the_readme_links_is_there_and_every_folder_it_names_is_in_it() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r'src="([^"]+)"', README)
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []
    packages = {f"streams/{path.parent.name}" for path in (ROOT / "streams").glob("*/__init__.py")}
    assert packages <= set(links)


def test_pictures_say_in_words_what_they_show() -> None:
    assert all(len(alt) > 40 for alt in re.findall(r"!\[(.*?)\]|alt=\"(.*?)\"", README) for alt in [max(alt, key=len)])
    assert (ROOT / "docs/grid-worker.png").stat().st_size < 300_000


class Reader:
    """Somebody who does what the README says, against the Kafka and the registry of the tests."""

    def __init__(self, bootstrap: str, registry: str, home: Path) -> None:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("HAIHE_")}
        self._env = {**ours, "HAIHE_HOME": str(home), "HAIHE_BOOTSTRAP_SERVERS": bootstrap}
        self._env["HAIHE_REGISTRY_URL"] = registry
        self._home = home

    def does(self, *argv: str) -> str:
        """Runs to the end; what it printed."""
        done = subprocess.run(argv, env=self._env, cwd=self._home, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def types(self, line: str) -> str:
        return self.does(HAIHE, *shlex.split(line)[1:])

    def sees(self, line: str, pattern: str, seconds: float = 30) -> None:
        """The whole topic of a `haihe tail` line has the record by then, whoever else wrote to it before."""
        whole, deadline = f"{line.rpartition(' -n ')[0]} --no-follow", time.monotonic() + seconds
        while not re.search(pattern, text := self.types(whole)):
            assert time.monotonic() < deadline, f"no {pattern} in:\n{text}"

    @contextmanager
    def leaves_running(self, lines: list[str]) -> Iterator[None]:
        """Each in a terminal of its own, until Ctrl-C."""
        started = []
        try:
            for number, line in enumerate(lines):
                with (self._home / f"{number}.log").open("wb") as log:
                    argv = [HAIHE, *shlex.split(line)[1:]]
                    started.append(
                        subprocess.Popen(argv, env=self._env, cwd=self._home, stdout=log, stderr=subprocess.STDOUT)
                    )
            yield
        finally:
            for process in started:
                process.send_signal(signal.SIGINT)
            codes = [process.wait(30) for process in started]
        assert all(code in (0, 130) for code in codes), codes


def test_the_first_event_goes_from_the_readme_to_a_desk_and_a_spoilt_one_to_the_dead_letters(
    bootstrap_servers: str, registry_url: str, tmp_path: Path
) -> None:
    """The commands of README, in their order, and its Python as it is; then the same with a wrong check character."""
    (publish,) = [text for language, text in BLOCKS if language == "python"]
    lines = [line for line in _shell_lines() if line.startswith("haihe ") and line not in ("haihe up", "haihe down")]
    tails = [line for line in lines if line.startswith(TAILED)]
    running = [line for line in lines if line.split()[1] in ("worker", "gateway")]
    assert len(tails) == 5 and len(running) == 4
    reader = Reader(bootstrap_servers, registry_url, tmp_path)
    for line in lines:
        if line not in tails + running:
            reader.types(line)
    with reader.leaves_running(running):
        event_id = reader.does(sys.executable, "-c", publish).strip()
        accepted, changed, alert = (reader.types(line) for line in tails[:3])
        assert "120101199001011239" not in accepted + changed + alert
        reader.sees(tails[0], f"event_id={event_id}")
        reader.sees(tails[1], "colour=RED .*division=120101001001")
        reader.sees(tails[2], "state=RAISED  colour=RED  division=120101001001  addressee=desk-")
        alert_id = re.search(r"alert_id=(\S+)", reader.types(tails[4]))
        assert alert_id is not None and "who was told" in reader.types(f"haihe alert show {alert_id[1]}")
        wrong = publish.replace("120101199001011239", "120101199001011238")
        assert wrong != publish
        event_id = reader.does(sys.executable, "-c", wrong).strip()
        assert "step=" in reader.types(tails[3])
        reader.sees(tails[3], f"step=validate reason=check-character .*topic=in.wjw.health.test.result .*{event_id}")
