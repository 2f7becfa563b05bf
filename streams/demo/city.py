"""The simulated city: cells, grid workers, desks and residents, all from one seed, so that every run knows the same
people.

Nothing is stored of a resident: each is a function of an index, so two million of them cost no memory. Divisions are
the real ones (16 districts, 299 streets, 5,617 communities); everything below a community is made up.
"""

import csv
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from streams.contract.identity import person_id_check

CELLS = 22_301
GRID_WORKERS = 35_000
HOUSEHOLD = 8
"""Residents with consecutive numbers who share a cell: a run that takes a range of people meets few cells."""

_MASK = (1 << 64) - 1
_STRIDE = 12_347  # has no factor in common with 35,000, so it visits every grid worker once
_BIRTHDAYS = 29_200  # eighty years of days; with 1,000 sequence numbers a day this names 29 million people
_FIRST_BIRTHDAY = date(1940, 1, 1)
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰文辉建国志红梅海燕鹏飞雪晶宇浩然子涵欣怡佳琪思远"
_MOBILE = (
    "130",
    "131",
    "135",
    "136",
    "138",
    "139",
    "150",
    "152",
    "158",
    "159",
    "176",
    "182",
    "185",
    "187",
    "188",
    "199",
)


class Resident(NamedTuple):
    """One person. `registered` is False for the few whose residence nobody knows: the bus has no row of them, though
    they live in `cell`."""

    person_id: str
    name: str
    phone: str
    address: str
    cell: str
    registered: bool


class Duty(NamedTuple):
    """One row of the roster: who is on duty for a cell (14 digits), or which desk serves a community, street, district
    or the city."""

    division: str
    on_duty: str | None
    backup: str | None


class City:
    """The city that `seed` makes. `divisions` is the CSV file with the columns code, name, level, parent."""

    def __init__(self, divisions: Path, seed: int = 2022) -> None:
        self.seed = seed
        self._salt = _mix(seed)
        self._names: dict[str, str] = {}
        streets: list[str] = []
        districts: list[str] = []
        self.communities: list[str] = []
        lists = {9: streets, 6: districts, 12: self.communities}
        with divisions.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                self._names[row["code"]] = row["name"]
                lists.get(len(row["code"]), []).append(row["code"])
        self.streets, self.districts = tuple(streets), tuple(districts)
        rng = random.Random(f"cells/{seed}")
        counts = dict.fromkeys(self.communities, 1)
        for community in rng.choices(self.communities, k=CELLS - len(self.communities)):
            counts[community] += 1
        self.cells: tuple[str, ...] = tuple(
            f"{code}{n:02d}" for code, count in counts.items() for n in range(1, count + 1)
        )
        order = list(self.cells)
        rng.shuffle(order)
        self._order = tuple(order)
        self._without_worker = frozenset(rng.sample(self.cells, CELLS // 25))
        self._without_desk = frozenset(
            rng.sample(streets, len(streets) // 6)
            + rng.sample(districts, 4)
            + rng.sample(self.communities, len(self.communities) // 6)
        )

    def roster(self) -> Iterator[Duty]:
        """Every row of ref.roster: a few cells have no grid worker, some communities, streets and districts no desk."""
        for number, cell in enumerate(self.cells):
            if cell in self._without_worker:
                # Both ways of having nobody: no row at all, and a row that names nobody on duty.
                if number % 2:
                    yield Duty(cell, None, _worker(CELLS + number % (GRID_WORKERS - CELLS)))
                continue
            yield Duty(cell, _worker(number), _worker(CELLS + number % (GRID_WORKERS - CELLS)))
        for division in (*self.communities, *self.streets, *self.districts, "12"):
            if division not in self._without_desk:
                yield Duty(division, f"desk-{division}", None)

    def resident(self, index: int) -> Resident:
        """Person number `index`, from 0: the same person in every run, however many people there are."""
        cell = self._order[index // HOUSEHOLD % CELLS]
        bits = _mix(self._salt ^ index)
        birthday = _FIRST_BIRTHDAY + timedelta(days=(index * 7919) % _BIRTHDAYS)
        first17 = f"{cell[:6]}{birthday:%Y%m%d}{index // _BIRTHDAYS % 1000:03d}"
        given = _GIVEN[bits % len(_GIVEN)] + (_GIVEN[(bits >> 8) % len(_GIVEN)] if bits >> 60 else "")
        names = self._names
        return Resident(
            person_id=first17 + person_id_check(first17),
            name=_SURNAMES[(bits >> 16) % len(_SURNAMES)] + given,
            phone=f"{_MOBILE[(bits >> 24) % len(_MOBILE)]}{(index * 48_271 + self.seed) % 100_000_000:08d}",
            address=f"天津市{names[cell[:6]]}{names[cell[:9]]}{names[cell[:12]]}"
            f"{1 + (bits >> 32) % 40}号楼{1 + (bits >> 40) % 6}门{1 + (bits >> 44) % 18}0{1 + (bits >> 50) % 4}",
            cell=cell,
            registered=(bits >> 52) % 40 != 0,
        )


def _worker(number: int) -> str:
    return f"gw-{number * _STRIDE % GRID_WORKERS + 1:06d}"


def _mix(value: int) -> int:
    """splitmix64: 64 well mixed bits of an integer, the same on every machine and in every process."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
