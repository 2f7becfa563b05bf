"""What every pass owes the engine: readiness, lag, a bounded memory of what it refused."""

import pytest

from streams.chains import audited
from streams.observe.metrics import METRICS
from tests.unit.chains.toy import Message, Toy


def test_a_worker_is_ready_while_it_has_partitions() -> None:
    toy = Toy()
    health = toy.chain._health
    toy.chain.placed(False)
    assert health.respond("/readyz").status == 503
    assert health.reason == "waiting for partitions"
    toy.chain.placed(True)
    assert health.respond("/readyz").status == 200


def test_lag_is_shown_for_each_partition() -> None:
    Toy().chain.lagging({("a.topic", 3): 12})
    assert METRICS.consumer_lag.labels("toy", "a.topic", "3")._value.get() == 12


def test_what_was_refused_is_remembered_in_a_bounded_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audited, "MAX_POISONED", 3)
    toy = Toy()
    for offset in range(10):
        toy.chain.poison(Message("a", b"", offset=offset), "reason", RuntimeError())
        assert ("a", 0, offset) in toy.chain.poisoned
        assert len(toy.chain.poisoned) <= 3


def test_a_commits_counts_are_not_in_the_next_audit_record() -> None:
    toy = Toy()
    toy.do("count=make")
    assert toy.commit()["flows"]
    assert toy.commit()["flows"] == []
