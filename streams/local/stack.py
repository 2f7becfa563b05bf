"""The local stack as a whole: Kafka, the registry and Prometheus of one home, started, found again and stopped.

What runs is remembered in `<home>/stack.json`, written as soon as a process exists, so that whatever happens to the one
who started it, `haihe down` finds it. Data and ports stay in the home: the next start has the same topics, addresses.
"""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from streams.errors import SystemFailure
from streams.local import jars, kafka, ports, prometheus, registry, targets
from streams.local.process import Child, stop, tail, uninterrupted

KAFKA_SECONDS = 90.0
REGISTRY_SECONDS = 120.0
PROMETHEUS_SECONDS = 60.0
"""How long each may take to answer; far more than they need, for a machine that is busy."""
SILENT_SECONDS = 20.0
"""How long one that is alive may be silent before it is taken for hung."""

OWNED = ("kafka", "prometheus", "logs", "stack.json", "ports.json", "targets.json")
"""What `wipe` deletes: named one by one, for a home may be a directory that holds other things too."""

_POLL = 0.1
_ATTEMPTS = 3


class State(msgspec.Struct):
    """The content of stack.json."""

    bootstrap_servers: str = ""
    registry_url: str | None = None
    prometheus_url: str | None = None
    processes: dict[str, Child] = {}


