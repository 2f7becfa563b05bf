"""Desks watch their divisions: whole snapshots, only theirs, nobody's name."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession

from connectors.gateway.board import Board
from connectors.gateway.screens import MAX_ALERTS, Screen
from connectors.memory import MemoryLog
from tests.unit.gateway.in_memory import DIVISIONS, KEYS, Gateway, Stream, bearer, event, running
from tests.unit.gateway.lives import decoded

COMMUNITY = "120101001001"
NOBODY = dict.fromkeys(("open", "unseen", "overdue", "closed", "retracted", "red", "orange"), 0)
NOTHING = NOBODY | {"seen_median_s": None, "acted_median_s": None}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks a hundred times as often as it does in earnest."""
    monkeypatch.setattr("connectors.gateway.screens.EVERY_S", 0.01)


def alert(number: int, division: str | None = COMMUNITY, state: str = "RAISED", **change: Any) -> dict[str, Any]:
    now = int(time.time() * 1000)
    told = [{"addressee": "gw-000001", "cause": "COLOUR", "seen_at": None, "acted_at": None, "relieved_at": None}]
    fields = {"division": division, "addressee_level": "GRID_WORKER", "opened_at": now, "due_at": now + 300_000}
    return event(number, f"a{number}", state) | fields | {"told": told} | change


async def watch(gateway: Gateway, session: ClientSession, code: str, desk: str = "desk-12") -> Stream:
    response = await session.get(f"{gateway.url}/divisions/{code}/alerts", headers=bearer(desk))
    assert response.status == 200
    return Stream(response)


async def snapshot(stream: Stream) -> dict[str, Any]:
    block = await stream.block()
    assert block["event"] == "board"
    assert "id" not in block
    shown: dict[str, Any] = json.loads(block["data"])
    return shown


async def until_open(stream: Stream, count: int) -> dict[str, Any]:
    """The first snapshot with so many open alerts."""
    async with asyncio.timeout(10):
        while (shown := await snapshot(stream))["counts"]["open"] != count:
            pass
    return shown


async def test_a_city_desk_sees_the_city_and_its_districts_at_once() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        shown = await snapshot(await watch(gateway, session, "12"))
        assert shown["division"] == {"code": "12", "name": "天津市", "level": "CITY"}
        assert shown["path"] == [{"code": "12", "name": "天津市"}]
        assert shown["counts"] == NOTHING
        assert [child["code"] for child in shown["children"]] == list(DIVISIONS.districts)
        assert shown["children"][0] == {"code": "120101", "name": "和平区", "level": "DISTRICT"} | NOTHING
        assert shown["alerts"] == []


async def test_what_happens_shows_in_the_division_and_in_those_above_it() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        streams = [await watch(gateway, session, code) for code in DIVISIONS.above(COMMUNITY)]
        gateway.write(0, alert(1))
        gateway.write(0, alert(2, colour="ORANGE"))
        for stream in streams:
            shown = await until_open(stream, 2)
            assert shown["counts"] == NOTHING | {"open": 2, "unseen": 2, "red": 1, "orange": 1}
            below = [child for child in shown["children"] if child["open"]]
            assert [child["code"] for child in below] == [
                code for code in DIVISIONS.above(COMMUNITY) if code in DIVISIONS.below[shown["division"]["code"]]
            ]
        gateway.write(0, alert(1, state="CLOSED", cause="ACTED"), timestamp=int(time.time() * 1000))
        for stream in streams:
            assert (await until_open(stream, 1))["counts"]["closed"] == 1


async def test_a_community_lists_its_alerts_without_saying_whom_they_are_about() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        stream = await watch(gateway, session, COMMUNITY, f"desk-{COMMUNITY}")
        personal = {"person_name": "张**", "phone": "13800001234", "address": "某路1号", "cell": COMMUNITY + "01"}
        fields = alert(1, due_at=1000) | personal
        gateway.write(0, fields)
        (listed,) = (await until_open(stream, 1))["alerts"]
        assert listed == {
            "alert_id": "a1",
            "colour": "RED",
            "state": "RAISED",
            "addressee": "gw-000001",
            "addressee_level": "GRID_WORKER",
            "opened_at": fields["opened_at"],
            "due_at": 1000,
            "seen": False,
            "overdue": True,
        }


async def test_the_path_begins_at_the_desks_own_division() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        paths = []
        for desk in ("desk-12", "desk-120101", "desk-120101001"):
            shown = await snapshot(await watch(gateway, session, "120101001", desk))
            paths.append([named["code"] for named in shown["path"]])
        assert paths == [["12", "120101", "120101001"], ["120101", "120101001"], ["120101001"]]


async def test_a_desk_sees_its_own_division_and_what_lies_in_it() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        for subject, code, status in (
            ("desk-12", "12", 200),
            ("desk-12", COMMUNITY, 200),
            ("desk-120101", "120101", 200),
            ("desk-120101", COMMUNITY, 200),
            (f"desk-{COMMUNITY}", COMMUNITY, 200),
            ("desk-120101", "12", 403),
            ("desk-120101", "120102", 403),
            (f"desk-{COMMUNITY}", "120101001002", 403),
            ("gw-000001", "12", 403),
            ("gw-000001", "999999", 403),
            ("desk-12", "999999", 404),
            ("desk-12", f"{COMMUNITY}01", 404),
            ("desk-99", "12", 403),
            (None, "12", 401),
            (None, "999999", 401),
        ):
            headers = bearer(subject) if subject else {}
            async with session.get(f"{gateway.url}/divisions/{code}/alerts", headers=headers) as response:
                assert response.status == status, (subject, code)


