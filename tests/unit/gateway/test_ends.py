"""The ends of the log are asked once for all who want to know at the same time, and nobody gets an older answer."""

import asyncio
import threading

from connectors.base import Positions
from connectors.gateway.ends import Ends
from connectors.memory import MemoryLog, MemorySource


class SlowSource(MemorySource):
    """Keeps what the ends were when it was asked until it may answer."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log)
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Semaphore(0)

    def readable_ends(self) -> Positions:
        ends = super().readable_ends()
        self.asked.release()
        assert self.may_answer.acquire(timeout=10)
        return ends

    async def is_asked(self) -> None:
        assert await asyncio.to_thread(self.asked.acquire, timeout=10)


def ask(ends: Ends, times: int) -> "asyncio.Future[list[Positions | None]]":
    return asyncio.gather(*(ends.now() for _ in range(times)))


async def test_who_comes_while_a_question_is_under_way_shares_the_next() -> None:
    log = MemoryLog()
    source = SlowSource(log)
    ends = Ends(source)
    first = ask(ends, 3)
    await source.is_asked()
    log.append(0, b"k", b"v")
    later = ask(ends, 3)
    source.may_answer.release(2)
    assert (await first, await later) == ([(0,)] * 3, [(1,)] * 3)
    await source.is_asked()
    assert not source.asked.acquire(blocking=False), "two questions for six"


async def test_who_no_longer_waits_takes_the_answer_from_nobody() -> None:
    source = SlowSource(MemoryLog())
    ends = Ends(source)
    gone, waits = ask(ends, 1), ask(ends, 1)
    await source.is_asked()
    gone.cancel()
    source.may_answer.release()
    assert await waits == [(0,)]


async def test_a_log_that_does_not_answer_is_asked_anew_the_next_time() -> None:
    log = MemoryLog()
    ends = Ends(MemorySource(log))
    log.fail("away")
    assert await ask(ends, 2) == [None, None]
    log.broken = None
    assert await ends.now() == (0,)