class _PortTaken(Exception):
    """Somebody else bound the port between our look and the server's bind; `port` is which."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.port = port


class Stack:
    """The stack of `home`. `detach`: it outlives this process (`haihe up`); otherwise it dies with it at the latest.

    `start` is idempotent: what runs is kept, what is missing or dead is started. `stop` stops all of the home, `close`
    only what this object started; as a context manager it starts and closes. `say` is told what is waited for.
    """

    def __init__(
        self,
        home: Path,
        prometheus: bool = True,
        registry: bool = True,
        *,
        detach: bool = False,
        usual_ports: bool = False,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.home = home.resolve()
        self.started: list[str] = []
        self._wanted_prometheus = prometheus
        self._wanted_registry = registry
        self._detach = detach
        self._usual = usual_ports
        self._say = say
        self._state = self._read()

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's address, empty before `start`."""
        return self._state.bootstrap_servers

    @property
    def registry_url(self) -> str:
        """The registry's Confluent-compatible base URL, empty when it does not run."""
        return self._state.registry_url or ""

    @property
    def prometheus_url(self) -> str | None:
        """Prometheus's address, None when it does not run."""
        return self._state.prometheus_url

    @property
    def processes(self) -> dict[str, Child]:
        """What is remembered by name, alive or not."""
        return dict(self._state.processes)

    def start(self) -> Self:
        """Starts what is not running and returns when all of it answers. Raises UserError when Java or Maven is
        missing, SystemFailure when a process does not come up; what this call started is then stopped again."""
        with self._locked():
            self._state = self._read()
            try:
                self._start()
            except BaseException:
                self._stop(self.started)
                raise
        return self

    def stop(self) -> list[str]:
        """Stops all of the home's processes, whoever started them; returns the names of those that ran."""
        with self._locked():
            self._state = self._read()
            return self._stop(list(self._state.processes))

    def close(self) -> None:
        """Stops what this object started."""
        with self._locked():
            self._state = self._read()
            self._stop(self.started)

    def wipe(self) -> None:
        """Deletes Kafka's and Prometheus's data, logs and remembered ports. Stop first."""
        for name in OWNED:
            path = self.home / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def answers(self, name: str) -> bool:
        """Whether that process is alive and answers a request now."""
        child = self._state.processes.get(name)
        return child is not None and child.alive and self._ready(name, child.port)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        directory = jars.fetch(self._say)
        refused: set[int] = set()
        for attempt in range(_ATTEMPTS):
            try:
                self._start_kafka_and_registry(directory, frozenset(refused))
                self._start_prometheus(frozenset(refused))
                return
            except _PortTaken as error:
                if attempt == _ATTEMPTS - 1:
                    raise SystemFailure(f"ports are taken as fast as they are chosen, lastly {error.port}") from None
                refused.add(error.port)

    def _start_kafka_and_registry(self, directory: Path, refused: frozenset[int]) -> None:
        if fresh := not self._running("kafka"):
            port = self._port("kafka", refused)
            controller = self._port("controller", refused | {port})
            self._say("starting Kafka")
            with uninterrupted():
                self._keep("kafka", kafka.start(self.home, directory, port, controller, detach=self._detach))
            address = f"127.0.0.1:{port}"
            if address != self._state.bootstrap_servers and "registry" in self._state.processes:
                self._stop(["registry"])  # it would go on looking for Kafka where it was
            self._state.bootstrap_servers = address
            self._write()
        # The registry's start takes longest, so it begins beside Kafka's: it waits for Kafka by itself.
        early = self._wanted_registry and not self._alive("registry")
        if early:
            self._start_registry(directory, refused)
        if fresh:
            self._wait("kafka", KAFKA_SECONDS)
        if not self._wanted_registry:
            return
        if not early and not self._running("registry"):
            self._start_registry(directory, refused)
        if "registry" in self.started:
            self._say("waiting for the registry")
            self._wait("registry", REGISTRY_SECONDS)

    def _start_registry(self, directory: Path, refused: frozenset[int]) -> None:
        port = self._port("registry", refused)
        self._state.registry_url = f"http://127.0.0.1:{port}{registry.API}"
        with uninterrupted():
            child = registry.start(self.home, directory, port, self._state.bootstrap_servers, detach=self._detach)
            self._keep("registry", child)

    def _start_prometheus(self, refused: frozenset[int]) -> None:
        program = prometheus.installed()
        if not self._wanted_prometheus or program is None or self._running("prometheus"):
            return
        port = self._port("prometheus", refused)
        if not targets.path(self.home).exists():
            targets.path(self.home).write_text("[]")
        self._state.prometheus_url = f"http://127.0.0.1:{port}"
        with uninterrupted():
            self._keep("prometheus", prometheus.start(self.home, program, port, detach=self._detach))
        try:
            self._wait("prometheus", PROMETHEUS_SECONDS)
        except SystemFailure as error:
            self._stop(["prometheus"])
            self.started.remove("prometheus")
            self._say(f"going on without Prometheus: {error}")  # it only watches

    def _running(self, name: str) -> bool:
        """Whether `name` is up and answers. One that stays silent (hung, or half started by a launcher that was killed)
        is stopped."""
        deadline = time.monotonic() + SILENT_SECONDS
        while self._alive(name):
            if self._ready(name, self._state.processes[name].port, SILENT_SECONDS):
                return True
            if time.monotonic() > deadline:
                self._stop([name])
            else:
                time.sleep(_POLL)
        return False

    def _alive(self, name: str) -> bool:
        child = self._state.processes.get(name)
        return child is not None and child.alive

    def _ready(self, name: str, port: int, timeout: float = 1.0) -> bool:
        match name:
            case "kafka":
                return kafka.ready(self.home, port, timeout)
            case "registry":
                return registry.ready(port, timeout)
            case _:
                return prometheus.ready(port, timeout)

    def _wait(self, name: str, seconds: float) -> None:
        child = self._state.processes[name]
        deadline = time.monotonic() + seconds
        while not self._ready(name, child.port) or not child.alive:
            if not child.alive:
                last = tail(child.log, 60)
                if "in use" in last:
                    raise _PortTaken(child.port)
                if "UnsupportedClassVersionError" in last:
                    raise SystemFailure("this `java` is too old for the local stack: install Java 17 or later")
                raise SystemFailure(f"{name} died while starting; its log is {child.log}")
            if time.monotonic() > deadline:
                raise SystemFailure(f"{name} does not answer after {seconds:.0f} s; its log is {child.log}")
            time.sleep(_POLL)  # a server of its own: asking it is the only way to learn that it is ready

    def _port(self, name: str, refused: frozenset[int]) -> int:
        return ports.choose(self.home, name, usual=self._usual, refused=refused)

    def _keep(self, name: str, child: Child) -> None:
        self._state.processes[name] = child
        if name not in self.started:
            self.started.append(name)
        self._write()

    def _stop(self, names: list[str]) -> list[str]:
        """Stops these, in the order that lets each say goodbye to what it needs; returns those that were alive."""
        ran: list[str] = []
        for name in ("prometheus", "registry", "kafka"):
            child = self._state.processes.get(name)
            if name not in names or child is None:
                continue
            if child.alive:
                self._say(f"stopping {name}")
                stop(child)
                ran.append(name)
            del self._state.processes[name]
            if name == "registry":
                self._state.registry_url = None
            elif name == "prometheus":
                self._state.prometheus_url = None
        if self._state.processes:
            self._write()
        else:
            self._state = State()
            (self.home / "stack.json").unlink(missing_ok=True)
        return ran

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "stack.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two `haihe up` at once: the second finds what the first started
            yield

    def _read(self) -> State:
        try:
            return msgspec.json.decode((self.home / "stack.json").read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except msgspec.MsgspecError:
            raise SystemFailure(f"{self.home / 'stack.json'} is damaged: delete it") from None

    def _write(self) -> None:
        new = self.home / "stack.json.new"
        new.write_bytes(msgspec.json.format(msgspec.json.encode(self._state)))
        new.replace(self.home / "stack.json")
