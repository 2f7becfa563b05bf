"""Loads the reference tables: who lives where and who is on duty. The bus joins against them; nothing else is prepared.

A load that a run finds complete is not repeated: on kept data a second run begins within seconds.
"""

import hashlib
import time
from collections.abc import Callable, Iterator

from streams.demo.city import City
from streams.demo.spoil import Encode
from streams.engine.admin import Admin
from streams.engine.writer import Writer

RESIDENCE, ROSTER = "ref.residence", "ref.roster"
_EVERY = 5_000


def loaded(bootstrap: str) -> int:
    """How many rows of ref.residence have ever been written: 0 on wiped data, whatever a kept file says."""
    return sum(Admin(bootstrap).ends([RESIDENCE]).values())


def roster_digest(city: City) -> str:
    """Changes with any row of the roster: data that an earlier version of the city left are then loaded again."""
    digest = hashlib.blake2b(digest_size=8)
    for duty in city.roster():
        digest.update(repr(tuple(duty)).encode())
    return digest.hexdigest()


def rows(city: City, people: range, encode: Encode) -> Iterator[tuple[str, str, bytes]]:
    """Topic, key and value of every row: the roster, then the residences of the residents with these numbers."""
    for duty in city.roster():
        fields = {"division": duty.division, "on_duty": duty.on_duty, "backup": duty.backup}
        yield ROSTER, duty.division, encode(ROSTER, _whole_table | fields)
    for index in people:
        person = city.resident(index)
        if person.registered:
            fields = {
                "person_id": person.person_id,
                "person_name": person.name,
                "phone": person.phone,
                "address": person.address,
                "cell": person.cell,
            }
            yield RESIDENCE, person.person_id, encode(RESIDENCE, _whole_table | fields)


_whole_table: dict[str, str | None] = {"event_id": None, "occurred_at": None, "publisher": None}


def load(bootstrap: str, city: City, people: range, encode: Encode, progress: Callable[[int], None]) -> int:
    """Write both tables and return the number of rows. `progress` is told how many are written, now and then.

    Raises SystemFailure when the broker refuses or does not answer.
    """
    written, told = 0, time.monotonic()
    with Writer(bootstrap, client_id="demo-tables") as writer:
        for topic, key, value in rows(city, people, encode):
            writer.write(topic, key, value)
            written += 1
            if written % _EVERY == 0 and time.monotonic() - told > 0.2:
                told = time.monotonic()
                progress(written)
    progress(written)
    return written
