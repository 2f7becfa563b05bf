"""One line of the books: two numbers that must be equal, and what they are made of."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """One equation: `left` and `right` must be the same number."""

    name: str
    left: int
    right: int
    detail: str = ""

    @property
    def holds(self) -> bool:
        return self.left == self.right


def words(counts: Counter[str]) -> str:
    """What was counted, by name, as far as there is any."""
    return ", ".join(f"{word} {count:,}" for word, count in sorted(counts.items()) if count)


def some(examples: Sequence[object]) -> str:
    """A few of them: enough to look into."""
    return "; ".join(str(example) for example in examples[:3])
