"""The local stack on real processes: what runs is kept, what died comes back, data survive."""

import pytest


@pytest.mark.kafka
def test_the_suites_kafka_and_registry_answer(bootstrap_servers: str, registry_url: str) -> None:
    """Whatever the suite runs on, both addresses serve a request."""
    from streams.local import kafka, registry

    assert kafka.answers(int(bootstrap_servers.rpartition(":")[2]))
    assert registry.ready(int(registry_url.split(":")[2].partition("/")[0]))
