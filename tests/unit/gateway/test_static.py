"""The pages' files: served as what they are, kept only by asking again, and known by version to the service worker."""

import json
import re

from aiohttp import ClientSession

from connectors.gateway.static import shell
from connectors.memory import MemoryLog
from tests.unit.gateway.in_memory import running


async def test_every_file_that_the_service_worker_keeps_is_there() -> None:
    async with running(MemoryLog()) as gateway, ClientSession(gateway.url) as session:
        worker = await (await session.get("/sw.js")).text()
        kept = json.loads(worker.partition("\n")[0].removeprefix("const SHELL = ").removesuffix(";"))
        assert {"/", "/manifest.webmanifest", "/static/page.js", "/static/page.css"} <= set(kept["paths"])
        assert "/sw.js" not in kept["paths"]
        for path in kept["paths"]:
            assert (await session.get(path)).status == 200, path


async def test_every_file_a_page_names_is_one_that_is_served() -> None:
    async with running(MemoryLog()) as gateway, ClientSession(gateway.url) as session:
        for page in ("/", "/command", "/manifest.webmanifest"):
            named = re.findall(r'"(/static/[^"]+|/manifest[^"]+)"', await (await session.get(page)).text())
            assert named
            for path in named:
                assert (await session.get(path)).status == 200, path


async def test_a_page_preloads_exactly_the_modules_that_it_needs() -> None:
    """Otherwise a phone on a slow network learns of them one after the other."""
    async with running(MemoryLog()) as gateway, ClientSession(gateway.url) as session:
        for page in ("/", "/command"):
            html = await (await session.get(page)).text()
            found = set(re.findall(r'"/static/([a-z]+\.js)" type="module"', html))
            look = set(found)
            while look:
                text = await (await session.get(f"/static/{look.pop()}")).text()
                fresh = set(re.findall(r' from "\./([a-z]+\.js)"', text)) - found
                found |= fresh
                look |= fresh
            scripts = set(re.findall(r'src="/static/([a-z]+\.js)"', html))
            assert set(re.findall(r'modulepreload" href="/static/([a-z]+\.js)"', html)) == found - scripts
            assert len(found) > 5


async def test_the_pages_load_nothing_from_elsewhere_and_make_no_markup_of_what_they_are_told() -> None:
    async with running(MemoryLog()) as gateway, ClientSession(gateway.url) as session:
        first = (await (await session.get("/sw.js")).text()).partition("\n")[0]
        paths = json.loads(first.removeprefix("const SHELL = ").removesuffix(";"))["paths"]
        for path in [*paths, "/sw.js"]:
            if not path.endswith(".png"):
                text = (await (await session.get(path)).text()).replace('xmlns="http://www.w3.org/2000/svg"', "")
                for foreign in (
                    "http:",
                    "https:",
                    "innerHTML",
                    "outerHTML",
                    "insertAdjacentHTML",
                    "document.write",
                    "eval(",
                ):
                    assert foreign not in text, path


async def test_a_file_is_sent_again_only_when_it_has_changed() -> None:
    async with running(MemoryLog()) as gateway, ClientSession(gateway.url) as session:
        first = await session.get("/static/page.css")
        assert first.headers["Cache-Control"] == "no-cache"
        again = await session.get("/static/page.css", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status, await again.read()) == (304, b"")
        other = await session.get("/static/page.css", headers={"If-None-Match": '"another"'})
        assert (other.status, await other.read()) == (200, await first.read())


async def test_what_is_not_a_page_is_kept_by_nobody() -> None:
    async with running(MemoryLog()) as gateway, ClientSession(gateway.url) as session:
        assert (await session.get("/me")).headers["Cache-Control"] == "no-store"
        assert (await session.get("/static/nothing")).headers["Cache-Control"] == "no-store"


async def test_the_service_worker_may_serve_the_whole_site_and_nothing_from_elsewhere() -> None:
    async with running(MemoryLog()) as gateway, ClientSession(gateway.url) as session:
        response = await session.get("/sw.js")
        assert response.content_type == "text/javascript"
        assert "manifest-src 'self'" in response.headers["Content-Security-Policy"]
        manifest = json.loads(await (await session.get("/manifest.webmanifest")).text())
        assert (manifest["start_url"], manifest["scope"]) == ("/", "/")


def test_the_version_changes_with_any_file_and_with_nothing_else() -> None:
    files = {"index.html": b"a", "page.js": b"b", "sw.js": b"c"}
    assert shell(files) == shell(dict(reversed(files.items())))
    versions = {shell(files), shell({**files, "sw.js": b"d"}), shell({**files, "page.js": b"d"})}
    assert len(versions) == 3
