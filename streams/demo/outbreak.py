"""The outbreak from the first phone that connects to the books: all that runs in the event loop while the bus is up."""

import asyncio
import contextlib
import functools
import gc
import time
from collections.abc import Sequence

from rich.console import Console

from connectors.gateway.keys import Keys
from streams.chains.layout import AUDIT, load_layout
from streams.demo import report
from streams.demo.city import City
from streams.demo.launcher import Launcher
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
from streams.errors import SystemFailure
from streams.settings import Settings

CHANGED = "health.code.changed"
SECRET = "token-secret"
"""File in the home with the keys that sign tokens, shared with the gateway."""
_IDLE_S = 90.0


class Outbreak:
    """One run in an event loop: `play` it once."""

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

        oracle = Oracle(residence, roster.get)
        self.ledger = Ledger(oracle, frozenset(people))
        self._addressees = sorted({oracle.addressee(p.person_id, p.cell[:12]) for p in people.values()})
        self._schemas = Schemas(settings)

    async def play(self) -> report.Report:
        """Connect, play, draw up the books."""
        ledger, plan, launcher = self.ledger, self._plan, self._launcher
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._idle)
        async with contextlib.AsyncExitStack() as cleanup:
            keys = Keys.load(self._settings.home / SECRET)
            phones = Phones(launcher.gateway_url, lambda who: keys.sign(who, time.time()), ledger.alert, self._reset)
            cleanup.push_async_callback(phones.close)
            self._console.print(f"connecting {len(self._addressees):,} phones and desks")
            # Nothing is under way, so where the gateway is now is the end of everything earlier.
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
                    self.ledger.dead_letter(record.value, dict(record.headers))
                elif record.value is None:
                    continue
                elif record.topic == AUDIT:
                    self.ledger.audit(self._schemas.decode(AUDIT, record.value))
                elif (change := self.ledger.change(self._schemas.decode(CHANGED, record.value))) is not None:
                    self._simulator.seen(change)
        except Exception as error:  # in a callback of the loop it would only be logged, and the run wait for ever
            self._simulator.fail(error)

    def _reset(self, addressee: str) -> None:
        self.ledger.resets += 1

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
