"""The gateway over a real Kafka: kill it as often as you like, a grid worker gets every event once, in order."""

import asyncio
import json
import random
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, ClientSession, ClientTimeout

from connectors.gateway.keys import Keys
from tests.integration.gateway_process import GatewayProcess, View, gateway
from tests.unit.gateway.in_memory import Stream

pytestmark = pytest.mark.kafka


@pytest.fixture
def view(bootstrap_servers: str, unique: str) -> View:
    return View(bootstrap_servers, unique)


class GridWorker:
    """A client as a phone is one: reconnects for ever, says where it stopped, believes what it is sent."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.last_id = ""
        self.got: list[tuple[str, str]] = []
        self.resets = 0
        self.news = asyncio.Event()

    async def run(self, running: list[GatewayProcess]) -> None:
        async with ClientSession(timeout=ClientTimeout(total=None, sock_connect=5)) as session:
            while True:
                try:
                    await self._listen(session, random.choice(running))
                except (ClientConnectionError, ClientPayloadError, EOFError, TimeoutError):
                    await asyncio.sleep(0.02)

    async def _listen(self, session: ClientSession, process: GatewayProcess) -> None:
        url = f"{process.url}/grid-workers/{self.subject}/alerts"
        headers = process.headers(self.subject) | ({"Last-Event-ID": self.last_id} if self.last_id else {})
        async with session.get(url, headers=headers) as response:
            assert response.status == 200
            stream = Stream(response)
            stream.last_id = self.last_id
            while True:
                try:
                    block = await stream.block()
                finally:
                    self.last_id = stream.last_id
                if block["event"] == "reset":
                    self.resets += 1
                else:
                    event = json.loads(block["data"])
                    self.got.append((event["alert_id"], event["event_id"]))
                self.news.set()

    async def has(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.got) + self.resets < count:
                self.news.clear()
                await self.news.wait()


async def test_over_kills_every_event_arrives_once_and_in_order_per_alert(view: View, tmp_path: Path) -> None:
    """Two gateways with the same key; each dies twice, its clients come back to either. The chain commits, and now and
    then aborts what it wrote, also as the very first thing in a partition."""
    dice, expected = random.Random(3), defaultdict[str, list[tuple[str, str]]](list)
    Keys.load(tmp_path / "token-secret")
    for home in (tmp_path / "0", tmp_path / "1"):
        home.mkdir()
        shutil.copy2(tmp_path / "token-secret", home)
    for number in range(20):
        view.write(f"never{number}", f"never{number}")
    view.abort()
    running = [await asyncio.to_thread(GatewayProcess, view, tmp_path / name) for name in ("0", "1")]
    workers = [GridWorker(f"gw-00000{number}") for number in range(1, 5)]
    tasks = [asyncio.create_task(worker.run(running)) for worker in workers]
    number = 0

    async def write(count: int) -> None:
        nonlocal number
        for _ in range(count):
            number += 1
            subject = f"gw-00000{dice.randrange(1, 5)}"
            alert_id = f"{subject}/{dice.randrange(40)}"
            if number % 10 == 0:
                view.write(f"never{number}", alert_id, "RAISED", subject)
                await asyncio.to_thread(view.abort)
            view.write(f"e{number}", alert_id, "RAISED", subject)
            expected[subject].append((alert_id, f"e{number}"))
            if number % 97 == 0:
                view.write_raw(f"bad{number}", b"\0\0\0\xff\xffrubbish")
            if number % 10 == 9:
                await asyncio.to_thread(view.commit)

    try:
        for worker in workers:
            await worker.has(1)
        for victim in (0, 1, 0, 1):
            await write(100)
            running[victim].kill()
            await write(100)
            running[victim] = await asyncio.to_thread(GatewayProcess, view, running[victim].home, running[victim].port)
        await write(49)
        for worker in workers:
            await worker.has(1 + len(expected[worker.subject]))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in running:
            process.kill()
    for worker in workers:
        assert worker.resets == 1
        assert sorted(worker.got) == sorted(expected[worker.subject])
        for alert_id in {alert_id for alert_id, _ in worker.got}:
            mine = [event for event in worker.got if event[0] == alert_id]
            assert mine == [event for event in expected[worker.subject] if event[0] == alert_id]


async def test_a_fresh_client_of_a_restarted_gateway_gets_what_is_open(view: View, tmp_path: Path) -> None:
    view.write("e1", "open")
    view.write("e2", "over")
    view.write("e3", "over", "RETRACTED")
    view.write("e4", "other", addressee="gw-000002")
    view.write_raw("gone", None)
    view.commit()
    with gateway(view, tmp_path) as process:
        async with ClientSession() as session:
            response = await session.get(f"{process.url}/grid-workers/gw-000001/alerts", headers=process.headers())
            assert await Stream(response).event_ids(2) == ["reset", "e1"]


async def test_sigterm_ends_the_streams_and_the_process_within_seconds(view: View, tmp_path: Path) -> None:
    with gateway(view, tmp_path) as process:
        async with ClientSession() as session:
            url = f"{process.url}/grid-workers/gw-000001/alerts"
            streams = [Stream(await session.get(url, headers=process.headers())) for _ in range(20)]
            for stream in streams:
                await stream.block()
            seconds = await asyncio.to_thread(process.terminate)
            for stream in streams:
                with pytest.raises((EOFError, ClientPayloadError)):
                    await stream.block()
        assert process.process.returncode == 0
        assert seconds < 10


async def test_bad_records_are_logged_by_offset_and_without_their_content(view: View, tmp_path: Path) -> None:
    view.write_raw("k1", b"120101199003078888")
    view.write_raw("k2", b"\0\0\0\0\x01 120101199003078888")
    view.write("e1", "a1")
    view.commit()
    with gateway(view, tmp_path) as process:
        async with ClientSession() as session:
            response = await session.get(f"{process.url}/grid-workers/gw-000001/alerts", headers=process.headers())
            assert await Stream(response).event_ids(2) == ["reset", "e1"]
            metrics = await (await session.get(f"{process.url}/metrics")).text()
        assert sum(float(line.split()[-1]) for line in metrics.splitlines() if 'flow="push"' in line) == 2
        assert len(process.logged('"offset"')) == 2
        assert not process.logged("120101199003078888")


def test_without_the_view_topic_it_says_so_in_one_sentence(bootstrap_servers: str, tmp_path: Path, unique: str) -> None:
    there = View(bootstrap_servers, unique)
    there.topic = f"to.{unique}.nothing"
    with pytest.raises(AssertionError, match="did not listen") as failure:
        GatewayProcess(there, tmp_path)
    assert "does not exist" in str(failure.value)
    assert "Traceback" not in str(failure.value)
