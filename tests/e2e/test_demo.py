"""The demo through its real command: real Kafka, registry, workers, gateway, phones; its books balance, also while
processes are killed, and nothing of it remains."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.demo_run import ROOT, SHORT, Ran, environment, living

KEYS = {
    *("published", "accepted", "rejected", "receipts", "flows", "views", "changes_expected", "changes"),
    *("alerts_expected", "alerts_received", "escalated_expected", "escalated", "closed_expected", "closed", "raced"),
    *("missing", "duplicates", "p50_ms", "p99_ms", "max_ms", "seen_median_s", "acted_median_s", "kills"),
}
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


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
    assert report["changes"] == report["changes_expected"] > 500
    assert report["alerts_received"] == report["alerts_expected"] > report["changes"], "red to orange is two alerts"
    for flow in report["flows"].values():
        assert flow["read"] == flow["delivered"] + sum(flow["filtered"].values()) + sum(flow["rejected"].values())
    assert set(report["flows"]) == {"intake", "health-code", "grid-alert", "alert-duty"}


def test_alerts_climb_as_far_as_people_ignore_them_and_are_closed_once(ran: Ran) -> None:
    report = ran.report
    assert report["escalated"] == report["escalated_expected"] > 0
    assert report["closed"] == report["closed_expected"] > 500
    assert report["receipts"] > 500


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
