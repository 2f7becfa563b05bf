"""Check characters of citizen ids (GB 11643) and social credit codes (GB 32100)."""

import pytest

from streams.contract.identity import (
    organisation_id_check,
    person_id_check,
    valid_organisation_id,
    valid_person_id,
)


def test_the_examples_of_gb_11643_are_valid() -> None:
    assert valid_person_id("11010519491231002X")
    assert valid_person_id(b"440524188001010014")


def test_the_example_of_gb_32100_is_valid() -> None:
    assert valid_organisation_id("91350100M000100Y43")
    assert valid_organisation_id(b"91350100M000100Y43")


def test_every_single_wrong_digit_of_a_citizen_id_is_found() -> None:
    right = "11010519491231002X"
    for place in range(17):
        for digit in "0123456789":
            wrong = right[:place] + digit + right[place + 1 :]
            assert valid_person_id(wrong) == (wrong == right)


def test_every_swap_of_neighbours_in_a_citizen_id_is_found() -> None:
    right = "11010519491231002X"
    for place in range(16):
        wrong = right[:place] + right[place + 1] + right[place] + right[place + 2 :]
        assert valid_person_id(wrong) == (wrong == right)


@pytest.mark.parametrize("text", ["", "11010519491231002x", "1101051949123100２X", "11010519491231002X ", "a" * 18])
def test_what_is_no_citizen_id_is_not_valid(text: str) -> None:
    assert not valid_person_id(text)
    assert not valid_person_id(text.encode())


@pytest.mark.parametrize("text", ["", "91350100M000100Y4", "91350100M000100Y44", "9135010OM000100Y43", "\xff" * 18])
def test_what_is_no_social_credit_code_is_not_valid(text: str) -> None:
    assert not valid_organisation_id(text)
    assert not valid_organisation_id(text.encode("latin-1"))


def test_check_characters_refuse_other_lengths_and_alphabets() -> None:
    for wrong in ("", "1" * 16, "1" * 18, "1" * 16 + "X"):
        with pytest.raises(ValueError, match="17 digits"):
            person_id_check(wrong)
    with pytest.raises(ValueError, match="17 characters"):
        organisation_id_check("I" * 17)
