"""The parts of the local stack that need no Java: child processes, ports, targets, the jar cache."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.errors import SystemFailure, UserError
from streams.local import jars, ports, targets
from streams.local.kafka import property_value
from streams.local.process import LOG_LIMIT, Child, spawn, stop, tail, uninterrupted

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


def wait(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_a_child_is_found_again_by_its_record_and_stopped(tmp_path: Path) -> None:
    """A started process is alive, writes into its log, and is gone when `stop` returns."""
    child = spawn(SLEEP, tmp_path / "logs" / "a.log", 0)
    wait(lambda: "up" in tail(child.log))
    assert child.alive
    stop(child)
    assert not child.alive


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After its patience is over, `stop` sends SIGKILL."""
    child = spawn(STUBBORN, tmp_path / "a.log", 0)
    wait(lambda: "up" in tail(child.log))
    stop(child, timeout=0.1)
    assert not child.alive


def test_a_pid_that_belongs_to_a_stranger_is_left_alone(tmp_path: Path) -> None:
    """A pid counts only with its start time: another process of that number is neither ours nor killed."""
    child = spawn(SLEEP, tmp_path / "a.log", 0)
    stranger = Child(child.pid, child.started + 1, 0, child.log)
    assert not stranger.alive
    stop(stranger, timeout=0.1)
    assert child.alive
    stop(child)


@pytest.mark.parametrize("detach", [False, True])
def test_a_child_outlives_its_launcher_only_when_detached(tmp_path: Path, detach: bool) -> None:
    """A launcher killed with SIGKILL takes its children with it, unless they were started to stay."""
    script = f"""
import sys, time
from pathlib import Path
from streams.local.kafka import property_value
from streams.local.process import spawn
child = spawn({SLEEP!r}, Path({str(tmp_path / "child.log")!r}), 0, detach={detach})
print(child.pid, child.started, flush=True)
time.sleep(600)
"""
    launcher = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    pid, started = map(int, launcher.stdout.readline().split())
    child = Child(pid, started, 0, "")
    assert child.alive
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    launcher.stdout.close()
    if detach:
        assert child.alive
        stop(child)
    wait(lambda: not child.alive)


def test_a_program_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    """A missing program is a SystemFailure that names it."""
    with pytest.raises(SystemFailure, match="cannot start /no/such/program"):
        spawn(["/no/such/program"], tmp_path / "a.log", 0)


def test_a_log_that_grew_large_is_moved_away(tmp_path: Path) -> None:
    """One old log is kept beside the new one."""
    log = tmp_path / "a.log"
    with log.open("wb") as file:
        file.truncate(LOG_LIMIT + 1)
    stop(spawn(SLEEP, log, 0))
    assert log.stat().st_size < 1000
    assert (tmp_path / "a.log.1").stat().st_size == LOG_LIMIT + 1


def test_a_port_is_remembered_and_given_up_when_taken(tmp_path: Path) -> None:
    """The port of yesterday is used again when it is free, another one when it is not, never one of another process."""
    first = ports.choose(tmp_path, "kafka", usual=False)
    assert ports.choose(tmp_path, "kafka", usual=False) == first
    with socket.create_server(("127.0.0.1", first)):
        second = ports.choose(tmp_path, "kafka", usual=False)
    assert second != first
    assert ports.choose(tmp_path, "kafka", usual=False) == second
    assert ports.choose(tmp_path, "kafka", usual=False, refused=frozenset({second})) not in (first, second)
    assert ports.choose(tmp_path, "registry", usual=False) != ports.choose(tmp_path, "kafka", usual=False)


@pytest.mark.parametrize(
    ("path", "written"),
    [("/data/a-b.c", "/data/a-b.c"), ("/家/a b", r"/\u5bb6/a\u0020b"), ("a\\b", r"a\u005cb"), ("𠀀", r"\ud840\udc00")],
)
def test_any_path_can_be_a_java_property(path: str, written: str) -> None:
    """What is not plain ASCII is written as the escapes that Java's Properties reads."""
    assert property_value(path) == written


