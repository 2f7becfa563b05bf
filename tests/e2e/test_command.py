"""The command page in a real browser: how a division stands, live, and the way down to where the burden is."""

from typing import Any

import pytest

from tests.e2e.axe import violations
from tests.e2e.chromium import Page
from tests.e2e.small_bus import BACKUP, ME, Person, SmallBus, port_of, small_bus
from tests.unit.gateway.in_memory import Gateway

LINES = (
    "[...document.querySelectorAll('#alerts tbody tr')]"
    ".map(row => [...row.cells].slice(0, 3).map(cell => cell.innerText).join()).join('|')"
)
SHOWN = "[...document.querySelectorAll('#board, #problem')].filter(node => node.checkVisibility())"
STATE = "document.getElementById('state').dataset.state"
NAME = "document.getElementById('name').textContent"
TILES = "[...document.querySelectorAll('#tiles a')].map(tile => tile.textContent).slice(0, 3).join('|')"
ROWS = "[...document.querySelectorAll('#divisions tbody tr')].map(row => row.cells[0].innerText).slice(0, 3).join()"

HEXI, HEPING = "12010300100101", "12010100100101"
"""A cell in 九江路社区, 大营门街道, 河西区, and one in 和平区."""


async def visit(page: Page, gateway: Gateway, desk: str = "desk-12", code: str = "") -> None:
    """Logs the desk in and opens the command page, at a division or its own."""
    await page.size(1280, 900)
    await page.open(f"{gateway.url}/login-stub?id={desk}")
    await page.until(
        "document.getElementById('who').innerText", f"值守台 {desk[5:]}" if desk[:4] == "desk" else f"网格员 {desk}"
    )
    await page.open(f"{gateway.url}/command{code}")
    await page.until("document.title.includes('总览')", True)


async def figures(page: Page, wanted: dict[str, Any]) -> None:
    """Waits until the division's figures are these."""
    for name, value in wanted.items():
        await page.until(f"document.querySelector('[data-of={name}]').textContent", str(value))


async def row(page: Page, name: str) -> list[str]:
    """What the table says of a division."""
    cells = f"[...document.querySelectorAll('#divisions tr')].find(row => row.innerText.startsWith({name!r})).cells"
    return list(await page.ask(f"[...{cells}].map(cell => cell.innerText)"))


