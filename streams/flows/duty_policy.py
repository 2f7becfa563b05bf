"""How long whoever is told of an alert may take, as data: `deploy/tianjin/alert-duty-policy.yaml`.

Periods belong to the shift in which a step begins, which is also how night hours have longer ones. Hours are Beijing's:
China has one time zone and no summer time.
"""

from pathlib import Path
from typing import Annotated

import yaml
from msgspec import Meta, Struct, convert, to_builtins
from msgspec.structs import replace

from streams.declaration import strict_yaml

DAY: int = 86_400_000
BEIJING: int = 8 * 3_600_000
"""What to add to a time in ms since 1970 UTC so that its days begin at midnight in China."""

Seconds = Annotated[int, Meta(ge=1, le=366 * 86_400)]
Hour = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Periods(Struct, frozen=True, forbid_unknown_fields=True):
    """Within how many seconds of being told somebody must have seen the alert, and have acted."""

    seen_s: Seconds
    acted_s: Seconds

    def __post_init__(self) -> None:
        """Raises ValueError when acting would be due before seeing."""
        if self.acted_s < self.seen_s:
            raise ValueError("`acted_s` must not be less than `seen_s`")

    @property
    def seen_ms(self) -> int:
        return self.seen_s * 1000

    @property
    def acted_ms(self) -> int:
        return self.acted_s * 1000


class Shift(
    Struct, frozen=True, forbid_unknown_fields=True, rename={"begins": "from", "red": "RED", "orange": "ORANGE"}
):
    """One shift, until the next one begins."""

    name: str
    begins: Hour
    red: Periods
    orange: Periods

    @property
    def begins_ms(self) -> int:
        """Milliseconds after midnight."""
        return (int(self.begins[:2]) * 60 + int(self.begins[3:])) * 60_000


class DutyPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy; what `alert_duty.make` and `grid_alert.make` take."""

    shifts: Annotated[tuple[Shift, ...], Meta(min_length=1, max_length=24)]
    roster_every_s: Seconds
    receipt_waits_s: Seconds
    closed_known_s: Seconds

    def __post_init__(self) -> None:
        """Raises ValueError when the shifts are not in the order of the day."""
        begins = [shift.begins_ms for shift in self.shifts]
        if begins != sorted(set(begins)):
            raise ValueError("`shifts` must be in the order of the day, each beginning at another time")

    def periods(self, colour: str, at: int) -> Periods:
        """For a step that begins at `at` (ms) about a code of that colour; an unknown colour is treated as red."""
        of_day = (at + BEIJING) % DAY
        # Before the first shift of the day the last one of the day before is still on.
        shift = next((s for s in reversed(self.shifts) if s.begins_ms <= of_day), self.shifts[-1])
        return shift.orange if colour == "ORANGE" else shift.red

    def next_look(self, at: int) -> int:
        """When an open alert that looked at the roster at `at` looks again (ms): in a while, or when the shift ends."""
        midnight = at - (at + BEIJING) % DAY
        ends = (day + shift.begins_ms for day in (midnight, midnight + DAY) for shift in self.shifts)
        return min(at + self.roster_every_s * 1000, next(end for end in ends if end > at))


def load(path: Path) -> DutyPolicy:
    """The policy in the YAML file at `path`. Raises ConfigError naming file and key when it is not what it must be."""
    return strict_yaml(path, DutyPolicy)


def faster(policy: DutyPolicy, factor: int) -> DutyPolicy:
    """`policy` with every duration divided by `factor`, at least a second each; hours of the day stay: the clock is not
    touched."""

    def shorter(seconds: int) -> int:
        return max(1, seconds // factor)

    def hurried(periods: Periods) -> Periods:
        return Periods(shorter(periods.seen_s), shorter(periods.acted_s))

    return replace(
        policy,
        shifts=tuple(replace(s, red=hurried(s.red), orange=hurried(s.orange)) for s in policy.shifts),
        roster_every_s=shorter(policy.roster_every_s),
        receipt_waits_s=shorter(policy.receipt_waits_s),
        closed_known_s=shorter(policy.closed_known_s),
    )


def dump(policy: DutyPolicy) -> str:
    """`policy` as the YAML that `load` reads."""
    assert convert(to_builtins(policy), DutyPolicy) == policy
    return yaml.safe_dump(to_builtins(policy), allow_unicode=True, sort_keys=False)
