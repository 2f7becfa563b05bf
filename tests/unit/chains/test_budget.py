"""The dead-letter budget: a few refusals are a publisher's affair, a flood is ours."""

import pytest

from streams.chains.budget import IN_A_ROW, SHARE, WINDOW, Budget
from streams.errors import SystemFailure

ALLOWED = int(SHARE * WINDOW)


def window(budget: Budget, refused: int) -> None:
    """A whole window, its refusals first."""
    for _ in range(refused):
        budget.refused()
    for _ in range(WINDOW - refused):
        budget.accepted()


def test_as_many_refusals_as_the_share_of_a_window_pass_window_after_window() -> None:
    budget = Budget("flow")
    for _ in range(3):
        window(budget, ALLOWED)
    with pytest.raises(SystemFailure):  # the same budget does stop for more
        window(budget, ALLOWED + 1)


def test_one_more_in_a_window_stops_the_chain_and_names_the_flow() -> None:
    with pytest.raises(SystemFailure, match="flow health-code refused 101 of its last 10000 records"):
        window(Budget("health-code"), ALLOWED + 1)


def test_a_row_of_refusals_stops_the_chain_before_its_window_is_over() -> None:
    budget = Budget("flow")
    for _ in range(IN_A_ROW - 1):
        budget.refused()
    with pytest.raises(SystemFailure, match="1000 in a row"):
        budget.refused()


def test_a_record_that_passes_ends_a_row() -> None:
    budget = Budget("flow")
    for _ in range(IN_A_ROW - 1):
        budget.refused()
    budget.accepted()
    budget.refused()
    with pytest.raises(SystemFailure, match="1000 in a row"):
        for _ in range(IN_A_ROW - 1):
            budget.refused()


def test_refusals_of_an_aborted_transaction_never_happened() -> None:
    budget = Budget("flow")
    for _ in range(3):
        for _ in range(IN_A_ROW - 1):
            budget.refused()
        budget.rollback()
    budget.refused()
    budget.commit()
    budget.rollback()
    with pytest.raises(SystemFailure, match="refused 1000 of its last 1000"):
        for _ in range(IN_A_ROW - 1):
            budget.refused()
