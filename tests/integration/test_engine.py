"""The engine on a real broker: exactly-once through kill -9, timers, fencing, and records nobody can process."""

import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.engine.admin import Admin, TopicSpec
from streams.engine.reader import Reader, Record
from streams.engine.state import DUE, TIME_KEY
from streams.engine.writer import Writer

WORKER = Path(__file__).with_name("engine_worker.py")
PARTITIONS = 4
pytestmark = pytest.mark.kafka


class Bench:
    """One chain with topics of its own, and its worker processes."""

    def __init__(self, bootstrap: str):
        self.bootstrap = bootstrap
        self.chain = f"test-{uuid.uuid4().hex[:8]}"
        self.source, self.output = f"{self.chain}.in", f"{self.chain}.out"
        self.dead, self.changelog = f"dead.{self.output}", f"changelog.{self.chain}"
        limit = {"max.message.bytes": str(1 << 20)}
        specs = [TopicSpec(t, PARTITIONS, limit) for t in (self.source, self.output)]
        specs += [TopicSpec(self.dead, 1, {}), TopicSpec(self.changelog, PARTITIONS, {"cleanup.policy": "compact"})]
        Admin(bootstrap).create(specs)
        self.workers: dict[int, subprocess.Popen[str]] = {}

    def start(self, slot: int = 0) -> subprocess.Popen[str]:
        """Start a slot and wait until it has partitions."""
        argv = [sys.executable, str(WORKER), self.bootstrap, self.chain, str(slot), self.source, self.output]
        worker = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self.workers[slot] = worker
        assert worker.stdout is not None
        for line in worker.stdout:
            if line.strip() == "ready":
                return worker
        raise AssertionError(f"slot {slot} ended with {worker.wait()} before it was ready")

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.kill()
            worker.wait()

    def publish(self, records: list[tuple[str, bytes]], timestamp: int | None = None) -> None:
        with Writer(self.bootstrap) as writer:
            for key, value in records:
                writer.write(self.source, key, value, timestamp=timestamp)

    def read(self, topic: str) -> list[Record]:
        with Reader(self.bootstrap, [topic]) as reader:
            return list(reader.read_to_end())

    def await_outputs(self, count: int, seconds: float = 90.0) -> list[Record]:
        """What the output topic holds once it has `count` records (or the time is up)."""
        deadline, records = time.monotonic() + seconds, []
        with Reader(self.bootstrap, [self.output]) as reader:
            while len(records) < count and time.monotonic() < deadline:
                records += reader.read(timeout=1.0)
        return records

    def state(self) -> dict[str, bytes]:
        """The fold of the changelog."""
        fold: dict[str, bytes] = {}
        for record in self.read(self.changelog):
            if record.key is not None and record.key != TIME_KEY and record.value is not None:
                fold[record.key.decode()] = record.value[DUE.size :]
        return fold


@pytest.fixture
def bench(bootstrap_servers: str) -> Iterator[Bench]:
    bench = Bench(bootstrap_servers)
    yield bench
    bench.stop()


def test_outputs_and_state_are_exactly_once_through_kill_minus_nine(bench: Bench) -> None:
    """Workers are killed while records flow: every record is copied once, in key order, and the state counts it."""
    rng = random.Random(7)
    records = [(f"k{rng.randrange(200)}", b"%d" % n) for n in range(6000)]
    bench.start()
    for chunk in range(6):
        bench.publish(records[chunk * 1000 : (chunk + 1) * 1000])
        time.sleep(rng.random() * 0.15)  # the moment of the kill is what varies
        bench.workers[0].kill()
        bench.workers[0].wait()
        bench.start()
    outputs = bench.await_outputs(len(records))
    outputs = bench.read(bench.output)
    expected = Counter(key for key, _ in records)
    seen: dict[str, list[bytes]] = defaultdict(list)
    for record in outputs:
        assert record.key is not None and record.value is not None
        seen[record.key.decode()].append(record.value)
    published: dict[str, list[bytes]] = defaultdict(list)
    for key, value in records:
        published[key].append(b"%b %d" % (value, len(published[key]) + 1))
    assert seen == published
    assert bench.state() == {key: str(n).encode() for key, n in expected.items()}


def test_a_poisoned_record_is_isolated_and_takes_no_neighbour_with_it(bench: Bench) -> None:
    """A record on which the handler raises, and one whose output the broker refuses, end as dead letters."""
    bench.start()
    records = [(f"k{n % 10}", b"%d" % n) for n in range(500)]
    records[137] = ("bad", b"boom")
    records[300] = ("large", b"huge")
    bench.publish(records)
    outputs = bench.await_outputs(498)
    assert len(outputs) == 498
    assert not [r for r in bench.read(bench.output) if r.key in (b"bad", b"large")]
    assert sorted(r.value or b"" for r in bench.read(bench.dead)) == [b"boom", b"huge"]


