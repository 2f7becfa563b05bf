"""An allowance lets everybody do something so many times in a while, and remembers nobody for longer."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.gateway.allowance import Allowance


class Clock:
    """A clock that stands where it is put."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_times_and_no_more_until_the_first_is_old() -> None:
    clock = Clock()
    allowance = Allowance(2, 600, clock)
    assert allowance.take("a") == 0
    clock.now += 100.5
    assert allowance.take("a") == 0
    assert allowance.take("a") == 500
    assert allowance.take("b") == 0, "somebody else"
    clock.now += 499.5
    assert [allowance.take("a"), allowance.take("a")] == [0, 101]


def test_a_refusal_is_not_counted() -> None:
    clock = Clock()
    allowance = Allowance(1, 10, clock)
    assert [allowance.take("a") for _ in range(5)] == [0, 10, 10, 10, 10]
    clock.now += 10
    assert allowance.take("a") == 0


def test_who_has_not_come_for_a_while_is_forgotten() -> None:
    clock = Clock()
    allowance = Allowance(20, 600, clock)
    for number in range(100):
        allowance.take(f"a{number}")
        clock.now += 1
    assert len(allowance) == 100
    clock.now += 550
    allowance.take("b")
    assert len(allowance) == 50


def test_of_more_than_can_be_remembered_nobody_else_may_until_one_is_forgotten() -> None:
    clock = Clock()
    allowance = Allowance(20, 600, clock, subjects=2)
    assert [allowance.take("a"), allowance.take("b"), allowance.take("c")] == [0, 0, 600]
    clock.now += 60
    assert [allowance.take("a"), allowance.take("c")] == [0, 540]
    clock.now += 540
    assert allowance.take("c") == 0
    assert len(allowance) == 2


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5))))
def test_in_no_while_anybody_had_more_than_his_share_and_nobody_was_refused_below_it(
    calls: list[tuple[str, int]],
) -> None:
    clock = Clock()
    allowance = Allowance(3, 10, clock)
    taken: list[tuple[str, float]] = []
    for subject, later in calls:
        clock.now += later
        mine = [at for who, at in taken if who == subject and at > clock.now - 10]
        wait = allowance.take(subject)
        assert wait == (0 if len(mine) < 3 else mine[0] + 10 - clock.now)
        if not wait:
            taken.append((subject, clock.now))
