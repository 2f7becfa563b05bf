"""What one run leaves for the next on kept data: which people are used up, which run it was, what tables hold."""

from pathlib import Path

import msgspec

FILE = "demo.json"


class Kept(msgspec.Struct):
    """`next_person`: no run has used this person or one after it. `people`: residents in ref.residence, of `seed`.
    `roster`: digest of the rows of ref.roster."""

    runs: int = 0
    next_person: int = 0
    people: int = 0
    seed: int = 0
    roster: str = ""

    @classmethod
    def read(cls, home: Path) -> "Kept":
        """What is kept there; a beginning when there is nothing that can be read."""
        try:
            return msgspec.json.decode((home / FILE).read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.MsgspecError):
            return cls()

    def write(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        new = home / f"{FILE}.new"
        new.write_bytes(msgspec.json.encode(self))
        new.replace(home / FILE)
