"""Everybody can use the grid worker's page: with a keyboard, with a screen reader, with large letters, in the dark."""

import pytest

from tests.e2e.axe import violations
from tests.e2e.chromium import Page
from tests.e2e.grid_worker import FOCUS, NUMBERS, SHEET, STATE, act, card, log_in
from tests.e2e.small_bus import Person, small_bus

NEWS = "[...document.getElementById('news').children].map(line => line.textContent).join('|')"
CUT = """[...document.querySelectorAll('body *')].flatMap(node => {
  if (!node.checkVisibility() || node.closest('.unseen')) return [];
  const box = node.getBoundingClientRect();
  const cut = node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX !== 'visible';
  const beyond = box.right > document.documentElement.clientWidth + 1 || box.left < -1;
  return cut || beyond ? [node.outerHTML.slice(0, 80)] : [];
}).join()"""
"""What reaches beyond the screen or hides a part of itself."""

LONG = Person(
    name="欧阳娜娜**", phone="+86 139 0000 1234 转 5678", address="天津市" * 20 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)


async def tab_to(page: Page, wanted: str) -> None:
    """Presses Tab until the focus is there."""
    for _ in range(30):
        await page.press("Tab")
        if await page.ask(FOCUS) == wanted:
            return
    raise AssertionError(f"Tab never comes to {wanted!r}")


