"""One run of the demo from beginning to end: everything started, the outbreak played, the books drawn up, everything
stopped, whatever happens in between.
"""

import asyncio
import contextlib
import functools
import gc
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from rich.console import Console

from connectors.gateway.token import load_secret, sign
from streams import settings as settings_module
from streams.chains.layout import AUDIT, load_layout
from streams.demo import prepare, report, tables
from streams.demo.city import City
from streams.demo.kept import FILE, Kept
from streams.demo.launcher import WORKERS, Launcher
from streams.demo.ledger import Ledger
from streams.demo.listen import Phones
from streams.demo.live import View
from streams.demo.oracle import Oracle
from streams.demo.prepare import Schemas
from streams.demo.publish import Publishers
from streams.demo.scenario import Scenario
from streams.demo.simulator import Plan, Simulator
from streams.demo.watch import Watcher
from streams.engine.admin import Admin
from streams.engine.record import Record
from streams.errors import SystemFailure, UserError
from streams.local.stack import Stack
from streams.settings import Settings

REPORT = "demo-report.json"
CHANGED = "health.code.changed"
SECRET = "token-secret"
"""File in the home with the key that signs tokens, shared with the gateway."""
_IDLE_S = 90.0


class Options(NamedTuple):
    """What the command line asks for."""

    people: int
    plan: Plan
    keep: bool = False
    wipe: bool = False


def run(options: Options, console: Console, register: Callable[[Settings], object]) -> bool:
    """Play one run; whether the books balance. `register` releases the contracts' schemas to the bus. All that was
    started is stopped when it returns or raises, unless it is to be kept. Raises UserError and SystemFailure."""
    home = settings_module.load(need_stack=False).home
    _raise_file_limit()
    with _told_to_stop(), ExitStack() as cleanup:
        say = console.status("").__enter__() if console.is_terminal else None

        def progress(text: str) -> None:
            say.update(text) if say is not None else console.print(text)

        if say is not None:
            cleanup.callback(say.stop)
        stack = _start_stack(home, options, progress, cleanup)
        settings = settings_module.load()
        city = City(settings.deploy / "divisions.csv")
        kept = _prepare(settings, city, options, console, progress, register)
        launcher = Launcher(home, options.keep, progress)
        cleanup.callback(launcher.stop)
        progress("starting workers and gateway")
        launcher.start()
        if say is not None:
            say.stop()
        scenario = Scenario(city, kept.runs, kept.next_person, options.plan.stories, options.plan.expiry)
        if scenario.next_person > kept.people:
            raise UserError(
                f"earlier runs have used {kept.next_person:,} of {kept.people:,} residents and this one needs more: "
                f"raise --people, or begin afresh with --wipe"
            )
        kept.runs, kept.next_person = kept.runs + 1, scenario.next_person
        kept.write(home)
        books = asyncio.run(_Run(settings, city, scenario, options.plan, launcher, console).play())
        launcher.save_metrics()
        books.write(home / REPORT)
        console.print(books.table())
        console.print(books.latency(), highlight=False)
        for line in books.lines:
            if not line.holds:
                console.print(f"[bold red]does not balance:[/] {line.name}: {line.left:,} and {line.right:,}")
        if books.balanced:
            console.print(f"[green]balanced[/]; kills {books.data['kills']}; the same as JSON: {home / REPORT}")
        if options.keep:
            cleanup.pop_all()
            _keep(stack, launcher, console)
        return books.balanced


