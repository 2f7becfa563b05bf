"""What the modules that run whole workers share: one set-up of topics, schemas and tables."""

import pytest

from tests.integration.bus import Bus


@pytest.fixture(scope="session")
def bus(bootstrap_servers: str, registry_url: str, tmp_path_factory: pytest.TempPathFactory) -> Bus:
    return Bus(bootstrap_servers, registry_url, tmp_path_factory.mktemp("bus"))
