"""The page is plain files; only a demo lets anybody in as anybody."""

from aiohttp import ClientSession, CookieJar

from connectors.memory import MemoryLog
from tests.unit.gateway.in_memory import running


async def test_the_page_and_its_files_are_served_and_nothing_else_is() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        page = await (await session.get(f"{gateway.url}/")).text()
        for name, kind in (("page.js", "text/javascript"), ("page.css", "text/css"), ("icon.svg", "image/svg+xml")):
            assert f"/static/{name}" in page
            response = await session.get(f"{gateway.url}/static/{name}")
            assert response.content_type == kind
        for name in ("nothing", "..%2ftoken.py", "index.html%00"):
            assert (await session.get(f"{gateway.url}/static/{name}")).status == 404


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        for path in ("/", "/static/page.js", "/static/page.css"):
            text = await (await session.get(gateway.url + path)).text()
            assert "http:" not in text.replace('xmlns="http:', "")
            assert "https:" not in text
            assert "innerHTML" not in text


async def test_without_the_demo_there_is_no_login_stub() -> None:
    async with running(MemoryLog()) as gateway, ClientSession() as session:
        assert (await session.get(f"{gateway.url}/login-stub?id=gw-000001")).status == 404
        me = await session.get(f"{gateway.url}/me")
        assert me.status == 401
        assert await me.json() == {"id": None, "demo": False, "divisions": None, "expires": None}


async def test_the_demo_login_sets_a_cookie_that_scripts_and_other_sites_cannot_use() -> None:
    jar = CookieJar(unsafe=True)  # the test's address is a number, which a jar otherwise ignores
    async with running(MemoryLog(), demo=True) as gateway, ClientSession(cookie_jar=jar) as session:
        login = await session.get(f"{gateway.url}/login-stub?id=gw-000001", allow_redirects=False)
        assert (login.status, login.headers["Location"]) == (303, "/")
        for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"):
            assert attribute in login.headers["Set-Cookie"]
        me = await (await session.get(f"{gateway.url}/me")).json()
        assert (me["id"], me["demo"]) == ("gw-000001", True)
        assert (await session.get(f"{gateway.url}/grid-workers/gw-000001/alerts")).status == 200
        assert (await session.get(f"{gateway.url}/grid-workers/gw-000002/alerts")).status == 403


async def test_the_demo_login_refuses_what_is_no_addressee() -> None:
    async with running(MemoryLog(), demo=True) as gateway, ClientSession() as session:
        for wrong in ("", "gw-1", "desk-1", "x\r\nSet-Cookie:a=b"):
            response = await session.get(f"{gateway.url}/login-stub", params={"id": wrong})
            assert response.status == 400
            assert "Set-Cookie" not in response.headers
