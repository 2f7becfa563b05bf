"""The dead-letter budget: a few refusals are a publisher's affair, a flood is ours."""

import pytest

from streams.chains.budget import SHARE, WINDOW, Budget
from streams.errors import SystemFailure

ALLOWED = int(SHARE * WINDOW)


def test_as_many_refusals_as_the_share_of_a_window_pass() -> None:
    budget = Budget("flow")
    for _ in range(ALLOWED):
        budget.refused()
        budget.accepted()


def test_one_more_stops_the_chain_and_names_the_flow() -> None:
    budget = Budget("health-code")
    for _ in range(ALLOWED):
        budget.refused()
    with pytest.raises(SystemFailure, match="flow health-code refused 101 of its last 101 records"):
        budget.refused()


def test_a_full_window_begins_a_new_one() -> None:
    budget = Budget("flow")
    for _ in range(3):
        for _ in range(ALLOWED):
            budget.refused()
        for _ in range(WINDOW - ALLOWED):
            budget.accepted()


def test_refusals_of_an_aborted_transaction_never_happened() -> None:
    budget = Budget("flow")
    for _ in range(3):
        for _ in range(ALLOWED):
            budget.refused()
        budget.rollback()
    budget.refused()
    budget.commit()
    budget.rollback()
    for _ in range(ALLOWED - 1):
        budget.refused()
    with pytest.raises(SystemFailure):
        budget.refused()
