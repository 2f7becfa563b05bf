"""The grid worker's page in a real browser: what he sees is what is open, in words, whatever the connection does."""

import time
from typing import Any

from connectors.memory import MemoryLog
from tests.e2e.chromium import Page
from tests.unit.gateway.in_memory import event, running

CARDS = "[...document.querySelectorAll('#alerts .card')].map(card => card.dataset.alert).join()"
STATE = "document.getElementById('state').dataset.state"
NOW = int(time.time() * 1000)


def person(
    number: int, alert: str, colour: str = "RED", state: str = "RAISED", addressee: str = "gw-000123"
) -> dict[str, Any]:
    """An event as it was before steps were told: without `told` and `due_at`."""
    people = {"a1": ("张**", "138****1234", "河西区友谊路街道平山道12号楼3门502"), "a2": ("李*", None, None),
              "a3": ("欧阳**", "13900001234", "河西区下瓦房街道琼州道88号")}  # fmt: skip
    name, phone, address = people.get(alert, ("王*", None, None))
    return event(number, alert, state, addressee) | {
        "colour": colour, "person_name": name, "phone": phone, "address": address, "opened_at": NOW,
        "occurred_at": NOW, "division": "120103001", "cell": "12010300100101" if address is None else None,
    }  # fmt: skip


async def log_in(page: Page, url: str, subject: str = "gw-000123") -> None:
    await page.open(f"{url}/login-stub?id={subject}")
    await page.until(STATE, "live")


async def test_open_alerts_appear_change_and_go_as_they_happen(page: Page) -> None:
    async with running(MemoryLog(), demo=True) as gateway:
        gateway.write(0, person(1, "a1"))
        await log_in(page, gateway.url)
        await page.until(CARDS, "a1")
        assert "演示登录" in await page.text("header")
        assert "网格员 gw-000123" in await page.text("header")
        card = await page.text(".card")
        for words in ("红码", "待查看", "张**", "河西区友谊路街道平山道12号楼3门502", "拨打 138****1234"):
            assert words in card
        gateway.write(0, person(2, "a2", "ORANGE"))
        await page.until(CARDS, "a1,a2")
        assert "橙码" in await page.text("[data-alert=a2]")
        assert await page.ask("document.title") == "(2) 健康码预警"
        gateway.write(0, person(3, "a3"))
        await page.until(CARDS, "a1,a3,a2")
        gateway.write(0, person(4, "a1", state="RETRACTED"))
        await page.until(CARDS, "a3,a2")
        assert "张** 已解除" in await page.text("#ended")
        gateway.write(0, person(5, "a2", state="HANDED_OVER", addressee="desk-12"))
        await page.until(CARDS, "a3")
        assert "李* 已转交（市级值守台 12）" in await page.text("#ended")


async def test_a_phone_number_is_a_link_that_calls(page: Page) -> None:
    async with running(MemoryLog(), demo=True) as gateway:
        gateway.write(0, person(1, "a3"))
        await log_in(page, gateway.url)
        await page.until(CARDS, "a3")
        assert await page.ask("document.querySelector('.phone').href") == "tel:13900001234"


async def test_after_a_restart_of_the_gateway_the_page_catches_up_by_itself(page: Page) -> None:
    """The stream ends, the page says so, resumes from its last id: no reset, so nothing already gone comes back."""
    log = MemoryLog()
    async with running(log, demo=True) as gateway:
        port = int(gateway.url.rsplit(":", 1)[1])
        gateway.write(0, person(1, "a1"))
        await log_in(page, gateway.url)
        await page.until(CARDS, "a1")
    await page.until(STATE, "connecting")
    assert "正在重新连接" in await page.text("#state")
    gateway.write(0, person(2, "a1", state="RETRACTED"))
    gateway.write(0, person(3, "a2"))
    async with running(log, demo=True, port=port):
        await page.until(CARDS, "a2")
        await page.until(STATE, "live")
        assert "张** 已解除" in await page.text("#ended")


async def test_a_repeated_event_and_a_late_step_after_the_end_change_nothing(page: Page) -> None:
    async with running(MemoryLog(), demo=True) as gateway:
        await log_in(page, gateway.url)
        for fields in (person(1, "a1"), person(2, "a1", state="RETRACTED"), person(1, "a1"),
                       person(3, "a1", state="ESCALATED"), person(4, "a2")):  # fmt: skip
            gateway.write(0, fields)
        await page.until(CARDS, "a2")


async def test_what_an_event_says_is_text_and_never_markup(page: Page) -> None:
    async with running(MemoryLog(), demo=True) as gateway:
        gateway.write(0, person(1, "a3") | {"address": "<img src=x onerror=alert(1)>"})
        await log_in(page, gateway.url)
        await page.until(CARDS, "a3")
        assert await page.text(".address") == "<img src=x onerror=alert(1)>"


async def test_without_a_login_the_page_says_so_and_a_demo_offers_one(page: Page) -> None:
    async with running(MemoryLog(), demo=True) as gateway:
        await page.open(gateway.url)
        await page.until(STATE, "off")
        assert "未登录" in await page.text("#state")
        assert "仅供演示" in await page.text("#login")
        await page.ask("document.getElementById('login-id').value = 'desk-120103001'")
        await page.tap("#login button")
        await page.until(STATE, "live")
        assert "值守台 120103001" in await page.text("header")


async def test_a_desk_has_a_way_to_its_command_page_and_a_grid_worker_has_none(page: Page) -> None:
    async with running(MemoryLog(), demo=True) as gateway:
        await log_in(page, gateway.url)
        assert await page.text("#command") == ""
        await log_in(page, gateway.url, "desk-120103")
        await page.until("document.getElementById('command').hidden", False)
        assert str(await page.ask("document.getElementById('command').href")).endswith("/command")


async def test_when_another_person_logs_in_on_the_phone_nothing_of_the_former_stays(page: Page) -> None:
    async with running(MemoryLog(), demo=True) as gateway:
        gateway.write(0, person(1, "a1"))
        await log_in(page, gateway.url)
        await page.until(CARDS, "a1")
        # Logged in from another tab; this one learns of it when somebody looks at it again.
        await page.ask("fetch('/login-stub?id=gw-000002').then(() => 0)")
        await page.ask("document.dispatchEvent(new Event('visibilitychange')), 0")
        await page.says("#who", "网格员 gw-000002")
        await page.until(CARDS, "")
        assert "张" not in str(await page.ask("document.body.innerText + document.getElementById('news').textContent"))


async def test_colours_differ_in_words_and_shape_too(page: Page) -> None:
    async with running(MemoryLog(), demo=True) as gateway:
        gateway.write(0, person(1, "a1", "RED"))
        gateway.write(0, person(2, "a2", "ORANGE"))
        await log_in(page, gateway.url)
        await page.until(CARDS, "a1,a2")
        looks = [
            await page.ask(
                f"[getComputedStyle(document.querySelector('[data-alert={alert}] .shape')).clipPath,"
                f" document.querySelector('[data-alert={alert}] .colour-text').textContent].join('|')"
            )
            for alert in ("a1", "a2")
        ]
        assert [look.split("|")[1] for look in looks] == ["红码", "橙码"]
        assert looks[0].split("|")[0] != looks[1].split("|")[0]