async def test_nothing_is_shown_again_that_has_not_changed() -> None:
    """An alert that goes from one person to another in a community changes nothing in the city's counts."""
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        gateway.write(0, alert(1))
        city = await watch(gateway, session, "12")
        community = await watch(gateway, session, COMMUNITY)
        await until_open(city, 1)
        await until_open(community, 1)
        told = alert(1)["told"]
        gateway.write(0, alert(1, state="HANDED_OVER", addressee="gw-000002", told=told))
        assert (await snapshot(community))["alerts"][0]["addressee"] == "gw-000002"
        gateway.write(0, alert(2, division="120102"))
        assert (await snapshot(city))["counts"]["open"] == 2
        gateway.write(0, alert(3))
        assert (await snapshot(community))["counts"]["open"] == 2


class Clock:
    """A clock that stands where it is put, in seconds."""

    now = 1_763_740_800.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def board(clock: Clock) -> Board:
    return Board(DIVISIONS, clock)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is drawn, each time it is."""
    found: list[str] = []
    draw = Screen._draw

    def noted(screen: Screen) -> dict[str, Any]:
        found.append(screen._code)
        return draw(screen)

    monkeypatch.setattr(Screen, "_draw", noted)
    yield found


async def test_however_much_happens_between_two_looks_it_is_drawn_once(
    board: Board, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.gateway.screens.EVERY_S", 3600)
    screen = Screen(board, DIVISIONS, "12")
    for number in range(20):
        board.apply(decoded([alert(number) | {"at": 0}]))
    assert (screen.number, len(drawn)) == (1, 1)
    screen.look()
    screen.look()
    assert (screen.number, len(drawn)) == (2, 2)
    assert json.loads(b"{" + screen.body)["counts"]["open"] == 20
    screen.close()


async def test_an_alert_that_becomes_overdue_is_news_by_itself(board: Board, clock: Clock) -> None:
    board.apply(decoded([alert(1, due_at=int(clock.now * 1000) + 5000) | {"at": 0}]))
    screen = Screen(board, DIVISIONS, COMMUNITY)
    changed = screen.changed
    clock.now += 6
    await asyncio.wait_for(changed.wait(), 10)
    shown = json.loads(b"{" + screen.body)
    assert (shown["counts"]["overdue"], shown["alerts"][0]["overdue"], shown["at"]) == (1, True, clock.now * 1000)
    screen.close()


async def test_a_community_lists_no_more_alerts_than_a_screen_can_show(board: Board) -> None:
    board.apply(decoded([alert(number) | {"at": 0} for number in range(MAX_ALERTS + 5)]))
    screen = Screen(board, DIVISIONS, COMMUNITY)
    shown = json.loads(b"{" + screen.body)
    assert (len(shown["alerts"]), shown["counts"]["open"]) == (MAX_ALERTS, MAX_ALERTS + 5)
    screen.close()


async def test_a_division_is_drawn_once_for_all_who_watch_it(drawn: list[str]) -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        streams = [await watch(gateway, session, "120101", desk) for desk in ("desk-12", "desk-120101", "desk-12")]
        for stream in streams:
            await snapshot(stream)
        assert drawn == ["120101"]


async def test_when_the_last_one_leaves_nothing_is_drawn_any_more() -> None:
    screens = []
    init = Screen.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Screen, "__init__", lambda self, *given: (screens.append(self), init(self, *given))[1])
        async with running(MemoryLog()) as gateway, ClientSession() as session:
            first, second = await watch(gateway, session, "12"), await watch(gateway, session, "12")
            await snapshot(first)
            await snapshot(second)
            (screen,) = screens
            first.response.close()
            second.response.close()
            async with asyncio.timeout(10):
                while not screen.over:
                    await screen.changed.wait()
            await snapshot(await watch(gateway, session, "12"))
            assert len(screens) == 2


async def test_a_screen_on_which_nothing_happens_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.gateway.screens.HEARTBEAT_S", 0.05)
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        stream = await watch(gateway, session, "12")
        async with asyncio.timeout(10):
            raw = b""
            while raw.count(b"\n\n:\n\n:\n\n") < 1:
                raw += await stream.response.content.readany()
        assert raw.count(b"event: board") == 1


async def test_a_screen_ends_with_its_token_in_good_order() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        short = KEYS.sign("desk-12", time.time(), life_s=1.2)
        url = f"{gateway.url}/divisions/12/alerts"
        stream = Stream(await session.get(url, headers={"Authorization": f"Bearer {short}"}))
        await snapshot(stream)
        async with asyncio.timeout(10):
            with pytest.raises(EOFError):
                await stream.block()


async def test_a_gateway_that_stops_ends_its_screens_in_good_order() -> None:
    async with ClientSession() as session:
        async with running(MemoryLog()) as gateway:
            stream = await watch(gateway, session, "12")
            await snapshot(stream)
        with pytest.raises(EOFError):
            await stream.block()


async def test_screens_are_streams_of_which_a_gateway_holds_so_many() -> None:
    async with running(MemoryLog(), limit=1) as gateway, ClientSession() as session:
        stream = await watch(gateway, session, "12")
        await snapshot(stream)
        for url in ("/divisions/12/alerts", "/grid-workers/desk-12/alerts"):
            response = await session.get(gateway.url + url, headers=bearer("desk-12"))
            assert (response.status, response.headers["Retry-After"]) == (503, "5")


async def test_a_desk_that_comes_before_the_board_is_whole_is_held_until_it_is() -> None:
    async with running(MemoryLog(), feeding=False) as gateway, ClientSession() as session:
        early = asyncio.create_task(watch(gateway, session, "12"))
        gateway.hub.ready.set()
        assert (await snapshot(await early))["counts"] == NOTHING