class _Run:
    """The part that runs in the event loop."""

    def __init__(
        self, settings: Settings, city: City, scenario: Scenario, plan: Plan, launcher: Launcher, console: Console
    ) -> None:
        self._settings, self._scenario, self._plan = settings, scenario, plan
        self._launcher, self._console = launcher, console
        people = {p.person_id: p for n in scenario.scripted for p in [city.resident(n)]}
        roster = {duty.division: duty.on_duty for duty in city.roster()}

        def residence(person_id: str) -> str | None:
            person = people[person_id]
            return person.cell if person.registered else None

        known = set(people)
        oracle = Oracle(lambda person_id: residence(person_id) if person_id in people else None, roster.get)
        self._ledger = Ledger(oracle, frozenset(known))
        self._addressees = sorted({oracle.addressee(p.person_id, p.cell[:12]) for p in people.values()})
        self._schemas = Schemas(settings)

    async def play(self) -> report.Report:
        """Connect, play, draw up the books."""
        ledger, plan, launcher = self._ledger, self._plan, self._launcher
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._idle)
        async with contextlib.AsyncExitStack() as cleanup:
            secret = load_secret(self._settings.home / SECRET)
            expires = int(time.time()) + 12 * 3600
            phones = Phones(launcher.gateway_url, lambda who: sign(secret, who, expires), ledger.alert, self._reset)
            cleanup.push_async_callback(phones.close)
            self._console.print(f"connecting {len(self._addressees):,} phones and desks")
            place = await phones.place(self._addressees[0])
            start = await asyncio.to_thread(self._ends)
            await phones.connect(self._addressees, place)
            self._scenario.base = int(time.time() * 1000)
            publishers = Publishers(self._settings.bootstrap_servers, self._schemas.encode)
            simulator = Simulator(plan, self._scenario, ledger, publishers, launcher.kill_one)
            self._simulator = simulator
            watcher = Watcher(self._settings.bootstrap_servers, start, loop, self._take, simulator.fail)
            cleanup.callback(watcher.stop)
            view = View(
                self._console, ledger, lambda: simulator.phase, lambda: launcher.kills, lambda: phones.connected
            )
            tasks = [loop.create_task(view.show()), loop.create_task(launcher.supervise())]
            for task in tasks:
                cleanup.push_async_callback(_cancelled, task)
                task.add_done_callback(functools.partial(_ended, simulator))
            # What the bursts are made of would be looked through again and again, in pauses not of the bus's making.
            gc.collect()
            gc.freeze()
            with publishers:
                await simulator.play()
            return report.make(ledger, launcher.kills)

    def _take(self, records: Sequence[Record]) -> None:
        """A batch of what the bus wrote for itself."""
        try:
            for record in records:
                if record.topic.startswith("dead."):
                    self._ledger.dead_letter(record.value, dict(record.headers))
                elif record.value is None:
                    continue
                elif record.topic == AUDIT:
                    self._ledger.audit(self._schemas.decode(AUDIT, record.value))
                elif (change := self._ledger.change(self._schemas.decode(CHANGED, record.value))) is not None:
                    self._simulator.seen(change)
        except Exception as error:  # in a callback of the loop it would only be logged, and the run wait for ever
            self._simulator.fail(error)

    def _reset(self, addressee: str) -> None:
        self._ledger.resets += 1

    def _idle(self) -> None:
        """Wait until the bus has worked off what an earlier run, broken off, has left. Raises SystemFailure."""
        from streams.engine.app import group_of  # brings Faust, which nothing else here needs

        admin, inputs = Admin(self._settings.bootstrap_servers), self._inputs()
        deadline = time.monotonic() + _IDLE_S
        while True:
            behind = _behind(admin, group_of("intake"), inputs, 0)
            city = sorted({topic.split(".", 2)[2] for topic in inputs})
            behind += _behind(
                admin, group_of("person"), city, 1
            )  # the marker of a transaction is an offset that nobody reads
            if not behind:
                return
            if time.monotonic() > deadline:
                raise SystemFailure(f"the bus is still {behind} records behind after {_IDLE_S:.0f} s")
            time.sleep(0.2)

    def _inputs(self) -> list[str]:
        return load_layout(self._settings.deploy / "layout.yaml").inputs()

    def _ends(self) -> dict[tuple[str, int], int]:
        topics = [CHANGED, AUDIT, *(f"dead.{topic}" for topic in self._inputs())]
        return dict(Admin(self._settings.bootstrap_servers).ends(topics))


def _behind(admin: Admin, group: str, topics: list[str], markers: int) -> int:
    committed, starts = admin.committed(group), admin.starts(topics)
    left = (end - committed.get(tp, starts[tp]) for tp, end in admin.ends(topics).items())
    return sum(n for n in left if n > markers)


def _ended(simulator: Simulator, task: "asyncio.Task[None]") -> None:
    """The view or the supervision has ended by itself, which only a failure explains."""
    if not task.cancelled() and (error := task.exception()) is not None:
        simulator.fail(error)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _start_stack(home: Path, options: Options, say: Callable[[str], None], cleanup: ExitStack) -> Stack | None:
    """Kafka, registry and Prometheus; None when HAIHE_BOOTSTRAP_SERVERS names a Kafka that is not ours to start."""
    if os.environ.get("HAIHE_BOOTSTRAP_SERVERS"):
        if options.wipe:
            raise UserError("--wipe is for the local stack, and HAIHE_BOOTSTRAP_SERVERS names another Kafka")
        return None
    stack = Stack(home, detach=options.keep, say=say)
    if options.wipe:
        stack.stop()
        stack.wipe()
        (home / FILE).unlink(missing_ok=True)
    cleanup.callback(stack.close)
    stack.start()
    return stack


def _prepare(
    settings: Settings,
    city: City,
    options: Options,
    console: Console,
    say: Callable[[str], None],
    register: Callable[[Settings], object],
) -> Kept:
    """Topics, schemas, tables; what earlier runs have left."""
    say("creating topics")
    prepare.create_topics(settings)
    say("registering schemas")
    register(settings)
    kept = Kept.read(settings.home) if tables.loaded(settings.bootstrap_servers) else Kept()
    if prepare.load_tables(settings, city, options.people, kept, Schemas(settings).encode, console):
        say(f"loaded the roster and {options.people:,} residents")
    return kept


def _keep(stack: Stack | None, launcher: Launcher, console: Console) -> None:
    console.print(f"grid workers' page   {launcher.gateway_url}/login-stub")
    for name in (*WORKERS, "gateway"):
        console.print(f"metrics of {name:<10} http://127.0.0.1:{launcher.processes[name].port}/metrics")
    if stack is not None:
        console.print(f"Prometheus           {stack.prometheus_url or 'is not installed'}")
        console.print(f"Kafka                {stack.bootstrap_servers}")
    console.print("everything runs on; stop it with `haihe down`")


def _raise_file_limit() -> None:
    """A thousand phones here, a thousand streams in the gateway, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """SIGTERM and SIGHUP end the run as Ctrl-C does; while it cleans up, none of them interrupts."""

    def stop(number: int, frame: FrameType | None) -> None:
        for other in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
