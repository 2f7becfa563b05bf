"""What the health code holds about one person: the evidence that still matters, and what follows from it at a time.

Kept small because there may be two million of these, each decoded and encoded once for every record about its person.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

COLOURS: Final = ("GREEN", "ORANGE", "RED")
"""A colour in state is an index into this, so that the worst is the greatest."""

NEVER: Final = 1 << 62
"""A time that does not come, in ms."""


class Evidence(Struct, frozen=True, array_like=True, gc=False):
    """One piece of evidence. Times in ms since 1970 UTC. `id` None: merged from several, cannot be withdrawn.
    `clear_from`: negatives sampled from then on release it (NEVER: it ends by time). A released piece has `until` in
    the past and lives in memory up to `forget`; for others the two are equal."""

    id: str | None
    colour: int
    start: int
    until: int
    forget: int
    clear_from: int
    division: str | None


class Negative(Struct, frozen=True, array_like=True, gc=False):
    """A negative test that counts, or may count again, towards a release."""

    id: str
    at: int


class Withdrawn(Struct, frozen=True, array_like=True, gc=False):
    """The event id that a correction withdrew, remembered until `until` (ms)."""

    id: str
    until: int


class PersonState(Struct, frozen=True, array_like=True, gc=False):
    """What is held about one person. `colour` is the last one announced, `as_of` the time it was computed for,
    `distrust` the time before which no negative counts because a correction had to be forgotten."""

    person: str
    colour: int
    as_of: int
    evidence: tuple[Evidence, ...] = ()
    negatives: tuple[Negative, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()
    distrust: int = 0


def colour_at(evidence: Iterable[Evidence], at: int) -> int:
    """The worst colour among what is live at `at` (ms)."""
    worst = 0
    for piece in evidence:
        if piece.colour > worst and piece.start <= at < piece.until:
            worst = piece.colour
    return worst


def valid_until(evidence: Iterable[Evidence], at: int) -> int | None:
    """When time alone will change the colour that holds at `at`; None for green and for what only a release ends."""
    colour = colour_at(evidence, at)
    if not colour:
        return None
    instants = sorted({t for e in evidence for t in (e.start, e.until) if at < t < NEVER})
    return next((t for t in instants if colour_at(evidence, t) != colour), None)


def due(state: PersonState) -> int | None:
    """The next instant (ms) at which the colour can change or something can be forgotten."""
    after, soonest = state.as_of, NEVER
    for piece in state.evidence:
        for instant in (piece.start, piece.until, piece.forget):
            if after < instant < soonest:
                soonest = instant
    for withdrawn in state.withdrawn:
        if after < withdrawn.until < soonest:
            soonest = withdrawn.until
    if after < state.distrust < soonest:
        soonest = state.distrust
    return None if soonest == NEVER else soonest


def merged(evidence: tuple[Evidence, ...], limit: int) -> tuple[Evidence, ...]:
    """`evidence` with at most `limit` pieces that have an id: those forgotten soonest become nameless, one piece for
    each colour and way of ending, live whenever any of them is and released only when all would be."""
    named = sorted((e for e in evidence if e.id is not None), key=lambda e: e.forget)
    surplus = len(named) - limit
    whole: dict[tuple[int, bool, bool], Evidence] = {}
    for e in (*(e for e in evidence if e.id is None), *named[:surplus]):
        kind = (e.colour, e.clear_from == NEVER, e.until == NEVER)
        other = whole.get(kind, e)
        whole[kind] = Evidence(
            id=None,
            colour=e.colour,
            start=min(e.start, other.start),
            until=max(e.until, other.until),
            forget=max(e.forget, other.forget),
            clear_from=max(e.clear_from, other.clear_from),
            division=e.division,
        )
    return (*whole.values(), *named[surplus:])