def test_a_timer_fires_once_after_a_restart_without_any_new_record(bench: Bench) -> None:
    """Time alone wakes a key: the timer is in the changelog, and an idle partition's time follows the wall clock."""
    bench.start()
    due = int(time.time() * 1000) + 1500
    bench.publish([("sleeper", b"wake:%d" % due)])
    bench.await_outputs(1)
    bench.workers[0].kill()
    bench.workers[0].wait()
    bench.start()
    woken = bench.await_outputs(2)
    assert [r.value for r in woken][1:] == [b"woken %d" % due]
    bench.workers[0].kill()
    bench.workers[0].wait()
    bench.start()
    bench.publish([("other", b"x")])
    assert len(bench.await_outputs(3)) == 3
    assert len(bench.read(bench.output)) == 3


def test_a_timer_fires_before_a_later_event_with_its_due_time(bench: Bench) -> None:
    """Events move the time: a timer due before an event's timestamp fires first, however late the event is read."""
    bench.start()
    past = int(time.time() * 1000) - 600_000
    bench.publish([("k", b"wake:%d" % (past + 1000))], timestamp=past)
    bench.publish([("k", b"later")], timestamp=past + 5000)
    values = [r.value for r in bench.await_outputs(3)]
    assert values[1:] == [b"woken %d" % (past + 1000), b"later 2"]


def test_a_second_start_of_a_slot_fences_the_first_which_exits(bench: Bench) -> None:
    """A slot runs once: the newcomer takes over, and the first process ends with the exit code of a system failure."""
    first = bench.start()
    bench.publish([("k", b"1")])
    bench.await_outputs(1)
    second = bench.start()
    bench.publish([("k", b"2")])
    assert [r.value for r in bench.await_outputs(2)] == [b"1 1", b"2 2"]
    assert first.wait(timeout=60) == 70
    assert second.poll() is None


def test_a_clean_stop_commits_and_exits_zero(bench: Bench) -> None:
    """SIGTERM: what was worked on is committed, nothing is repeated by the next start."""
    worker = bench.start()
    bench.publish([(f"k{n}", b"x") for n in range(50)])
    bench.await_outputs(50)
    worker.terminate()
    assert worker.wait(timeout=30) == 0
    bench.start()
    bench.publish([("k0", b"y")])
    assert len(bench.await_outputs(51)) == 51


def test_two_slots_share_the_partitions(bench: Bench) -> None:
    """A second slot takes half of the partitions with their state; nothing is lost or repeated on the way."""
    bench.start(0)
    bench.publish([(f"k{n % 40}", b"a") for n in range(400)])
    bench.await_outputs(400)
    bench.start(1)
    bench.publish([(f"k{n % 40}", b"b") for n in range(400)])
    bench.await_outputs(800)
    assert len(bench.read(bench.output)) == 800
    assert set(bench.state().values()) == {b"20"}


def test_a_poisoned_record_is_found_while_its_neighbours_flow(bench: Bench) -> None:
    """Under steady traffic too: both kinds end as dead letters, and every other record is copied once, in key order."""
    bench.start()
    published: dict[str, list[bytes]] = defaultdict(list)
    total = 0
    with Writer(bench.bootstrap) as writer:
        for n in range(3000):
            key, value = f"k{n % 50}", b"%d" % n
            if n in (400, 900):
                key, value = ("bad", b"boom") if n == 400 else ("large", b"huge")
            else:
                published[key].append(b"%b %d" % (value, len(published[key]) + 1))
                total += 1
            writer.write(bench.source, key, value)
            time.sleep(0.002)  # steady traffic is what is tested
    outputs = bench.await_outputs(total)
    seen: dict[str, list[bytes]] = defaultdict(list)
    for record in outputs:
        assert record.key is not None and record.value is not None
        seen[record.key.decode()].append(record.value)
    assert seen == published
    assert sorted(r.value or b"" for r in bench.read(bench.dead)) == [b"boom", b"huge"]


def test_a_held_partition_is_read_again_after_a_rebalance(bench: Bench) -> None:
    """A partition that waits for something outside Kafka changes hands and comes back: nothing of it is lost."""
    gate = Path(tempfile.gettempdir()) / bench.output
    bench.start(0)
    bench.publish([("k0", b"wait"), *((f"k{n}", b"x") for n in range(40))])
    bench.await_outputs(25, seconds=20)
    second = bench.start(1)
    second.terminate()
    second.wait(timeout=30)
    gate.touch()
    try:
        assert len(bench.await_outputs(41)) == 41
    finally:
        gate.unlink()