async def test_the_figures_follow_an_alert_from_its_beginning_to_its_end(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        await visit(page, gateway)
        await figures(page, {"open": 0, "seen_median_s": "无"})
        id = bus.raise_alert(1, ago_s=290)
        await figures(page, {"open": 1, "unseen": 1, "overdue": 0, "red": 1, "orange": 0})
        bus.wait(11)
        await figures(page, {"open": 1, "overdue": 1})
        bus.answered(id, BACKUP, "SEEN")
        await figures(page, {"unseen": 0, "overdue": 1})
        bus.answered(id, ME, "ACTED", "PHONED")
        await figures(page, {"open": 0, "overdue": 0, "closed": 1, "retracted": 0})
        assert str(await page.text("[data-of=seen_median_s]")).startswith("4分5")
        bus.raise_alert(2, "ORANGE")
        await figures(page, {"orange": 1})
        bus.retract(2)
        await figures(page, {"open": 0, "closed": 1, "retracted": 1})


async def test_tiles_and_table_say_the_same_and_the_way_leads_down_up_and_back(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1, ago_s=301)
        bus.wait(0)
        bus.raise_alert(2)
        bus.raise_alert(3, who=Person(cell=HEPING))
        await visit(page, gateway)
        await page.until(
            TILES,
            "河西区，未办结 2，超时 1，未查看 2|和平区，未办结 1，未查看 1|河东区，未办结 0",
        )
        assert (await row(page, "河西区"))[:7] == ["河西区", "2", "2", "1", "2", "0", "0"]
        assert await page.text("#below-title") == "各区未办结"
        await page.tap("#tiles a[href='#120103']")
        await page.until(NAME, "河西区")
        await page.until("document.activeElement.tagName", "H1")  # who cannot see it hears where he is
        assert await page.ask("location.hash") == "#120103"
        await page.tap("#divisions a[href='#120103001']")
        await page.until(NAME, "大营门街道")
        assert await page.text("#below-title") == "各社区未办结"
        await page.until("[...document.querySelectorAll('#path a')].map(link => link.text).join()", "天津市,河西区")
        await page.ask("document.querySelector('#tiles a').focus()")
        await page.press("Enter")
        await page.until(NAME, "九江路社区居委会")
        await page.ask("history.back()")
        await page.until(NAME, "大营门街道")
        await page.tap("#path a[href='#12']")
        await page.until(NAME, "天津市")
        await figures(page, {"open": 3})


async def test_an_address_with_a_division_opens_it(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await visit(page, gateway, "desk-120103", "#120103001")
        await page.until(NAME, "大营门街道")
        await page.until("[...document.querySelectorAll('#path a')].map(link => link.text).join()", "河西区")
        assert await page.ask("document.title") == "大营门街道 预警总览"


async def test_a_community_lists_its_open_alerts_and_names_nobody(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1, ago_s=301)
        bus.raise_alert(2, "ORANGE")
        bus.wait(0)
        await visit(page, gateway, "desk-120103001001")
        await page.until(LINES, "红码,备岗网格员 gw-022400,待查看，超时|橙码,网格员 gw-000123,待查看")
        assert "剩 4:" in await page.text("#alerts")
        shown = str(await page.ask("document.documentElement.outerHTML"))
        for personal in ("张", "13900001234", "平山道"):
            assert personal not in shown
        bus.retract(1)
        await page.until(LINES, "橙码,网格员 gw-000123,待查看")
        bus.retract(2)
        await page.says("#none", "目前没有未办结的预警")


async def test_the_table_sorts_by_what_is_pressed_and_keeps_doing_so(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1, "ORANGE")
        bus.raise_alert(2, "ORANGE")
        bus.raise_alert(3, "RED", who=Person(cell=HEPING))
        await visit(page, gateway)
        await page.until(ROWS, "河西区,和平区,河东区")
        await page.tap("#divisions th:nth-child(5) button")  # 红码
        await page.until(ROWS, "和平区,河东区,河西区")
        assert await page.ask("document.querySelector('#divisions [aria-sort]').innerText.slice(0, 2)") == "红码"
        assert await page.ask("document.querySelector('#divisions [aria-sort]').ariaSort") == "descending"
        await page.tap("#divisions th:nth-child(5) button")
        await page.until(ROWS, "河东区,河西区,南开区")
        assert await page.ask("document.querySelector('#divisions [aria-sort]').ariaSort") == "ascending"
        await page.tap("#divisions th:nth-child(5) button")
        bus.raise_alert(4, "RED")
        bus.raise_alert(5, "RED")
        await page.until(ROWS, "河西区,和平区,河东区")


async def test_tiles_fill_the_map_by_what_is_open_and_never_overlap(page: Page) -> None:
    async with small_bus() as (_, gateway):
        await page.open(gateway.url)
        boxes = await page.ask(
            "import('/static/treemap.js').then(map => map.squarify([6, 6, 4, 3, 2, 2, 1], 600, 400))"
        )
        areas = [box["width"] * box["height"] for box in boxes]
        assert areas == pytest.approx([weight * 10_000 for weight in (6, 6, 4, 3, 2, 2, 1)])
        for n, a in enumerate(boxes):
            assert min(a["x"], a["y"]) > -1e-6
            assert a["x"] + a["width"] < 600.001
            assert a["y"] + a["height"] < 400.001
            assert max(a["width"] / a["height"], a["height"] / a["width"]) < 4
            for b in boxes[n + 1 :]:
                across = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
                down = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
                assert min(across, down) < 1e-6
        tones = await page.ask("import('/static/treemap.js').then(map => [0, .05, .2, .9].map(map.tone))")
        assert tones == ["calm", "some", "many", "most"]


async def test_a_tile_keeps_the_focus_while_numbers_change(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await visit(page, gateway)
        await page.until("document.querySelectorAll('#tiles a').length", 16)
        await page.ask("document.querySelector('#tiles a[href=\"#120101\"]').focus()")
        for number in range(2, 6):
            bus.raise_alert(number, who=Person(cell=HEPING))
        # Numbers at once; places when they have been looked at for a while.
        await page.until("document.activeElement.textContent", "和平区，未办结 4，未查看 4")
        await page.until(f"{TILES}.split('，')[0]", "和平区")
        assert await page.ask("document.activeElement.hash") == "#120101"


async def test_after_a_restart_of_the_gateway_the_numbers_are_right_and_meanwhile_it_says_they_are_old(
    page: Page,
) -> None:
    bus = SmallBus()
    async with small_bus(bus) as (_, gateway):
        bus.raise_alert(1)
        bus.raise_alert(2)
        await visit(page, gateway, code="#120103")
        await figures(page, {"open": 2})
    await page.says("#state", "连接中断，正在重新连接，以下为")
    assert await page.ask(STATE) == "connecting"
    assert await page.text("[data-of=open]") == "2"
    bus.retract(1)
    async with small_bus(bus, port_of(gateway)):
        await page.until(STATE, "live")
        await figures(page, {"open": 1, "retracted": 1})
        assert await page.text("#state") == "实时更新"


@pytest.mark.parametrize(
    ("who", "code", "words"),
    [
        ("desk-120103", "#120101", "这个区划不在您的辖区内。"),
        ("desk-120103", "#1201039999", "没有这个区划。"),
        (ME, "", "此页面供值守台使用。"),
    ],
    ids=["another's", "unknown", "grid worker"],
)
async def test_who_may_not_see_a_division_is_told_so(page: Page, who: str, code: str, words: str) -> None:
    async with small_bus() as (_, gateway):
        await visit(page, gateway, who, code)
        await page.says("#problem", words)
        assert await page.text("#board") == ""
        assert await page.ask(STATE) == "off"
        if who != ME:
            await page.tap("#path a")
            await page.until(NAME, "河西区")


async def test_when_the_login_is_over_the_page_says_so_and_shows_nothing(page: Page) -> None:
    async with small_bus() as (_, gateway):
        await visit(page, gateway)
        await page.until(STATE, "live")
        await page.call("Network.clearBrowserCookies")
        await page.ask("dispatchEvent(new Event('offline')), 0")  # connects anew
        await page.says("#state", "登录已失效")
        assert await page.text("#board") == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("code", ["#12", "#120103001001", "#99"], ids=["city", "community", "refused"])
async def test_axe_finds_nothing_wrong(page: Page, scheme: str, code: str) -> None:
    async with small_bus() as (bus, gateway):
        await page.media(prefers_color_scheme=scheme)
        for number in range(8):
            bus.raise_alert(number, ago_s=301 if number < 2 else 0)
        bus.wait(0)
        bus.raise_alert(9, "ORANGE", who=Person(cell=HEPING), ago_s=301)
        bus.wait(0)
        await visit(page, gateway, code=code)
        await page.until(f"{STATE} !== 'connecting'", True)
        await page.until(f"{SHOWN}.length", 1)
        await page.until("document.getAnimations().length", 0)
        assert await violations(page) == []


async def test_on_a_narrow_phone_only_the_wide_table_scrolls(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await visit(page, gateway)
        await page.size(320, 640)
        await figures(page, {"open": 1})
        await page.until("document.querySelectorAll('#tiles a').length", 16)
        assert await page.ask("document.documentElement.scrollWidth") == 320
        assert await page.ask("document.querySelector('#divisions').parentElement.tabIndex") == 0
        assert await violations(page) == []
