"""What a grid worker sees and does on his page, as tests say it."""

from tests.e2e.chromium import Page
from tests.e2e.small_bus import ME, alert_id

NUMBERS = "[...document.querySelectorAll('#alerts .card')].map(card => Number(card.dataset.alert.slice(-12))).join()"
"""The numbers of the open alerts, from the top."""

STATE = "document.getElementById('state').dataset.state"
SHEET = "document.getElementById('sheet').open"
FOCUS = (
    "(node => (node.closest('.card')?.dataset.alert.slice(-1) ?? '') + ' ' + node.className)(document.activeElement)"
)
"""The alert that holds the focus and the class of the thing in it: `1 act main`."""


def card(number: int, part: str = "") -> str:
    """The selector of an alert's card, or of a part of it."""
    return f"[data-alert='{alert_id(number)}'] {part}".rstrip()


async def log_in(page: Page, url: str, subject: str = ME) -> None:
    await page.open(f"{url}/login-stub?id={subject}")
    await page.until(STATE, "live")


async def act(page: Page, number: int, outcome: str = "VISITED") -> None:
    """Both taps that say what came of it."""
    await page.tap(card(number, ".act"))
    await page.until(SHEET, True)
    await page.tap(f"#sheet button[value={outcome}]")
    await page.until(SHEET, False)
