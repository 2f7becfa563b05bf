"""What several modules share: topics, schemas and tables for whole workers, a Kafka that can be frozen."""

from collections.abc import Iterator

import pytest

from tests.integration.bus import Bus
from tests.integration.frozen import FreezableKafka


@pytest.fixture(scope="session")
def bus(bootstrap_servers: str, registry_url: str, tmp_path_factory: pytest.TempPathFactory) -> Bus:
    return Bus(bootstrap_servers, registry_url, tmp_path_factory.mktemp("bus"))


@pytest.fixture(scope="session")
def freezable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreezableKafka]:
    kafka = FreezableKafka(tmp_path_factory.mktemp("freezable"))
    yield kafka
    kafka.close()
