"""What a grid worker answers on his page goes through the flow and comes back: the loop closes in front of his eyes."""

import time
from typing import Any

from tests.e2e.chromium import Page
from tests.e2e.grid_worker import NUMBERS, SHEET, STATE, act, card, log_in
from tests.e2e.small_bus import BACKUP, ME, SmallBus, alert_id, port_of, small_bus
from tests.unit.gateway.in_memory import Gateway


def kinds(gateway: Gateway) -> list[str]:
    """What was answered, in order, by kind."""
    return [receipt["kind"] for receipt in gateway.answers()]


async def answered(page: Page, gateway: Gateway, number: int) -> list[dict[str, Any]]:
    """Waits until so many receipts have come, and nothing waits on the phone any more."""
    await page.until("Object.keys(localStorage).map(key => JSON.parse(localStorage[key]).queue.length).join()", "0")
    receipts = gateway.answers()
    assert len(receipts) == number, receipts
    return receipts


async def test_the_phone_says_once_that_it_has_an_alert_and_not_again_after_a_reload(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        assert [receipt["kind"] for receipt in await answered(page, gateway, 1)] == ["RECEIVED"]
        await page.open(gateway.url)
        await page.until(STATE, "live")
        bus.raise_alert(2)
        await page.until(NUMBERS, "1,2")
        receipts = await answered(page, gateway, 2)
        assert [receipt["alert_id"] for receipt in receipts] == [alert_id(1), alert_id(2)]


async def test_seeing_it_changes_the_countdown_from_seeing_to_acting(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.says(card(1, ".due"), "请在 4:5")
        await page.says(card(1, ".due"), "内查看")
        await page.tap(card(1, ".seen"))
        await page.says(card(1, ".due"), "请在 1:59:5")
        await page.says(card(1, ".due"), "内处置")
        assert await page.text(card(1, ".seen")) == ""
        assert await page.text(card(1, ".tag")) == "待处置"
        assert (await answered(page, gateway, 2))[1]["kind"] == "SEEN"


async def test_acting_is_two_taps_and_closes_the_alert_with_what_came_of_it(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await act(page, 1, "PHONED")
        await page.says("#ended", "张** 已办结（您，已电话核实）")
        await page.until(NUMBERS, "")
        last = (await answered(page, gateway, 2))[1]
        assert (last["kind"], last["outcome"], last["addressee"]) == ("ACTED", "PHONED", "gw-000123")


async def test_the_way_out_of_the_sheet_answers_nothing(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        for way_out in ("#sheet .cancel", None):
            await page.tap(card(1, ".act"))
            await page.until(SHEET, True)
            assert "红码 张**" in await page.text("#sheet")
            await (page.tap(way_out) if way_out else page.press("Escape"))
            await page.until(SHEET, False)
        assert await page.text(card(1, ".pending")) == ""
        await answered(page, gateway, 1)


async def test_the_second_of_two_quick_taps_gives_no_answer(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.until(NUMBERS, "1")
        quick = "new MouseEvent('click', {bubbles: true, cancelable: true, detail: 2})"
        await page.ask(
            f"document.querySelector({card(1, '.act')!r}).click(),"
            f" document.querySelector('#sheet button').dispatchEvent({quick}), 0"
        )
        assert await page.ask(SHEET) is True
        await page.tap("#sheet button[value=OTHER]")
        await page.says("#ended", "已办结（您，其他）")


async def test_an_alert_that_ends_takes_its_open_sheet_along(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await page.tap(card(1, ".act"))
        await page.until(SHEET, True)
        bus.retract(1)
        await page.until(SHEET, False)
        await page.says("#ended", "张** 已解除")


async def test_without_a_network_an_answer_waits_on_the_phone_and_counts_from_the_tap(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        await page.before("window.later = 0; const clock = Date.now; Date.now = () => clock() + window.later")
        bus.raise_alert(1, ago_s=100)
        await log_in(page, gateway.url)
        await answered(page, gateway, 1)
        await page.offline()
        await page.says("#state", "手机没有网络")
        await page.tap(card(1, ".seen"))
        tapped = time.time() * 1000
        await page.says(card(1, ".pending"), "待发送：已看到")
        await page.says(card(1, ".due"), "内联网发出回执")
        await page.ask("window.later = 60_000")  # a minute in the lift
        await page.offline(False)
        await page.says(card(1, ".due"), "内处置")
        assert await page.text(card(1, ".pending")) == ""
        seen = (await answered(page, gateway, 2))[1]
        assert seen["kind"] == "SEEN"
        assert abs(tapped - seen["occurred_at"] - 60_000) < 30_000


async def test_a_waiting_answer_survives_the_page_and_is_sent_when_it_is_opened_again(page: Page) -> None:
    bus = SmallBus()
    async with small_bus(bus) as (_, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await answered(page, gateway, 1)
    await act(page, 1, "ISOLATED")
    await page.says(card(1, ".pending"), "待发送：已处置（已转隔离）")
    await page.open("about:blank")
    await page.until("location.href", "about:blank")
    async with small_bus(bus, port_of(gateway)) as (_, gateway):
        await page.open(gateway.url)
        await page.until(STATE, "live")
        await page.until(NUMBERS, "")
        assert (await answered(page, gateway, 1))[0]["outcome"] == "ISOLATED"


async def test_an_answer_that_the_bus_does_not_acknowledge_is_sent_again_with_its_id(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await answered(page, gateway, 1)
        await page.ask(
            "window.bodies = [], window.send = fetch, window.fetch = (url, options) => {"
            " if (options?.method === 'POST') bodies.push(JSON.parse(options.body));"
            " return bodies.length === 1 ? Promise.resolve(new Response('', {status: 503})) : send(url, options) }, 0"
        )
        await page.tap(card(1, ".seen"))
        await page.says(card(1, ".due"), "内处置")
        assert await page.ask("bodies.length") == 2
        assert await page.ask("bodies[0].event_id === bodies[1].event_id && bodies[0].ago_ms < bodies[1].ago_ms")
        assert [receipt["event_id"] for receipt in gateway.answers()][1:] == [await page.ask("bodies[0].event_id")]


async def test_an_answer_that_is_refused_says_so_on_its_card_and_is_not_sent_again(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await answered(page, gateway, 1)
        await page.ask("fetch('/login-stub?id=gw-000999').then(() => 0)")  # his login is another's now
        await page.tap(card(1, ".seen"))
        await page.says(card(1, ".refused"), "回执未被接受：这条预警没有派给您（403）")
        assert await page.text(card(1, ".pending")) == ""
        assert await page.text(card(1, ".seen")) == "已看到"
        await answered(page, gateway, 1)
        assert kinds(gateway) == ["RECEIVED"]


async def test_a_phone_whose_login_is_over_keeps_the_answers_and_shows_no_alerts(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await answered(page, gateway, 1)
        await page.call("Network.clearBrowserCookies")
        await page.tap(card(1, ".seen"))
        await page.says("#state", "登录已失效")
        await page.until(NUMBERS, "")
        assert "有 1 条回执待发送" in await page.text("#unsent")
        await log_in(page, gateway.url)
        await page.says(card(1, ".due"), "内处置")
        assert kinds(gateway) == ["RECEIVED", "SEEN"]


async def test_one_phone_never_sends_what_another_person_answered_on_it(page: Page) -> None:
    bus = SmallBus()
    async with small_bus(bus) as (_, gateway):
        bus.raise_alert(1)
        bus.raise_alert(2, to=BACKUP)
        await log_in(page, gateway.url)
        await answered(page, gateway, 1)
    await page.tap(card(1, ".seen"))
    await page.says(card(1, ".pending"), "待发送")
    await page.open("about:blank")
    await page.until("location.href", "about:blank")
    async with small_bus(bus, port_of(gateway)) as (_, gateway):
        await log_in(page, gateway.url, BACKUP)
        await page.until(NUMBERS, "2")
        await page.until("JSON.parse(localStorage['haihe.outbox.gw-022400']).queue.length", 0)
        await log_in(page, gateway.url)
        await page.says(card(1, ".due"), "内处置")
        assert [(receipt["addressee"], receipt["kind"]) for receipt in gateway.answers()] == [
            (BACKUP, "RECEIVED"), (ME, "SEEN")
        ]  # fmt: skip


async def test_two_devices_of_one_grid_worker_show_the_same(page: Page) -> None:
    async with small_bus() as (bus, gateway):
        tablet = await page.browser.device(820, 1180)
        bus.raise_alert(1)
        bus.raise_alert(2)
        await log_in(page, gateway.url)
        await log_in(tablet, gateway.url)
        await page.tap(card(1, ".seen"))
        await tablet.says(card(1, ".due"), "内处置")
        await act(tablet, 2)
        await page.says("#ended", "已办结（您，已上门核实）")
        await page.until(NUMBERS, "1")
        await tablet.until(NUMBERS, "1")


async def test_who_answers_late_and_who_answers_after_the_end_are_both_taken_in_silence(page: Page) -> None:
    """A phone that was away while another device closed the alert: nothing is wrong, and nothing is asked again."""
    async with small_bus() as (bus, gateway):
        tablet = await page.browser.device()
        bus.raise_alert(1)
        await log_in(page, gateway.url)
        await log_in(tablet, gateway.url)
        await page.offline()
        await act(page, 1, "VISITED")
        await act(tablet, 1, "PHONED")
        await tablet.says("#ended", "已电话核实")
        await page.offline(False)
        await page.says("#ended", "已办结（您，已电话核实）")
        await page.until(NUMBERS, "")
        await answered(page, gateway, 4)
