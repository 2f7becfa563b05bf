"""The health code's policy as data: which evidence gives which colour, until when, and how long anything is remembered.

The numbers change with every edition of the epidemic rules, the code does not: `deploy/tianjin/health-code-policy.yaml`
carries them with their sources, and a wrong key, symbol or range there stops a worker at start instead of miscolouring
a city.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from streams.declaration import strict_yaml

Days = Annotated[int, Meta(ge=1, le=366)]
Size = Annotated[int, Meta(ge=1, le=1000)]


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """What one kind of evidence does. `ends` says when it stops counting:

    period    `days` after it occurred
    release   when enough negative tests release it (`Release`), never by time alone; takes no `days`
    source    when its source says (`valid_until` of the event), `days` after it occurred where the source is silent
    """

    colour: Literal["ORANGE", "RED"]
    days: Days | None = None
    ends: Literal["period", "release", "source"] = "period"

    def __post_init__(self) -> None:
        """Raises ValueError when `days` and `ends` contradict each other."""
        if self.ends == "release" and self.days is not None:
            raise ValueError("`ends: release` takes no `days`: only negative tests end it")
        if self.ends != "release" and self.days is None:
            raise ValueError(f"`ends: {self.ends}` needs `days`")


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """What releases evidence that ends by release: `negatives` negative tests, sampled `from_day` days after it
    occurred or later, each at least `hours_apart` hours after the one before."""

    negatives: Annotated[int, Meta(ge=1, le=10)]
    from_day: Annotated[int, Meta(ge=0, le=366)]
    hours_apart: Annotated[int, Meta(ge=0, le=8784)]

    @property
    def from_ms(self) -> int:
        return self.from_day * 86_400_000

    @property
    def apart_ms(self) -> int:
        return self.hours_apart * 3_600_000


class Memory(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person's state may hold: times in days, sizes in pieces. Beyond a size the flow fails closed: whatever it
    forgets can keep a person from green for longer, never make one green (see health_code).

    Evidence that comes `late_days` or more after it occurred is no evidence. That is shorter than anything withdrawn or
    released is remembered, so a publisher that sends last quarter's tests again turns nobody red who was released."""

    late_days: Days
    corrections_days: Days
    released_days: Days
    evidence: Size
    negatives: Annotated[int, Meta(ge=2, le=1000)]
    corrections: Size

    def __post_init__(self) -> None:
        """Raises ValueError when something forgotten could come back by being sent again."""
        if self.late_days >= min(self.corrections_days, self.released_days):
            raise ValueError("`late_days` must be less than `corrections_days` and `released_days`")

    @property
    def late_ms(self) -> int:
        return self.late_days * 86_400_000

    @property
    def corrections_ms(self) -> int:
        return self.corrections_days * 86_400_000

    @property
    def released_ms(self) -> int:
        return self.released_days * 86_400_000


class Kinds(Struct, frozen=True, forbid_unknown_fields=True):
    """The rules by event type and symbol of its deciding enum. A symbol without a rule (UNKNOWN) is no evidence."""

    test: dict[Literal["POSITIVE"], Rule] = field(name="health.test.result")
    contact: dict[Literal["CLOSE", "SECONDARY"], Rule] = field(name="health.contact.identified")
    stay: dict[Literal["HIGH", "MEDIUM", "LOW"], Rule] = field(name="health.area.stayed")
    national: dict[Literal["ORANGE", "RED"], Rule] = field(name="health.national.checked")

    def __post_init__(self) -> None:
        """Raises ValueError when a kind that has no `valid_until` is said to end as its source says."""
        if any(r.ends == "source" for rules in (self.test, self.contact, self.stay) for r in rules.values()):
            raise ValueError("`ends: source` is for health.national.checked: other events have no valid_until")


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy; what `health_code.make` takes."""

    evidence: Kinds
    release: Release
    memory: Memory


def load(path: Path) -> Policy:
    """The policy in the YAML file at `path`. Raises ConfigError naming file and key when it is not what it must be."""
    return strict_yaml(path, Policy)
