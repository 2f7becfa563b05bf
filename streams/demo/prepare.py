"""Makes a running Kafka and registry ready for the bus: topics, released schemas, reference tables."""

from collections.abc import Callable, Mapping
from typing import Any

import rich.progress
from rich.console import Console

from streams.chains.layout import POLICY, load_layout, topics
from streams.contract.contracts import load_contracts
from streams.contract.division import Divisions
from streams.contract.released import Released
from streams.demo import tables
from streams.demo.city import City
from streams.demo.kept import Kept
from streams.engine.admin import Admin
from streams.engine.reader import Reader
from streams.governance.grant import load_grants
from streams.settings import Settings

Encode = Callable[[str, Mapping[str, Any]], bytes]


class Schemas:
    """The released schemas, as bus.policy says: how publishers encode and how whoever watches the bus decodes."""

    def __init__(self, settings: Settings) -> None:
        self._released = Released(load_contracts(settings.schemas), Divisions.load(settings.deploy / "divisions.csv"))
        with Reader(settings.bootstrap_servers, [POLICY], client_id="demo-policy") as reader:
            for record in reader.read_to_end():
                self._released.apply((record.key or b"").decode(), record.value)

    def encode(self, topic: str, event: Mapping[str, Any]) -> bytes:
        """An event of the topic's newest version. Raises ValueError naming the field that does not fit."""
        return self._released.latest(topic).encode(event)

    def decode(self, topic: str, value: bytes) -> dict[str, Any]:
        """A record of one of the bus's own topics. Raises ValueError for bytes that its schema did not write."""
        version = self._released.find(int.from_bytes(value[1:5], "big"), topic)
        if version is None:
            raise ValueError(f"{topic}: unknown schema id")
        return version.decode(value)


def create_topics(settings: Settings) -> int:
    """Create what the layout, contracts and grants declare and is missing; how many that were."""
    contracts = load_contracts(settings.schemas)
    views = tuple(grant.name for grant in load_grants(settings.deploy / "grants.yaml"))
    layout = load_layout(settings.deploy / "layout.yaml")
    return len(Admin(settings.bootstrap_servers).create(topics(layout, contracts, views)))


def load_tables(settings: Settings, city: City, people: int, kept: Kept, encode: Encode, console: Console) -> bool:
    """Load the roster and `people` residents, as far as they are not there already; whether that was needed. Brings
    `kept` up to date."""
    if kept.seed != city.seed:
        kept.people = 0
    roster = tables.roster_digest(city)
    if kept.people >= people and kept.roster == roster:
        return False
    missing = range(min(kept.people, people), people)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading roster and residences", total=len(missing) + len(city.cells))
        tables.load(settings.bootstrap_servers, city, missing, encode, lambda n: bar.update(task, completed=n))
    kept.people, kept.seed, kept.roster = max(kept.people, people), city.seed, roster
    kept.write(settings.home)
    return True
