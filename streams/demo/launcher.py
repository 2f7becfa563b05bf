"""Starts, watches and stops the processes of the bus: workers and the gateway, each a process of its own.

A worker that ends by itself is started again: exit code 70 asks for exactly that, and nothing was acknowledged. All are
tied to this process by the kernel, so that none remains whatever becomes of it, unless they are to be kept.
"""

import asyncio
import contextlib
import http.client
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from streams.errors import SystemFailure
from streams.local import targets
from streams.local.process import LOG_LIMIT, tail, tied_to_this_process, uninterrupted

GATEWAY = "gateway"
WORKERS: dict[str, tuple[str, ...]] = {
    "intake-0": ("worker", "--chain", "intake", "--slot", "0"),
    "person-0": ("worker", "--chain", "person", "--slot", "0"),
    "person-1": ("worker", "--chain", "person", "--slot", "1"),
    "alert-0": ("worker", "--chain", "alert", "--slot", "0"),
}
"""The workers of the demo by process name, with their command."""

READY_S = 60.0
_POLL_S = 0.05
_STOP_S = 15.0
_CRASHES = 10


class Process:
    """One process of the bus: started, killed, started again, under one name and with one log."""

    def __init__(self, name: str, arguments: tuple[str, ...], home: Path, deploy: Path, keep: bool) -> None:
        self.name, self._arguments, self._home, self._keep = name, arguments, home, keep
        self._env = {"HAIHE_LOG_FORMAT": "json", "HAIHE_HOME": str(home), "HAIHE_DEPLOY": str(deploy)}
        self.log = home / "logs" / f"{name}.log"
        self._port_file = home / "run" / f"{name}.port"
        self._popen: subprocess.Popen[bytes] | None = None
        self._registered = False
        self.port = 0
        self.crashes = 0

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    def start(self) -> None:
        """Start it, or start it again. The gateway keeps its port: clients know it."""
        self._port_file.parent.mkdir(parents=True, exist_ok=True)
        self._port_file.unlink(missing_ok=True)
        self._registered = False
        port = str(self.port) if self.name == GATEWAY else "0"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_name(f"{self.log.name}.1"))
        with self.log.open("ab") as output, uninterrupted():
            self._popen = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "streams",
                    *self._arguments,
                    "--port",
                    port,
                    "--port-file",
                    str(self._port_file),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._env},
                start_new_session=True,  # Ctrl-C reaches the launcher only, which then stops them in order
                preexec_fn=None if self._keep else tied_to_this_process(),
            )

    def ended(self) -> int | None:
        """The exit code, negative for a signal, None while it runs."""
        assert self._popen is not None
        return self._popen.poll()

    def register(self) -> bool:
        """Tell Prometheus where it is, once it says so itself. False while it does not."""
        if not self._registered:
            try:
                text = self._port_file.read_text()
            except FileNotFoundError:
                return False
            if not text.endswith("\n") and not text.isdigit():
                return False
            self.port = int(text)
            targets.add(self._home, self.name, self.port, self.pid)
            self._registered = True
        return True

    def get(self, path: str) -> bytes | None:
        """What it answers there, None unless it answers 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            return body if response.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel has taken it away."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait()

    def terminate(self) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)

    def gone(self, deadline: float) -> None:
        """Wait for its end until `deadline` (monotonic), then kill it with whatever it started."""
        targets.remove(self._home, self.name)
        self._port_file.unlink(missing_ok=True)
        if self._popen is None:
            return
        try:
            self._popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()


class Launcher:
    """All processes of the bus in one home, with the city's declarations in `deploy`. `keep`: they outlive this one."""

    def __init__(self, home: Path, deploy: Path, keep: bool, say: Callable[[str], None]) -> None:
        self._say = say
        commands = {**WORKERS, GATEWAY: (GATEWAY, "--demo")}
        self.processes = {name: Process(name, arguments, home, deploy, keep) for name, arguments in commands.items()}
        self.kills = 0
        self._home = home
        self._victims: list[str] = []
        self._rng = random.Random(0)

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.processes[GATEWAY].port}"

    def start(self) -> None:
        """Start all and return when all are ready. Raises SystemFailure naming the one that is not, and its log."""
        for process in self.processes.values():
            process.start()
        deadline = time.monotonic() + READY_S
        for process in self.processes.values():
            self._say(f"waiting for {process.name}")
            while not (process.register() and process.get("/readyz") is not None):
                self.watch()
                if time.monotonic() > deadline:
                    raise SystemFailure(f"{process.name} is not ready after {READY_S:.0f} s; its log is {process.log}")
                time.sleep(_POLL_S)  # a server of its own: asking it is the only way to learn that it is ready

    def watch(self) -> None:
        """Start again what has ended, register what has come up. Raises SystemFailure when one ends again and again."""
        for process in self.processes.values():
            code = process.ended()
            if code is not None:
                process.crashes += 1
                if process.crashes > _CRASHES or code == 2:
                    last = tail(str(process.log), 1)
                    raise SystemFailure(f"{process.name} ends with code {code} each time: {last} ({process.log})")
                process.start()
            process.register()

    async def supervise(self) -> None:
        """`watch` until cancelled."""
        while True:
            self.watch()
            await asyncio.sleep(_POLL_S)

    def kill_one(self) -> None:
        """kill -9 of one process and a new start at once; each has its turn, in random order."""
        if not self._victims:
            self._victims = [*self.processes]
            self._rng.shuffle(self._victims)
        process = self.processes[self._victims.pop()]
        process.kill()
        process.start()
        self.kills += 1

    def save_metrics(self) -> None:
        """Keep what each process counted, beside its log."""
        for process in self.processes.values():
            body = process.get("/metrics") if process.port else None
            if body is not None:
                process.log.with_suffix(".metrics").write_bytes(body)

    def stop(self) -> None:
        """Stop all, politely first; returns when none remains."""
        for process in self.processes.values():
            process.terminate()
        deadline = time.monotonic() + _STOP_S
        for process in self.processes.values():
            process.gone(deadline)
