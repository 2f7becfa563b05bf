"""The demo through its real command: real Kafka, registry, workers, gateway, phones; its books balance, also while
processes are killed; nothing of it remains, and nothing that it logs or counts names a person."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from streams.demo.city import City

ROOT = Path(__file__).parents[2]
PEOPLE = 20_000
KEYS = {
    *("published", "accepted", "rejected", "flows", "views", "changes_expected", "changes", "alerts_expected"),
    *("alerts_received", "missing", "duplicates", "p50_ms", "p99_ms", "max_ms", "kills"),
}
SHORT = ("--people", str(PEOPLE), "--seconds", "8", "--bursts", "1")

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


class Ran(NamedTuple):
    """One run of the command and what it left."""

    code: int
    output: str
    report: Mapping[str, Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def environment(home: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HAIHE_")}
    return clean | {"HAIHE_HOME": str(home)}


def demo(home: Path, *arguments: str) -> Ran:
    ran = subprocess.run(
        [sys.executable, "-m", "streams", "demo", *SHORT, *arguments],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    path = home / "demo-report.json"
    report = json.loads(path.read_bytes()) if path.exists() else {}
    path.unlink(missing_ok=True)
    return Ran(ran.returncode, ran.stdout + ran.stderr, report)


def living(home: Path) -> list[str]:
    """Command lines of the processes that run in `home`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            belongs = f"HAIHE_HOME={home}".encode() in (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if command and (belongs or str(home).encode() in command):
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.fixture(scope="module")
def first(home: Path) -> Ran:
    return demo(home)


@pytest.fixture(scope="module")
def second(home: Path, first: Ran) -> Ran:
    """On the data that the first has left, with kills."""
    return demo(home, "--chaos")


@pytest.fixture(params=["first", "second"], ids=["undisturbed", "chaos"])
def ran(request: pytest.FixtureRequest) -> Iterator[Ran]:
    yield request.getfixturevalue(request.param)


def test_the_books_balance_and_nothing_is_missing_or_there_twice(ran: Ran) -> None:
    assert ran.code == 0, ran.output
    report = ran.report
    assert set(report) == KEYS
    assert (report["missing"], report["duplicates"]) == (0, 0)
    assert report["published"] == report["accepted"] + report["rejected"]
    assert report["published"] >= 14_000
    assert (
        report["changes"] == report["changes_expected"] == report["alerts_received"] == report["alerts_expected"] > 500
    )
    for flow in report["flows"].values():
        assert flow["read"] == flow["delivered"] + sum(flow["filtered"].values()) + sum(flow["rejected"].values())
    assert set(report["flows"]) == {"intake", "health-code", "grid-alert"}


def test_every_kind_of_bad_input_is_refused_for_its_own_reason(ran: Ran) -> None:
    reasons = set(ran.report["flows"]["intake"]["rejected"])
    assert reasons == {
        *("truncated", "not-avro", "unknown-schema", "wrong-schema", "bad-enum", "too-large"),
        *("check-character", "unknown-division", "in-the-future", "publisher"),
    }


def test_chaos_kills_at_least_six_times_and_a_calm_run_never(first: Ran, second: Ran) -> None:
    assert first.report["kills"] == 0
    assert second.report["kills"] >= 6


def test_no_process_remains(home: Path, ran: Ran) -> None:
    assert living(home) == []


def test_no_log_and_no_metric_names_a_person(home: Path, first: Ran, second: Ran) -> None:
    files = [*home.glob("logs/*.log"), *home.glob("logs/*.metrics")]
    assert {file.stem for file in files if file.suffix == ".metrics"} == {"intake-0", "person-0", "person-1", "gateway"}
    city = City(ROOT / "deploy/tianjin/divisions.csv")
    people = [city.resident(n) for n in range(PEOPLE)]
    numbers = {p.person_id for p in people} | {p.phone for p in people}
    names = {p.name for p in people}
    for file in files:
        text = file.read_text(errors="replace")
        assert not numbers & set(re.findall(r"\d{17}[\dX]|\d{11}", text)), file.name
        chinese = set(re.findall(r"[\u4e00-\u9fff]+", text))
        assert not [word for word in chinese if any(word[n : n + m] in names for m in (2, 3) for n in range(len(word)))]


def test_interrupted_it_stops_everything_that_it_started(home: Path, second: Ran) -> None:
    """Also while it is still starting: the broker is up, the workers are not."""
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "demo", *SHORT],
        cwd=ROOT,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "starting workers" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    deadline = time.monotonic() + 10
    while living(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert living(home) == []
