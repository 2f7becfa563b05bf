"""Takes the pictures for docs/ of a demo that is running:

python -m tests.e2e.screenshots http://127.0.0.1:8443
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, CookieJar

from streams.settings import ROOT
from tests.e2e.chromium import Page, chromium, device

DOCS = ROOT / "docs"
PHONE = (390, 844)
DESK = (1280, 880)
LIVE = "document.getElementById('state').dataset.state"
STILL = "document.getAnimations().length"


async def boards(url: str) -> tuple[str, str]:
    """The district with the most open alerts, and a grid worker who has some of them in sight."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        await session.get(f"{url}/login-stub?id=desk-12")

        async def board(code: str) -> dict[str, Any]:
            async with session.get(f"{url}/divisions/{code}/alerts") as stream:
                async for line in stream.content:
                    if line.startswith(b"data: "):
                        snapshot: dict[str, Any] = json.loads(line[6:])
                        return snapshot
            raise EOFError

        snapshot, way = await board("12"), ["12"]
        while snapshot["children"]:
            way.append(max(snapshot["children"], key=lambda child: child["open"])["code"])
            snapshot = await board(way[-1])
        told = [alert["addressee"] for alert in snapshot["alerts"] if alert["addressee"].startswith("gw-")]
        if not told:
            sys.exit("no grid worker has an open alert in the busiest community: run it earlier in the demo")
        return way[1], max(told, key=told.count)


async def shoot(page: Page, name: str) -> None:
    await page.until(STILL, 0)
    await page.screenshot(DOCS / name, whole=False)
    print(DOCS / name)


async def main(url: str) -> None:
    district, worker = await boards(url)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as program:
        async with device(program) as page:
            await page.size(*PHONE)
            await page.open(f"{url}/login-stub?id={worker}")
            await page.until(LIVE, "live")
            await page.until("document.querySelectorAll('.card').length > 0", True)
            await shoot(page, "grid-worker.png")
            await page.tap(".card .act:not([hidden])")
            await page.until("document.getElementById('sheet').open", True)
            await shoot(page, "grid-worker-act.png")
        async with device(program) as page:
            await page.size(*DESK, density=1.5)
            await page.open(f"{url}/login-stub?id=desk-12")
            await page.until(LIVE, "live")
            for name, code in (("city", "12"), ("district", district)):
                await page.open(f"{url}/command#{code}")
                await page.until("document.getElementById('code')?.textContent", code)
                await page.until("document.querySelectorAll('#tiles a').length > 0", True)
                await shoot(page, f"command-{name}.png")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1].rstrip("/")))
