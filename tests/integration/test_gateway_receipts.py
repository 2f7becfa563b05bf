"""A receipt over a real gateway and a real Kafka: acknowledged is written, valid and keyed; while the broker is away
the answer says so, and what is sent again arrives."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from connectors.gateway.receipts import EVENT, PUBLISHER, TOPIC
from streams.engine.reader import Reader
from streams.engine.record import Record
from tests.integration.frozen import FreezableKafka
from tests.integration.gateway_process import GatewayProcess, View, gateway
from tests.unit.gateway.in_memory import Stream

pytestmark = pytest.mark.kafka


def seen(**more: Any) -> dict[str, Any]:
    return {"event_id": str(uuid.uuid4()), "kind": "SEEN", **more}


class Written:
    """What was written to the receipts' topic about one alert since this was made."""

    def __init__(self, bootstrap: str, alert_id: str) -> None:
        self._reader = Reader(bootstrap, [TOPIC], "end")
        self._alert_id = alert_id.encode()

    def records(self) -> list[Record]:
        return [record for record in self._reader.read_to_end(30) if record.key == self._alert_id]

    def close(self) -> None:
        self._reader.close()


@contextmanager
def written(bootstrap: str, alert_id: str) -> Iterator[Written]:
    one = Written(bootstrap, alert_id)
    try:
        yield one
    finally:
        one.close()


def url(process: GatewayProcess, alert_id: str) -> str:
    return f"{process.url}/alerts/{alert_id}/receipts"


async def test_a_receipt_that_is_acknowledged_is_in_the_topic_that_intake_reads_valid_and_under_its_alert(
    bootstrap_servers: str, unique: str, tmp_path: Path
) -> None:
    view, alert_id = View(bootstrap_servers, unique), str(uuid.uuid4())
    view.write("e1", alert_id)
    view.commit()
    with gateway(view, tmp_path) as process, written(bootstrap_servers, alert_id) as topic:
        async with ClientSession() as session:
            stream = Stream(
                await session.get(f"{process.url}/grid-workers/gw-000001/alerts", headers=process.headers())
            )
            assert await stream.event_ids(2) == ["reset", "e1"]
            body = seen(kind="ACTED", outcome="PHONED", ago_ms=60_000)
            response = await session.post(url(process, alert_id), json=body, headers=process.headers())
            assert (response.status, await response.json()) == (202, {"event_id": body["event_id"]})
        (record,) = topic.records()
        assert record.value is not None
        assert view.receipted.check(record.value, PUBLISHER, record.timestamp) == alert_id.encode()
        event = view.receipted.decode(record.value)
        assert (event["addressee"], event["kind"], event["outcome"]) == ("gw-000001", "ACTED", "PHONED")
        assert event["event_id"] == body["event_id"]
        assert record.timestamp - 120_000 < event["occurred_at"] < record.timestamp - 50_000
        assert not process.logged(alert_id)
        assert not process.logged("gw-000001")


async def test_while_the_broker_is_away_the_answer_is_503_and_the_same_receipt_sent_again_arrives(
    freezable: FreezableKafka, unique: str, tmp_path: Path
) -> None:
    view, alert_id, body = View(freezable.bootstrap_servers, unique), str(uuid.uuid4()), seen()
    with gateway(view, tmp_path) as process, written(freezable.bootstrap_servers, alert_id) as topic:
        async with ClientSession() as session:
            with freezable.frozen():
                response = await session.post(url(process, alert_id), json=body, headers=process.headers())
                assert (response.status, response.headers["Retry-After"]) == (503, "5")
                assert "same event_id" in await response.text()
            deadline = time.monotonic() + 60
            while response.status == 503:  # a broker that was frozen takes a moment
                assert time.monotonic() < deadline
                response = await session.post(url(process, alert_id), json=body, headers=process.headers())
            assert response.status == 202
        records = topic.records()
        assert records, "a 202 that is not in the log"
        assert {view.receipted.decode(record.value or b"")["event_id"] for record in records} == {body["event_id"]}


async def test_receipts_need_no_alert_that_the_gateway_knows_but_a_token(
    bootstrap_servers: str, unique: str, tmp_path: Path
) -> None:
    view, alert_id = View(bootstrap_servers, unique), str(uuid.uuid4())
    with gateway(view, tmp_path) as process, written(bootstrap_servers, alert_id) as topic:
        async with ClientSession() as session:
            assert (await session.post(url(process, alert_id), json=seen())).status == 401
            assert (await session.post(url(process, alert_id), json=seen(), headers=process.headers())).status == 202
            metrics = await (await session.get(f"{process.url}/metrics")).text()
        assert len(topic.records()) == 1
        for line in ('{kind="SEEN",status="202"} 1.0', '{kind="unknown",status="401"} 1.0'):
            assert f"haihe_receipts_total{line}" in metrics


def test_without_the_receipts_contract_it_says_so_in_one_sentence(
    freezable: FreezableKafka, unique: str, tmp_path: Path
) -> None:
    view = View(freezable.bootstrap_servers, unique)
    view.take_back(EVENT)
    try:
        with pytest.raises(AssertionError, match="did not listen") as failure:
            GatewayProcess(view, tmp_path)
    finally:
        view.release()
    assert f"no schema is released for {EVENT}: run `haihe schema register`" in str(failure.value)
    assert "Traceback" not in json.dumps(str(failure.value))
