"""A headless Chromium, driven over its own DevTools protocol: what a phone's browser does with the page, without a
driver to install. https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--remote-debugging-port=0")  # fmt: skip

_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowDown": 40, "ArrowUp": 38}
_SHIFT = 8

_SHOWN = "selector => (node => node?.checkVisibility() ? node.innerText : '')(document.querySelector(selector))"
_AIM_MS = 400
_STILL = """async (selector, still) => {
  document.querySelector(selector).scrollIntoView({block: "center"});
  for (let before = "", since = 0; ; await new Promise(requestAnimationFrame)) {
    const box = document.querySelector(selector).getBoundingClientRect();
    const place = [box.x + box.width / 2, box.y + box.height / 2];
    if (place.join() !== before) [before, since] = [place.join(), performance.now()];
    else if (performance.now() - since > still) return place;
  }
}"""


class Session:
    """One DevTools connection: to the browser or to a tab."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.faults: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result. Of the events that come meanwhile only the page's own faults are
        kept: exceptions that nobody caught, and what the content security policy forbade."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result
            event, said = message.get("method"), message.get("params", {})
            if event == "Runtime.exceptionThrown":
                self.faults.append(json.dumps(said["exceptionDetails"], ensure_ascii=False))
            elif event == "Log.entryAdded" and said["entry"]["source"] == "security":
                self.faults.append(json.dumps(said["entry"], ensure_ascii=False))


class Page(Session):
    """One tab, on a screen of its own size."""

    def __init__(self, socket: ClientWebSocketResponse, browser: "Browser") -> None:
        super().__init__(socket)
        self.browser = browser

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

    async def text(self, selector: str) -> str:
        """What the first such element shows; empty without one, or while it is hidden."""
        return str(await self.ask(f"({_SHOWN})({selector!r})"))

    async def says(self, selector: str, words: str, seconds: float = 20) -> None:
        """Waits until the element shows these words among others."""
        shown = f"(text => text.includes({words!r}) ? true : text)(({_SHOWN})({selector!r}))"
        await self.until(shown, True, seconds)

    async def tap(self, selector: str) -> None:
        """A finger on the middle of the element, which is scrolled to first; what lies over it gets the tap."""
        x, y = await self.middle(selector)
        for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
            await self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    async def middle(self, selector: str) -> tuple[float, float]:
        """Where the element is on the screen, scrolled to when it is not, once it stands still: people aim."""
        await self.until(f"document.querySelector({selector!r}) !== null", True)
        x, y = await self.ask(f"({_STILL})({selector!r}, {_AIM_MS})")
        return x, y

    async def press(self, key: str, shift: bool = False) -> None:
        """One key of the keyboard: Tab, Enter, Escape, space or an arrow."""
        text = {"Enter": "\r", " ": " "}.get(key)
        code = _KEYS[key]
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": _SHIFT if shift else 0}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def offline(self, is_offline: bool = True) -> None:
        """Takes the tab's network away, or gives it back."""
        await self.call("Network.enable")
        await self.call(
            "Network.emulateNetworkConditions",
            offline=is_offline, latency=0, downloadThroughput=-1, uploadThroughput=-1,
        )  # fmt: skip

    async def size(self, width: int, height: int, zoom: float = 1, density: float = 2) -> None:
        """The screen, in px at zoom 1, each `density` dots wide. Zoomed in, a page has less room and larger letters."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=round(width / zoom), height=round(height / zoom),
            deviceScaleFactor=density * zoom, mobile=width < 800,
        )  # fmt: skip
        await self.call("Emulation.setTouchEmulationEnabled", enabled=True)

    async def media(self, **features: str) -> None:
        """What the user prefers, e.g. prefers_color_scheme="dark"."""
        await self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": name.replace("_", "-"), "value": value} for name, value in features.items()],
        )

    async def before(self, script: str) -> None:
        """Runs the script in every document from now on before its own."""
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    async def screenshot(self, path: Path, whole: bool = True) -> None:
        """The page as it looks, the whole of it or what the screen shows."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))


class Program(NamedTuple):
    """A running Chromium, and where it listens."""

    port: int


class Browser:
    """What one test does with the program. Every device has cookies and storage of its own."""

    def __init__(self, session: ClientSession, control: Session, stack: AsyncExitStack, address: str) -> None:
        self._session = session
        self._control = control
        self._stack = stack
        self._address = address
        self._devices: list[str] = []
        self.pages: list[Page] = []

    async def device(self, width: int = 390, height: int = 844) -> Page:
        """A tab on another device."""
        context = (await self._control.call("Target.createBrowserContext"))["browserContextId"]
        self._devices.append(context)
        target = await self._control.call("Target.createTarget", url="about:blank", browserContextId=context)
        url = f"ws://{self._address}/devtools/page/{target['targetId']}"
        page = Page(await self._stack.enter_async_context(self._session.ws_connect(url, max_msg_size=0)), self)
        await page.call("Page.enable")
        await page.call("Runtime.enable")
        await page.call("Log.enable")
        await page.size(width, height)
        self.pages.append(page)
        return page

    async def forget(self) -> None:
        """Closes all devices and forgets what they kept."""
        for context in self._devices:
            await self._control.call("Target.disposeBrowserContext", browserContextId=context)


@asynccontextmanager
async def device(program: Program) -> AsyncIterator[Page]:
    """A new phone in a running Chromium. Fails when one of the test's pages had an error that nobody caught."""
    address = f"127.0.0.1:{program.port}"
    async with ClientSession() as session, AsyncExitStack() as stack:
        async with session.get(f"http://{address}/json/version") as response:
            url = (await response.json())["webSocketDebuggerUrl"]
        control = Session(await stack.enter_async_context(session.ws_connect(url, max_msg_size=0)))
        browser = Browser(session, control, stack, address)
        try:
            yield await browser.device()
            assert [fault for page in browser.pages for fault in page.faults] == []
        finally:
            await browser.forget()


@contextmanager
def chromium(profile: Path) -> Iterator[Program]:
    """A Chromium with an empty profile. Skips the test where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on the PATH: install `chromium` to test the pages in a browser")
    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Program(_port(process, profile / "DevToolsActivePort"))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: "subprocess.Popen[bytes]", file: Path) -> int:
    until = time.monotonic() + 60
    while not (lines := file.read_text().split() if file.exists() else []):
        assert process.poll() is None, "Chromium ended at once"
        assert time.monotonic() < until, "Chromium does not say where it listens"
        time.sleep(0.05)
    return int(lines[0])