def test_targets_are_what_prometheus_reads(tmp_path: Path) -> None:
    """Adding replaces a process's entry, removing one that is not there does nothing."""
    targets.add(tmp_path, "person-0", 1000)
    targets.add(tmp_path, "person-1", 1001)
    targets.add(tmp_path, "person-0", 1002)
    targets.remove(tmp_path, "nobody")
    assert targets.ports(tmp_path) == {"person-1": 1001, "person-0": 1002}
    targets.remove(tmp_path, "person-1")
    assert targets.ports(tmp_path) == {"person-0": 1002}


def test_what_outlives_its_launcher_is_stopped_by_the_list(tmp_path: Path) -> None:
    """A process listed with its pid is stopped and taken off; a stranger with its number, or no pid, is left."""
    ours, other = spawn(SLEEP, tmp_path / "a.log", 0), spawn(SLEEP, tmp_path / "b.log", 0)
    targets.add(tmp_path, "person-0", 1000, ours.pid)
    targets.add(tmp_path, "person-1", 1001, other.pid)
    targets.add(tmp_path, "person-2", 1002)
    entries = json.loads(targets.path(tmp_path).read_text())
    entries[1]["labels"]["__haihe_started"] = "1"
    targets.path(tmp_path).write_text(json.dumps(entries))
    assert targets.stop_all(tmp_path) == ["person-0"]
    assert not ours.alive
    assert other.alive
    assert targets.ports(tmp_path) == {"person-2": 1002}
    stop(other)


@pytest.fixture
def bare_machine(tmp_path: Path) -> dict[str, str]:
    """An environment without Java, Maven and cached jars."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}


def program(env: dict[str, str], name: str, script: str) -> None:
    file = Path(env["PATH"]) / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_a_missing_java_is_told_with_what_to_install(bare_machine: dict[str, str]) -> None:
    """One sentence names the program and the packages."""
    with pytest.raises(UserError, match=r"`java` is not installed.*apt-get install openjdk-17-jre-headless maven"):
        jars.fetch(env=bare_machine)


def test_a_missing_maven_is_told_with_what_to_install(bare_machine: dict[str, str]) -> None:
    """Java alone does not fetch anything."""
    program(bare_machine, "java", "exit 0")
    with pytest.raises(UserError, match=r"`mvn` is not installed.*apt-get install openjdk-17-jre-headless maven"):
        jars.fetch(env=bare_machine)


def test_a_failed_download_leaves_nothing_that_looks_whole(bare_machine: dict[str, str]) -> None:
    """Maven's first complaint is told, and the next start tries again."""
    program(bare_machine, "java", "exit 0")
    program(bare_machine, "mvn", "echo '[ERROR] no route to host'; exit 1")
    with pytest.raises(SystemFailure, match="no route to host"):
        jars.fetch(env=bare_machine)
    assert not jars.cache_directory(bare_machine).exists()


def test_jars_are_fetched_once(bare_machine: dict[str, str]) -> None:
    """What Maven copied is kept under the pom's digest; the second time Maven is not needed."""
    program(bare_machine, "java", "exit 0")
    copy = (
        'for word; do case $word in -Dhaihe.target=*) t=${word#*=};; esac; done; /bin/mkdir -p "$t/kafka" "$t/registry"'
    )
    program(bare_machine, "mvn", f"{copy}; : > $t/kafka/kafka_2.13-1.jar; : > $t/registry/a-runner.jar")
    said: list[str] = []
    directory = jars.fetch(said.append, env=bare_machine)
    assert len(said) == 1
    (Path(bare_machine["PATH"]) / "mvn").unlink()
    assert jars.fetch(said.append, env=bare_machine) == directory
    assert len(said) == 1


def test_a_changed_pom_is_another_cache(tmp_path: Path) -> None:
    """A new version of Kafka never runs from the old one's directory."""
    pom = tmp_path / "pom.xml"
    pom.write_bytes(jars.POM.read_bytes())
    same = jars.cache_directory(os.environ, pom)
    pom.write_text(pom.read_text().replace("4.2.0", "4.2.1"))
    assert same == jars.cache_directory(os.environ, jars.POM)
    assert same != jars.cache_directory(os.environ, pom)


def test_ctrl_c_in_the_middle_of_a_start_comes_right_after_it(tmp_path: Path) -> None:
    """Python swallows an exception that a signal raises inside a fork: it must come when the child is known."""
    known: list[Child] = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        known.append(spawn(SLEEP, tmp_path / "log", 0))
    stop(known[0])
    assert not known[0].alive
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