async def test_with_the_keyboard_alone_an_alert_is_seen_and_acted_on_and_the_focus_is_never_lost(
    page: Page,
) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        bus.raise_alert(2)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "1,2")
        await tab_to(page, "1 seen main")
        await page.press("Enter")
        await page.until(FOCUS, "1 act main")  # the button that is left
        await page.until(NUMBERS, "2,1")  # and the card went down with the focus in it
        assert await page.ask(FOCUS) == "1 act main"
        await page.press(" ")
        await page.until(SHEET, True)
        await page.until("document.activeElement.id", "sheet-title")
        for _ in range(2):
            await page.press("Tab")
        assert await page.ask("document.activeElement.value") == "PHONED"
        for _ in range(6):  # the sheet keeps the focus to itself
            await page.press("Tab")
            assert await page.ask(
                "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
        await page.press("Escape")
        await page.until(SHEET, False)
        assert await page.ask(FOCUS) == "1 act main"
        await page.press("Enter")
        await page.until(SHEET, True)
        await page.press("Tab")
        await page.press("Enter")
        await page.says("#ended", "已办结（您，已上门核实）")
        await page.until(NUMBERS, "2")
        assert await page.ask(FOCUS) == "2 title"
        bus.retract(2)
        await page.until(NUMBERS, "")
        assert await page.ask("document.activeElement.tagName") == "H1"


async def test_a_card_that_others_overtake_keeps_the_focus(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await tab_to(page, "1 act")
        for number, ago_s in ((2, 250), (3, 100), (4, 200)):
            bus.raise_alert(number, ago_s=ago_s)
        await page.until(NUMBERS, "2,4,3,1")
        assert await page.ask(FOCUS) == "1 act"


async def test_a_new_alert_is_announced_once_and_many_at_once_as_a_number(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        await log_in(page, gateway.url)
        bus.raise_alert(1)
        words = "新预警：红码，张**，河西区友谊路街道平山道12号楼3门502。请在 5 分钟内查看"
        await page.until(NEWS, words)
        await page.tap(card(1, ".seen"))
        await page.says(card(1, ".due"), "内处置")
        await page.ask("dispatchEvent(new Event('offline')), 0")  # connected anew
        for number in range(2, 7):
            bus.raise_alert(number)
        await page.until(NEWS, f"{words}|有 5 条待处理的预警")
        assert await page.ask("document.getElementById('news').getAttribute('role')") == "log"


async def test_what_becomes_of_an_alert_is_announced_too(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1, ago_s=290)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "1")
        bus.wait(11)
        await page.until(f"{NEWS}.includes('已上报至 备岗网格员 gw-022400')", True)
        bus.retract(1)
        await page.until(f"{NEWS}.includes('张** 的预警已解除')", True)


async def test_every_button_says_of_whom_it_speaks(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "1")
        assert await page.ask(f"document.querySelector({card(1, '.seen')!r}).ariaLabel") == "已看到：红码 张**"
        assert await page.ask(f"document.querySelector({card(1, '.act')!r}).ariaLabel") == "已处置：红码 张**"


@pytest.mark.parametrize(
    ("width", "height", "zoom", "letters"),
    [(320, 640, 1.0, "100%"), (390, 844, 1.0, "200%"), (1280, 1024, 4.0, "100%"), (640, 360, 2.0, "100%")],
    ids=["narrow", "large-letters", "zoomed-400", "flat-zoomed-200"],
)
async def test_nothing_is_cut_off_however_small_the_screen_or_large_the_letters(
    page: Page, width: int, height: int, zoom: float, letters: str
) -> None:
    async with small_bus() as (bus, gateway):
        await page.size(width, height, zoom)
        bus.raise_alert(1, ago_s=290, who=LONG)
        bus.raise_alert(2, "ORANGE", who=Person(phone=None, address=None))
        await log_in(page, gateway.url)
        await page.ask(f"document.documentElement.style.fontSize = {letters!r}")
        bus.wait(11)
        await page.says(card(1), "已上报至")
        await page.offline()
        await page.tap(card(1, ".act"))
        await page.until(SHEET, True)
        assert await page.ask(CUT) == ""
        await page.tap("#sheet button[value=VISITED]")
        await page.says(card(1, ".pending"), "待发送")
        assert await page.ask(CUT) == ""
        assert await page.ask("parseFloat(getComputedStyle(document.querySelector('.address')).fontSize)") >= 18
        heights = "[...document.querySelectorAll('.actions > :not([hidden])')].map(node => node.offsetHeight)"
        assert await page.ask(f"Math.min(...{heights})") >= 48


async def test_axe_finds_nothing_wrong_before_and_after_the_login(page: Page) -> None:
    async with small_bus() as (_, gateway):
        await page.open(gateway.url)
        await page.until(STATE, "off")
        assert await violations(page) == []
        await log_in(page, gateway.url)
        await page.says("#empty", "目前没有待处理的预警")
        assert await violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_wrong_in_any_state_of_a_card(page: Page, scheme: str) -> None:
    async with small_bus() as (bus, gateway):
        await page.media(prefers_color_scheme=scheme)
        bus.raise_alert(1, ago_s=290)
        bus.raise_alert(2, "ORANGE")
        bus.raise_alert(3, "ORANGE")
        bus.raise_alert(4)
        await log_in(page, gateway.url)
        await page.tap(card(2, ".seen"))
        await page.says(card(2, ".due"), "内处置")
        await act(page, 4)
        await page.says("#ended", "已办结")
        bus.wait(11)
        await page.says(card(1), "已上报至")
        assert await violations(page) == []
        await page.offline()
        await act(page, 3)
        await page.says(card(3, ".pending"), "待发送")
        assert await violations(page) == []
        await page.tap(card(2, ".act"))
        await page.until(SHEET, True)
        await page.until("document.getElementById('sheet').getAnimations().length", 0)
        assert await violations(page) == []


async def test_axe_finds_nothing_wrong_with_a_refusal(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.ask("window.send = fetch, window.fetch = (url, options) => options?.method === 'POST' ?"
                       " Promise.resolve(new Response('', {status: 422})) : send(url, options), 0")  # fmt: skip
        await page.tap(card(1, ".seen"))
        await page.says(card(1, ".refused"), "回执未被接受")
        assert await violations(page) == []


async def test_axe_and_the_ruler_find_what_is_planted(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "1")
        await page.ask("document.querySelector('.address').style.color = '#737373'")  # enough for AA
        await page.ask("document.querySelector('main').append(document.createElement('button'))")
        rules = {each.partition(":")[0] for each in await violations(page)}
        assert {"button-name", "color-contrast-enhanced"} <= rules
        await page.ask("document.querySelector('.time').style.width = '900px'")
        assert 'class="time"' in str(await page.ask(CUT))


async def test_nothing_turns_or_slides_for_those_who_do_not_want_it(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        await page.media(prefers_reduced_motion="reduce")
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.tap(card(1, ".act"))
        await page.until(SHEET, True)
        await page.offline()
        await page.until(STATE, "connecting")
        assert await page.ask("document.getAnimations().length") == 0
