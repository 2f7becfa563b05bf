"""A headless Chromium, driven over its own DevTools protocol: what a phone's browser does with the page, without a
driver to install. https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import json
import shutil
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--remote-debugging-port=0")  # fmt: skip


class Page:
    """One tab."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result; events that come meanwhile are passed over."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result

    async def open(self, url: str) -> None:
        """Goes to the address. The new document may not be there yet: what follows begins with `until`."""
        await self.call("Page.navigate", url=url)

    async def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str, wanted: Any, seconds: float = 20) -> None:
        """Waits until the expression has that value; says the last one when it never does. It may fail meanwhile."""
        found = None
        guarded = f"(() => {{ try {{ return {expression} }} catch (error) {{ return String(error) }} }})()"
        try:
            async with asyncio.timeout(seconds):
                while (found := await self.ask(guarded)) != wanted:  # noqa: ASYNC110  # a page has no event for us
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{expression} is {found!r}, not {wanted!r}") from None

    async def screenshot(self, path: Path) -> None:
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))


@asynccontextmanager
async def chromium(profile: Path, width: int = 390, height: int = 844) -> AsyncIterator[Page]:
    """A new browser with an empty profile and the screen of a phone. Skips the test where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on the PATH: install `chromium` to test the page in a browser")
    process = await asyncio.create_subprocess_exec(
        program, *FLAGS, f"--user-data-dir={profile}", "about:blank", stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        port = await _port(process, profile)
        async with ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
                tabs = await response.json()
            tab = next(tab for tab in tabs if tab["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                await page.call("Page.enable")
                await page.call(
                    "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True
                )
                yield page
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _port(process: Process, profile: Path) -> int:
    file = profile / "DevToolsActivePort"
    async with asyncio.timeout(60):
        while not (lines := await asyncio.to_thread(_lines, file)):
            assert process.returncode is None, "Chromium ended at once"
            await asyncio.sleep(0.05)
    return int(lines[0])


def _lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []
