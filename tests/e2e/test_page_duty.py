"""An alert's life on the page of those who are told: by when, who else, where it is now, and how it ends."""

from tests.e2e.chromium import Page
from tests.e2e.grid_worker import NUMBERS, act, card, log_in
from tests.e2e.small_bus import BACKUP, CELL, COMMUNITY, ME, SmallBus, port_of, small_bus

SKEW = "const clock = Date.now; Date.now = () => clock() - 5 * 3600_000"


async def test_an_alert_that_nobody_answers_goes_up_and_stays_with_who_had_it(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        backup = await page.browser.device()
        bus.raise_alert(1, ago_s=290)
        await log_in(page, gateway.url)
        await log_in(backup, gateway.url, BACKUP)
        assert await backup.ask(NUMBERS) == ""
        bus.wait(11)
        await page.says(card(1, ".due"), "未按时查看，已上报上一级，请尽快处置")
        assert "已上报至 备岗网格员 gw-022400，对方尚未查看" in await page.text(card(1))
        assert await page.text(card(1, ".tag")) == "已上报"
        await backup.says(card(1), "网格员 gw-000123 未按时查看，已上报给您")
        await backup.tap(card(1, ".seen"))
        await page.says(card(1), "已由 备岗网格员 gw-022400 查看")
        await act(page, 1)
        await backup.says("#ended", "已办结（网格员 gw-000123，已上门核实）")
        await backup.until(NUMBERS, "")


async def test_an_alert_seen_and_not_acted_on_goes_up_for_that_and_says_so(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.roster[CELL] = {"on_duty": ME, "backup": None}
        bus.raise_alert(1, ago_s=100)
        await log_in(page, gateway.url)
        await page.tap(card(1, ".seen"))
        await page.says(card(1, ".due"), "内处置")
        bus.wait(7200)
        await page.says(card(1, ".due"), "未按时处置，已上报上一级")
        assert "已上报至 社区值守台 120103001001" in await page.text(card(1))


async def test_every_level_it_went_through_can_be_read_at_the_top(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1, ago_s=100)
        await log_in(page, gateway.url, COMMUNITY)
        bus.wait(201)
        bus.wait(502)
        await page.says(card(1), "备岗网格员 gw-022400 未按时查看，已上报给您")
        phone = await page.browser.device()
        await log_in(phone, gateway.url)
        await page.tap(card(1, ".seen"))
        await phone.says(card(1), "已由 社区值守台 120103001001 查看")


async def test_an_overdue_alert_says_in_words_how_long(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.roster.clear()  # so nobody is above but the city's desk, where it stays
        bus.raise_alert(1, ago_s=725)
        bus.wait(0)
        await log_in(page, gateway.url, "desk-12")
        await page.says(card(1, ".due"), "已超时 2:0")
        await page.says(card(1, ".due"), "请立即查看")
        assert await page.ask(f"document.querySelector({card(1, '.due')!r}).classList.contains('late')")


async def test_the_countdown_is_right_on_a_phone_whose_clock_is_wrong(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        await page.before(SKEW)
        bus.raise_alert(1, ago_s=100)
        await log_in(page, gateway.url)
        await page.says(card(1, ".due"), "请在 3:1")


async def test_the_most_urgent_is_on_top_and_what_was_answered_at_the_bottom(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1, ago_s=30)
        bus.raise_alert(2, "ORANGE", ago_s=200)
        bus.raise_alert(3, ago_s=100)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "2,3,1")
        await page.tap(card(2, ".seen"))
        await page.until(NUMBERS, "3,1,2")
        await page.offline()
        await act(page, 3)
        await page.until(NUMBERS, "1,2,3")


async def press(page: Page, selector: str, kind: str) -> None:
    """Half a tap: a thumb that is put down, or lifted."""
    x, y = (await page.middle(selector)) if kind == "touchStart" else (0.0, 0.0)
    points = [{"x": x, "y": y}] if kind == "touchStart" else []
    await page.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)


async def test_nothing_moves_under_a_pressing_thumb_and_the_tap_hits_what_it_aimed_at(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await press(page, card(1, ".seen"), "touchStart")
        bus.raise_alert(2, ago_s=200)
        await page.until("document.title", "(2) 健康码预警")
        assert await page.ask(NUMBERS) == "1"
        await press(page, card(1, ".seen"), "touchEnd")
        await page.until(NUMBERS, "2,1")
        await page.says(card(1, ".due"), "内处置")
        assert "内查看" in await page.text(card(2, ".due"))


async def test_a_tap_aimed_at_what_stood_there_a_moment_ago_is_not_taken(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        x, y = await page.middle(card(1, ".seen"))
        # In the page, because from outside it would come too late: the new card comes, the thumb follows at once.
        await page.ask(
            "window.before = document.querySelector('.card'), new MutationObserver((_, observer) => {"
            " observer.disconnect(); const list = document.getElementById('alerts');"
            " list.dispatchEvent(new PointerEvent('pointerdown', {bubbles: true}));"
            f" const hit = document.elementFromPoint({x}, {y});"
            " window.hit = hit?.closest('.card')?.dataset.alert.slice(-1) + ' ' + hit?.className;"
            " hit.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, detail: 1})) })"
            ".observe(document.getElementById('alerts'), {childList: true}), 0"
        )
        bus.raise_alert(2, ago_s=200)
        await page.until(NUMBERS, "2,1")
        assert await page.ask("window.hit") == "2 seen main"
        await page.says(card(2, ".due"), "内查看")
        assert await page.text(card(2, ".pending")) == ""


async def test_a_new_shift_takes_the_alert_over(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        relief = await page.browser.device()
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await log_in(relief, gateway.url, "gw-000777")
        bus.roster[CELL] = {"on_duty": "gw-000777", "backup": BACKUP}
        bus.wait(61)
        await page.says("#ended", "张** 已转交（网格员 gw-000777）")
        await page.until(NUMBERS, "")
        await relief.says(card(1), "由 网格员 gw-000123 转交给您")
        await act(relief, 1)
        await relief.says("#ended", "已办结（您，已上门核实）")


async def test_a_retracted_alert_leaves_everybody_who_was_told(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        backup = await page.browser.device()
        bus.raise_alert(1, ago_s=290)
        bus.wait(11)
        await log_in(page, gateway.url)
        await log_in(backup, gateway.url, BACKUP)
        await backup.until(NUMBERS, "1")
        bus.retract(1)
        for device in (page, backup):
            await device.says("#ended", "张** 已解除")
            await device.until(NUMBERS, "")


async def test_a_restart_of_the_gateway_loses_no_step_and_no_answer(page: Page) -> None:
    bus = SmallBus()
    async with small_bus(bus) as (_, gateway):
        bus.raise_alert(1, ago_s=200)
        bus.raise_alert(2)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "1,2")
    await page.says("#state", "正在重新连接")
    await page.tap(card(2, ".seen"))
    await page.says(card(2, ".pending"), "待发送：已看到")
    bus.wait(101)
    async with small_bus(bus, port_of(gateway)):
        await page.says(card(1), "已上报至 备岗网格员")
        await page.says(card(2, ".due"), "内处置")
        assert await page.text(card(2, ".pending")) == ""
