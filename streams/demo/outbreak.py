"""The outbreak from the first phone that connects to the books: all that runs in the event loop while the bus is up."""

import asyncio
import contextlib
import functools
import gc
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from connectors.gateway.keys import Keys
from streams.chains.layout import AUDIT, load_layout
from streams.demo import quiet, report
from streams.demo.answer import Answers
from streams.demo.city import City, Duty
from streams.demo.launcher import Launcher
from streams.demo.ledger import Ledger
from streams.demo.listen import Phones
from streams.demo.live import View
from streams.demo.oracle import Oracle
from streams.demo.outline import Outline
from streams.demo.people import People
from streams.demo.prepare import Schemas
from streams.demo.publish import Publishers
from streams.demo.quiet import ALERT, CHANGED, RECEIPTED
from streams.demo.simulator import Simulator
from streams.demo.watch import Watcher
from streams.engine.record import Record
from streams.flows.duty_policy import DutyPolicy
from streams.settings import Settings

SECRET = "token-secret"
"""File in the home with the keys that sign tokens, shared with the gateway."""


class Outbreak:
    """One run in an event loop: `play` it once. `policy` is the duty policy that the bus has been started with."""

    def __init__(
        self,
        settings: Settings,
        city: City,
        outline: Outline,
        policy: DutyPolicy,
        launcher: Launcher,
        console: Console,
    ) -> None:
        self._settings, self._outline = settings, outline
        self._launcher, self._console = launcher, console
        persons = {p.person_id: p for n in outline.scripted for p in [city.resident(n)]}
        roster = {duty.division: duty for duty in city.roster()}
        nobody = Duty("", None, None)

        def oracle() -> Oracle:
            return Oracle(
                lambda person_id: persons[person_id].cell if persons[person_id].registered else None,
                lambda division: roster.get(division, nobody).on_duty,
                lambda cell: roster.get(cell, nobody).backup,
            )

        periods = policy.periods("RED", int(time.time() * 1000))
        self._people = People(outline.foretell(oracle()), outline.plan.horizon, periods.seen_ms, periods.acted_ms)
        self.ledger = Ledger(oracle(), frozenset(persons), self._people)
        self._schemas = Schemas(settings)
        self._notes = {
            AUDIT: self.ledger.audit,
            ALERT: self.ledger.alert_written,
            RECEIPTED: self.ledger.receipt_written,
        }

    async def play(self) -> report.Report:
        """Connect, play, draw up the books."""
        ledger, launcher, people = self.ledger, self._launcher, self._people
        loop = asyncio.get_running_loop()
        bootstrap = self._settings.bootstrap_servers
        inputs = load_layout(self._settings.deploy / "layout.yaml").inputs()
        start = await asyncio.to_thread(quiet.ends, bootstrap, inputs)
        async with contextlib.AsyncExitStack() as cleanup:
            keys = Keys.load(self._settings.home / SECRET)

            def token(who: str) -> str:
                return keys.sign(who, time.time())

            url = launcher.gateway_url
            self._answers = Answers(url, token, ledger.oracle, people, ledger.receipts, self._fail)
            cleanup.push_async_callback(self._answers.close)
            phones = Phones(url, token, self._alert, self._reset)
            cleanup.push_async_callback(phones.close)
            self._console.print(f"connecting {len(people.addressees):,} phones and desks")
            # Nothing of this run is under way, so where the gateway is now is the end of everything earlier.
            place = await phones.place(people.addressees[0])
            await phones.connect(people.addressees, place)
            publishers = Publishers(bootstrap, self._schemas.encode)
            base = int(time.time() * 1000)
            simulator = Simulator(self._outline, base, ledger, publishers, launcher.kill_one)
            self._simulator = simulator
            watcher = Watcher(bootstrap, start, loop, self._take, simulator.fail)
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

    def _alert(self, addressee: str, value: Mapping[str, Any], at: float) -> None:
        """What a phone received."""
        if self.ledger.alert(addressee, value, at):
            self._answers.take(addressee, value)

    def _take(self, records: Sequence[Record]) -> None:
        """A batch of what the bus wrote for itself."""
        try:
            for record in records:
                if record.topic.startswith("dead."):
                    self.ledger.dead_letter(record.value, dict(record.headers))
                elif record.value is None:
                    continue
                elif record.topic != CHANGED:
                    self._notes[record.topic](self._schemas.decode(record.topic, record.value))
                elif (change := self.ledger.change(self._schemas.decode(CHANGED, record.value))) is not None:
                    self._simulator.seen(change)
        except Exception as error:  # in a callback of the loop it would only be logged, and the run wait for ever
            self._simulator.fail(error)

    def _reset(self, addressee: str) -> None:
        self.ledger.resets += 1

    def _fail(self, error: BaseException) -> None:
        self._simulator.fail(error)


def _ended(simulator: Simulator, task: "asyncio.Task[None]") -> None:
    """The view or the supervision has ended by itself, which only a failure explains."""
    if not task.cancelled() and (error := task.exception()) is not None:
        simulator.fail(error)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
