"""Who is on duty: the levels of an alert, from the grid worker of the home cell up to the city's desk, and the roster's
word on each.
"""

from typing import Any, Final

from streams.flows.flow import Tables

ROSTER: Final = "ref.roster"

GRID_WORKER: Final = "GRID_WORKER"
BACKUP: Final = "BACKUP"
CITY_LEVEL: Final = "CITY"

LEVELS: Final = (GRID_WORKER, BACKUP, "COMMUNITY", "STREET", "DISTRICT", CITY_LEVEL)
"""Upwards."""

CITY: Final = "12"
CITY_DESK: Final = "desk-12"
"""Told when no roster names anybody."""

DIGITS: Final = {"COMMUNITY": 12, "STREET": 9, "DISTRICT": 6, CITY_LEVEL: 2}
"""Length of the division code whose desk a level is (GB/T 2260 and its extensions; a cell has 14)."""


def on_duty(level: str, cell: str | None, division: str, tables: Tables) -> str | None:
    """Who must act at `level` for a home cell (None: not known) in `division` (2 to 12 digits); None when nobody."""
    if level in (GRID_WORKER, BACKUP):
        row = tables[ROSTER].get(cell) if cell is not None else None
        return _name(row, "on_duty" if level == GRID_WORKER else "backup")
    digits = DIGITS[level]
    return _name(tables[ROSTER].get(division[:digits]), "on_duty") if len(division) >= digits else None


def above(level: str, addressee: str, cell: str | None, division: str, tables: Tables) -> tuple[str, str] | None:
    """The next level up that has somebody else than `addressee`, and who that is. Levels without anybody are passed
    over; the city always has its desk. None above the city."""
    for higher in LEVELS[LEVELS.index(level) + 1 :]:
        who = on_duty(higher, cell, division, tables) or (CITY_DESK if higher == CITY_LEVEL else None)
        if who is not None and who != addressee:
            return higher, who
    return None


def told(addressee: str, level: str, cause: str, at: int) -> dict[str, Any]:
    """One entry of an alert's `told`, not answered yet. `at` in ms."""
    return {
        "addressee": addressee,
        "level": level,
        "cause": cause,
        "told_at": at,
        "received_at": None,
        "seen_at": None,
        "acted_at": None,
        "outcome": None,
        "relieved_at": None,
    }


def _name(row: Any, field: str) -> str | None:
    return (row[field] or None) if row is not None else None
