"""The allowance: how often somebody may do what costs others something, within a while."""

import math
from collections import deque
from collections.abc import Callable


class Allowance:
    """`most` times in `seconds` for each subject, by `clock` (in seconds, only goes forward). What is older is
    forgotten; of more than `subjects` at the same time nobody else may."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float], subjects: int = 10_000) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._subjects = subjects
        self._times: dict[str, deque[float]] = {}  # whoever came last is last

    def __len__(self) -> int:
        """How many subjects are remembered."""
        return len(self._times)

    def take(self, subject: str) -> int:
        """0 when the subject may, which then counts; otherwise in how many whole seconds to ask again."""
        now = self._clock()
        self._forget(now - self._seconds)
        times = self._times.get(subject)
        if times is None:
            if len(self._times) >= self._subjects:
                return self._wait(next(iter(self._times.values()))[-1], now)
            times = deque(maxlen=self._most)
        elif len(times) == self._most and times[0] > now - self._seconds:
            return self._wait(times[0], now)
        times.append(now)
        self._times.pop(subject, None)
        self._times[subject] = times
        return 0

    def _forget(self, before: float) -> None:
        old = []
        for subject, times in self._times.items():
            if times[-1] > before:
                break
            old.append(subject)
        for subject in old:
            del self._times[subject]

    def _wait(self, since: float, now: float) -> int:
        return max(1, math.ceil(since + self._seconds - now))
