"""The city's divisions: which codes exist, what they are called and what lies in what.

Codes are GB/T 2260 and GB/T 10114: city 2 digits, district 6, street 9, community 12; a grid cell is its community and
two more digits. A code begins with the code of everything that it lies in (the city's being the first two digits).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from streams.errors import ConfigError

CELL = 14
"""Digits of a grid cell's code; the first 12 are its community's."""

_LEVELS = {"city": 2, "district": 6, "street": 9, "village": 12}  # the statistical office calls a community a village

_WORDS = {2: "CITY", 6: "DISTRICT", 9: "STREET", 12: "COMMUNITY"}


@dataclass(frozen=True)
class Divisions:
    """All divisions of one city. `codes` has every code as ASCII bytes, for rules that look at encoded records."""

    names: dict[str, str]
    codes: frozenset[bytes]
    districts: tuple[str, ...]
    streets: tuple[str, ...]
    communities: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> "Divisions":
        """Read a CSV file with the columns code, name, level, parent. Raises ConfigError naming file and line."""
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the divisions: {error.strerror}") from None
        names: dict[str, str] = {}
        by_level: dict[str, list[str]] = {level: [] for level in _LEVELS}
        for line, row in enumerate(rows, 2):
            code, level, parent = row.get("code") or "", row.get("level") or "", row.get("parent") or ""
            if _LEVELS.get(level) != len(code) or not code.isdecimal():
                raise ConfigError(f"{path}:{line}: a {level or 'division'} cannot have the code {code!r}")
            if level != "city" and (parent not in names or not code.startswith(parent)):
                raise ConfigError(f"{path}:{line}: {code} does not lie in a division that stands above it")
            names[code] = row.get("name") or ""
            by_level[level].append(code)
        if not names:
            raise ConfigError(f"{path}: holds no division; expected the columns code, name, level, parent")
        return cls(
            names=names,
            codes=frozenset(code.encode() for code in names),
            districts=tuple(by_level["district"]),
            streets=tuple(by_level["street"]),
            communities=tuple(by_level["village"]),
        )

    def exists(self, code: str) -> bool:
        """Is `code` a division of any level? A grid cell is none: ask for its community."""
        return code in self.names

    def level(self, code: str) -> str:
        """CITY, DISTRICT, STREET or COMMUNITY, as an alert's events call the level of an addressee. Raises KeyError for
        what is no division's code."""
        return _WORDS[len(code)]

    def above(self, code: str) -> tuple[str, ...]:
        """The divisions that `code` lies in, from the city down, and itself; empty when it is not known."""
        if code not in self.names:
            return ()
        return tuple(code[:digits] for digits in _WORDS if digits <= len(code) and code[:digits] in self.names)

    @cached_property
    def below(self) -> Mapping[str, tuple[str, ...]]:
        """Each division with those that lie in it, one level down, in the file's order."""
        found: dict[str, list[str]] = {code: [] for code in self.names}
        for code in self.names:
            above = self.above(code)[:-1]
            if above:
                found[above[-1]].append(code)
        return {code: tuple(those) for code, those in found.items()}

    def name(self, code: str) -> str:
        """Name of a division, the code itself when it is not known."""
        return self.names.get(code, code)

    def full_name(self, code: str) -> str:
        """Names from the district down, e.g. 和平区劝业场街道花园路社区居委会; of a grid cell: its community's."""
        parts = [self.names.get(code[:digits], "") for digits in (6, 9, 12) if len(code) >= digits]
        return "".join(parts) or self.name(code)
