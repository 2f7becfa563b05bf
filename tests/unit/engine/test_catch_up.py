"""Until each topic of a partition was read to its end once, its records are given out in the order of time."""

from itertools import groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.catch_up import MAX_AHEAD, PATIENCE, CatchUp
from tests.unit.chains.toy import Message

A, B, TABLE = "a.thing.happened", "b.thing.made", "ref.thing"


class Log:
    """Records of some topics of partition 0, by their timestamps, and a worker that begins to read them."""

    def __init__(self, *topics: str) -> None:
        self.now = 0.0
        self.catch_up = CatchUp([TABLE], lambda: self.now)
        self.catch_up.begin((topic, 0) for topic in topics)

    def given(self, *records: tuple[str, int], ends: tuple[str, ...] = ()) -> list[tuple[str, int]]:
        """What is given out when these were read, and these topics found to end."""
        for topic in ends:
            self.catch_up.ended((topic, 0))
        messages: list[Any] = [Message(topic, b"", time=time) for topic, time in records]
        return [(m.topic(), m.timestamp()[1]) for m in self.catch_up.order(messages)]


def test_records_of_a_topic_wait_for_older_ones_of_another_until_it_has_ended() -> None:
    log = Log(A, B)
    assert log.given((A, 1), (A, 20)) == []
    assert log.given((B, 10)) == [(A, 1), (B, 10)]
    assert log.given(ends=(B,)) == [(A, 20)]
    assert log.given((A, 30)) == [(A, 30)]


def test_once_all_have_ended_records_are_given_out_as_they_come() -> None:
    log = Log(A, B)
    assert log.given((A, 5), ends=(A, B)) == [(A, 5)]
    assert not log.catch_up.partitions
    assert log.given((A, 50), (B, 40)) == [(A, 50), (B, 40)]


def test_a_table_and_a_partition_with_one_topic_never_wait() -> None:
    log = Log(A, TABLE)
    assert not log.catch_up.partitions
    log = Log(A, B, TABLE)
    assert log.given((TABLE, 9), (A, 1)) == [(TABLE, 9)]


def test_a_topic_that_never_says_that_it_ended_is_waited_for_a_while_only() -> None:
    log = Log(A, B)
    assert log.given((A, 1)) == []
    log.now = PATIENCE
    assert log.given() == []
    log.now += 0.1
    assert log.given() == [(A, 1)]


def test_what_is_read_again_is_not_given_out_twice() -> None:
    log = Log(A, B)
    log.given((A, 1), ends=(A,))
    log.catch_up.again()
    assert log.given((B, 2), ends=(B,)) == []
    assert log.given((A, 1), ends=(A,)) == [(A, 1), (B, 2)]


def test_one_topic_partition_read_again_leaves_what_others_have_ahead() -> None:
    log = Log(A, B)
    log.given((A, 1), (A, 2))
    log.catch_up.again((A, 0))
    assert log.given((B, 3), ends=(B,)) == []
    assert log.given((A, 1), (A, 2), ends=(A,)) == [(A, 1), (A, 2), (B, 3)]


def test_nothing_is_kept_of_a_partition_that_was_taken_away() -> None:
    log = Log(A, B)
    log.given((A, 1))
    log.catch_up.drop([(A, 0), (B, 0)])
    assert log.given((B, 2)) == [(B, 2)]


def test_a_topic_far_ahead_is_reported_so_that_it_is_paused() -> None:
    log = Log(A, B)
    log.given(*((A, n) for n in range(MAX_AHEAD)))
    assert log.catch_up.full() == {(A, 0)}
    log.given(ends=(B,))
    assert log.catch_up.full() == set()


@given(
    st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=2, max_size=3),
    st.randoms(use_true_random=False),
)
def test_however_reads_alternate_all_is_given_out_once_in_the_order_of_time(times: list[list[int]], rng: Any) -> None:
    """Within a topic by offset, whatever its timestamps; between topics the oldest head first."""
    topics = [f"t{n}.x.y" for n in range(len(times))]
    log = Log(*topics)
    left = {topic: sorted(those) for topic, those in zip(topics, times, strict=True)}
    wanted = sorted((time, topic) for topic, those in left.items() for time in those)
    out, ended = [], set()
    while len(ended) < len(topics):
        topic = rng.choice([t for t in topics if t not in ended])
        some, left[topic] = left[topic][: rng.randint(0, 4)], left[topic]
        left[topic] = left[topic][len(some) :]
        ends = (topic,) if not left[topic] and rng.random() < 0.5 else ()
        ended |= set(ends)
        out += log.given(*((topic, time) for time in some), ends=ends)
    assert [time for _, time in out] == [time for time, _ in wanted]
    assert sorted((time, topic) for topic, time in out) == wanted
    for topic, those in groupby(sorted(out, key=lambda item: item[0]), key=lambda item: item[0]):
        assert [time for _, time in those] == sorted(time for time, of in wanted if of == topic)
