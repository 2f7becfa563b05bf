"""Who is asking, until when, and how that goes on for a whole shift without a login in the middle of it."""

import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from connectors.gateway.access import COOKIE
from connectors.gateway.keys import LIFE_S, SESSION_S
from connectors.memory import MemoryLog
from tests.unit.gateway.in_memory import KEYS, Gateway, bearer, running

HOUR = 3600


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running(MemoryLog(), demo=True) as one:
        yield one


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as one:
        yield one


def cookie(subject: str = "gw-000001", hours: float = 0) -> dict[str, str]:
    """The header that a browser sends by itself."""
    return {"Cookie": f"{COOKIE}={KEYS.sign(subject, time.time() + hours * HOUR)}"}


async def test_me_says_who_until_when_and_which_division_a_desk_looks_after(
    gateway: Gateway, session: ClientSession
) -> None:
    for subject, division in (("gw-000001", None), ("desk-12", "12"), ("desk-120101001001", "120101001001")):
        now = time.time()
        me = await (await session.get(f"{gateway.url}/me", headers=bearer(subject))).json()
        assert (me["id"], me["divisions"]) == (subject, division)
        assert now + LIFE_S - 2 < me["expires"] <= now + LIFE_S + 5
        assert LIFE_S - 10 < me["expires_in"] <= LIFE_S


async def test_a_bearer_gets_a_fresh_token_for_the_same_session(gateway: Gateway, session: ClientSession) -> None:
    headers = bearer(hours=-0.25)
    former = KEYS.verify(headers["Authorization"].split()[1], time.time())
    response = await session.post(f"{gateway.url}/token", headers=headers)
    said = await response.json()
    fresh = KEYS.verify(said["token"], time.time())
    assert fresh is not None and former is not None
    assert fresh.expires == said["expires"] > former.expires
    assert fresh.session_until == said["session_until"] == former.session_until
    assert "Set-Cookie" not in response.headers


async def test_a_token_that_is_over_is_renewed_while_its_session_lasts(
    gateway: Gateway, session: ClientSession
) -> None:
    """A phone that slept in a pocket for hours comes back without a login."""
    said = await (await session.post(f"{gateway.url}/token", headers=bearer(hours=-11))).json()
    assert KEYS.verify(said["token"], time.time())
    assert said["expires"] <= said["session_until"]


async def test_when_the_session_is_over_nothing_is_renewed(gateway: Gateway, session: ClientSession) -> None:
    for headers in ({}, bearer(hours=-12.1), cookie(hours=-12.1), {"Authorization": "Bearer x"}):
        response = await session.post(f"{gateway.url}/token", headers=headers)
        assert response.status == 401
        assert "log in" in await response.text()
        assert "Set-Cookie" not in response.headers


async def test_by_cookie_the_fresh_token_is_a_cookie_that_scripts_never_see(
    gateway: Gateway, session: ClientSession
) -> None:
    response = await session.post(f"{gateway.url}/token", headers=cookie(hours=-1))
    assert set(await response.json()) == {"expires", "expires_in", "session_until"}
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in response.headers["Set-Cookie"]
    assert KEYS.verify(response.cookies[COOKIE].value, time.time())


async def test_the_cookie_stays_as_long_as_the_session_not_as_its_token(
    gateway: Gateway, session: ClientSession
) -> None:
    response = await session.post(f"{gateway.url}/token", headers=cookie(hours=-1))
    left = int(response.cookies[COOKIE]["max-age"])
    assert SESSION_S - HOUR - 10 < left <= SESSION_S - HOUR


async def test_behind_tls_the_cookie_is_secure(gateway: Gateway, session: ClientSession) -> None:
    headers = cookie() | {"X-Forwarded-Proto": "https"}
    assert "Secure" in (await session.post(f"{gateway.url}/token", headers=headers)).headers["Set-Cookie"]
    assert "Secure" not in (await session.post(f"{gateway.url}/token", headers=cookie())).headers["Set-Cookie"]


async def test_a_page_that_wakes_up_and_asks_who_it_is_has_a_fresh_cookie_already(
    gateway: Gateway, session: ClientSession
) -> None:
    response = await session.get(f"{gateway.url}/me", headers=cookie(hours=-5))
    assert (response.status, (await response.json())["id"]) == (200, "gw-000001")
    assert KEYS.verify(response.cookies[COOKIE].value, time.time())


async def test_asking_who_one_is_renews_neither_a_bearer_nor_a_cookie_that_is_good(
    gateway: Gateway, session: ClientSession
) -> None:
    response = await session.get(f"{gateway.url}/me", headers=cookie())
    assert "Set-Cookie" not in response.headers
    assert (await session.get(f"{gateway.url}/me", headers=bearer(hours=-5))).status == 401
    assert (await session.get(f"{gateway.url}/me", headers=cookie(hours=-13))).status == 401


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, 200),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 200),
    ],
)
async def test_with_a_cookie_another_sites_page_changes_nothing(
    gateway: Gateway, session: ClientSession, sent: dict[str, str], status: int
) -> None:
    response = await session.post(f"{gateway.url}/token", headers=cookie() | sent)
    assert response.status == status


async def test_an_older_browser_says_our_own_origin(gateway: Gateway, session: ClientSession) -> None:
    response = await session.post(f"{gateway.url}/token", headers=cookie() | {"Origin": gateway.url})
    assert response.status == 200


async def test_a_bearer_token_may_come_from_anywhere_no_browser_sends_it_by_itself(
    gateway: Gateway, session: ClientSession
) -> None:
    response = await session.post(f"{gateway.url}/token", headers=bearer() | {"Sec-Fetch-Site": "cross-site"})
    assert response.status == 200
