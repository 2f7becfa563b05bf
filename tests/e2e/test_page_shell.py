"""What the phone keeps of the pages: their files, so that they open without a network, and nothing about anybody."""

import json
from typing import Any

import pytest

from connectors.gateway import static
from tests.e2e.chromium import Page
from tests.e2e.grid_worker import NUMBERS, STATE, card, log_in
from tests.e2e.small_bus import SmallBus, port_of, small_bus

KEPT = (
    "caches.keys().then(names => Promise.all(names.map(async name => [name,"
    " (await (await caches.open(name)).keys()).map(request => new URL(request.url).pathname)])))"
)
CONTROLLED = "!!navigator.serviceWorker.controller"
LONG = 600_000

WATCH = """
  const send = fetch, wait = setTimeout;
  window.asked = []; window.waits = [];
  window.fetch = (url, options = {}) => {
    asked.push([options.method ?? "GET", url, options.headers?.["Last-Event-ID"] ?? ""].join(" "));
    return send(url, options);
  };
  window.setTimeout = (work, ms, ...rest) => wait(work, waits.push(ms) && ms in hurry ? hurry[ms] : ms, ...rest);
"""
"""Notes what the page asks for and how long it waits; waits in `hurry` are shorter."""


async def kept(page: Page) -> dict[str, list[str]]:
    """The phone's caches and the paths in each."""
    found: dict[str, list[str]] = dict(await page.ask(KEPT))
    return found


async def test_without_a_gateway_the_pages_open_and_say_so(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "1")
        await page.until(CONTROLLED, True)
    await page.open(f"{gateway.url}/")
    await page.says("#state", "连接中断，正在重新连接，恢复后会自动显示预警")
    assert await page.ask(NUMBERS) == ""
    await page.open(f"{gateway.url}/command")
    await page.says("h1", "预警总览")
    await page.says("#state", "连接中断")


async def test_an_alert_is_shown_as_soon_as_the_gateway_is_back(page: Page) -> None:
    bus = SmallBus()
    async with small_bus(bus) as (_, gateway):
        await log_in(page, gateway.url)
        await page.until(CONTROLLED, True)
    await page.open(f"{gateway.url}/")
    await page.says("#state", "连接中断")
    bus.raise_alert(1)
    async with small_bus(bus, port_of(gateway)):
        await page.until(NUMBERS, "1")


async def test_the_phone_keeps_the_pages_files_and_nothing_about_anybody(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.until(CONTROLLED, True)
        await page.tap(card(1, ".seen"))
        await page.says(card(1, ".due"), "内处置")
        await page.open(f"{gateway.url}/command")
        await page.until(STATE, "off")
        caches = await kept(page)
        assert len(caches) == 1
        for path in next(iter(caches.values())):
            assert path in ("/", "/command", "/manifest.webmanifest") or path.startswith("/static/"), path
        stored = json.dumps(
            await page.ask("[{...localStorage}, {...sessionStorage}, document.cookie]"), ensure_ascii=False
        )
        assert "haihe.outbox.gw-000123" in stored
        for personal in ("张", "13900001234", "平山道", "haihe_token"):
            assert personal not in stored


async def test_a_new_version_takes_the_old_ones_place_when_nobody_looks(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = SmallBus()
    async with small_bus(bus) as (_, gateway):
        await log_in(page, gateway.url)
        await page.until(CONTROLLED, True)
        await page.open(f"{gateway.url}/")  # an earlier version was there when the page came
        await page.until(STATE, "live")
        before = await kept(page)
        changed = "navigator.serviceWorker.addEventListener('controllerchange', () => { window.changed = true })"
        await page.ask(f"window.same = true, {changed}, 0")
    shell = static.shell
    monkeypatch.setattr(static, "shell", lambda bodies: shell({**bodies, "sw.js": bodies["sw.js"] + b"//"}))
    async with small_bus(bus, port_of(gateway)):
        await page.until("window.changed", True)
        assert await page.ask("window.same") is True  # not under the reader's eyes
        await page.ask(
            "Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true}),"
            " document.dispatchEvent(new Event('visibilitychange')), 0"
        )
        await page.until("window.same", None)
        await page.until(STATE, "live")
        after = await kept(page)
        assert len(after) == 1
        assert before.keys() != after.keys()


async def test_the_page_can_be_installed(page: Page) -> None:
    async with small_bus() as (_, gateway):
        await log_in(page, gateway.url)
        await page.until(CONTROLLED, True)
        manifest = await page.call("Page.getAppManifest")
        assert manifest["errors"] == []
        errors: list[dict[str, Any]] = (await page.call("Page.getInstallabilityErrors"))["installabilityErrors"]
        # A device of these tests is an incognito window, which is all that may be said against it.
        assert [error["errorId"] for error in errors if error["errorId"] != "in-incognito"] == []


async def test_the_login_is_renewed_at_half_of_its_life(page: Page) -> None:
    async with small_bus() as (_, gateway):
        # Half of half an hour, less what was needed to ask: the first such wait is over at once.
        await page.before(
            f"const hurry = new Proxy({{}}, {{has: (_, ms) => ms > {LONG} && !window.hurried, get: () =>"
            f" (window.hurried = true, 50)}}); {WATCH}"
        )
        await log_in(page, gateway.url)
        await page.until("asked.filter(each => each.startsWith('POST /token')).length", 1)
        await page.until(f"waits.filter(ms => ms > {LONG}).length", 2)
        assert await page.ask(f"waits.filter(ms => ms > {LONG} && (ms < 890_000 || ms > 900_000)).join()") == ""


async def test_a_connection_that_died_silently_is_replaced_and_goes_on_where_it_stopped(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        await page.before(f"const hurry = {{45000: 700}}; {WATCH}")
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "1")
        resumed = "asked.filter(each => /^GET .grid-workers.gw-000123.alerts \\S+$/.test(each)).length > 1"
        await page.until(resumed, True)
        bus.raise_alert(2)
        await page.until(NUMBERS, "1,2")
