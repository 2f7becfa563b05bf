"""The ends: how far the log can be read by now, asked of the broker once for all who want to know at the same time."""

import asyncio

from connectors.base import Positions, Source
from streams.errors import SystemFailure


class Ends:
    """The readable ends of `source`. However many ask, one question at a time is under way; all on one event loop."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._asking: asyncio.Task[Positions | None] | None = None
        self._next: asyncio.Task[Positions | None] | None = None

    async def now(self) -> Positions | None:
        """What Source.readable_ends says at some moment after this call; None when the log does not answer."""
        # A question under way may be answered with what held before we came: who comes meanwhile shares the next.
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._ask(self._asking))
        return await asyncio.shield(self._next)

    async def _ask(self, former: asyncio.Task[Positions | None] | None) -> Positions | None:
        if former is not None:
            await asyncio.wait([former])
        self._asking, self._next = self._next, None
        try:
            return await asyncio.to_thread(self._source.readable_ends)
        except SystemFailure:
            return None
