"""One run of the demo from beginning to end: everything started, the outbreak played, the books drawn up, everything
stopped, whatever happens in between.
"""

import asyncio
import fcntl
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from rich.console import Console

from streams import settings as settings_module
from streams.demo import prepare, tables
from streams.demo.city import City
from streams.demo.hurry import hurried
from streams.demo.kept import FILE, Kept
from streams.demo.launcher import WORKERS, Launcher
from streams.demo.outbreak import Outbreak
from streams.demo.outline import Outline, Plan
from streams.demo.prepare import Schemas
from streams.demo.scenario import Scenario
from streams.errors import UserError
from streams.local import targets
from streams.local.stack import Stack
from streams.settings import Settings

REPORT = "demo-report.json"


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
    with _told_to_stop(), _alone(home), ExitStack() as cleanup:
        say = console.status("").__enter__() if console.is_terminal else None

        def progress(text: str) -> None:
            say.update(text) if say is not None else console.print(text)

        if say is not None:
            cleanup.callback(say.stop)
        (home / REPORT).unlink(missing_ok=True)  # whoever reads it must not take the last run's for this one's
        if kept_running := targets.stop_all(home):
            progress(f"stopped {', '.join(kept_running)}, kept from an earlier run: this one starts its own")
        stack = _start_stack(home, options, progress, cleanup)
        settings, policy = hurried(settings_module.load())
        city = City(settings.deploy / "divisions.csv")
        kept, scenario = _prepare(settings, city, options, console, progress, register)
        launcher = Launcher(home, settings.deploy, options.keep, progress)
        cleanup.callback(launcher.stop)
        progress("starting workers and gateway")
        launcher.start()
        if say is not None:
            say.stop()
        kept.runs, kept.next_person = kept.runs + 1, scenario.next_person
        kept.write(home)
        outline = Outline(options.plan, scenario)
        outbreak = Outbreak(settings, city, outline, policy, launcher, console)
        books = asyncio.run(outbreak.play())
        launcher.save_metrics()
        books.write(home / REPORT)
        console.print(books.table())
        console.print(books.latency(), highlight=False)
        for line in books.lines:
            if not line.holds:
                console.print(f"[bold red]does not balance:[/] {line.name}: {line.left:,} and {line.right:,}")
        if books.balanced:
            console.print(f"[green]balanced[/]; kills {books.data['kills']}; the same as JSON: {home / REPORT}")
        for process in launcher.processes.values():
            if process.crashes:
                console.print(
                    f"[yellow]{process.name} ended by itself {process.crashes} times[/]; its log is {process.log}"
                )
        if options.keep:
            cleanup.pop_all()
            _keep(stack, launcher, console, outbreak.ledger.busiest())
        return books.balanced


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
) -> tuple[Kept, Scenario]:
    """Topics, schemas, tables; the outbreak of this run, with people whom no earlier run on these data has used. When
    too few of them are left, as many again move in."""
    say("creating topics")
    prepare.create_topics(settings)
    say("registering schemas")
    register(settings)
    kept = Kept.read(settings.home) if tables.loaded(settings.bootstrap_servers) else Kept()
    scenario = Scenario(city, kept.runs, kept.next_person, options.plan.stories, options.plan.expiry)
    people = options.people * -(-scenario.next_person // options.people)
    if prepare.load_tables(settings, city, people, kept, Schemas(settings).encode, console):
        say(f"loaded the roster and {people:,} residents")
    return kept, scenario


def _keep(stack: Stack | None, launcher: Launcher, console: Console, who: str | None) -> None:
    """Say where everything is; `who` has alerts to look at."""
    url = launcher.gateway_url
    console.print(f"grid workers' page   {url}/login-stub?id={who or 'desk-12'}")
    console.print(f"command page         {url}/login-stub?id=desk-12 then {url}/command")
    for name in (*WORKERS, "gateway"):
        console.print(f"metrics of {name:<10} http://127.0.0.1:{launcher.processes[name].port}/metrics")
    if stack is not None:
        console.print(f"Prometheus           {stack.prometheus_url or 'is not installed'}")
        console.print(f"Kafka                {stack.bootstrap_servers}")
    console.print("everything runs on; stop it with `haihe down`")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One demo at a time in a home: a second one's workers would fence the first's. Raises UserError."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"a demo is running already in {home}: wait for it, or give this one another HAIHE_HOME"
            ) from None
        yield


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
