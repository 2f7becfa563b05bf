"""What each mask shows of a value, and that no shape of value slips through whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.governance import mask


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("张三", "张**"),
        ("张三丰", "张**"),
        ("欧阳修明", "欧**"),
        ("阿卜杜热西提·买买提", "阿**"),
        ("John Smith", "J**"),
        ("  张三 ", "张**"),
        ("张", "****"),
        ("", "****"),
        ("   ", "****"),
    ],
)
def test_a_name_shows_its_first_character_only(value: str, shown: str) -> None:
    assert mask.name(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("13812341234", "138****1234"),
        ("+8613812341234", "138****1234"),
        ("86 138-1234-1234", "138****1234"),
        ("138 1234 1234", "138****1234"),
        ("02227123456", "****"),  # a landline of Tianjin
        ("022-27123456", "****"),
        ("12345", "****"),
        ("23812341234", "****"),
        ("138123412345", "****"),
        ("13812341234 或 13912341234", "****"),
        ("", "****"),
    ],
)
def test_a_mobile_number_shows_three_and_four_digits_and_anything_else_nothing(value: str, shown: str) -> None:
    assert mask.phone(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("120101199003071234", "120101********1234"),
        ("12010119900307123X", "120101********123X"),
        ("12010119900307123x", "120101********123x"),
        ("120101900307123", "****"),  # 15 characters, before 1999
        ("120101199003071234 ", "****"),
        ("E12345678", "****"),
        ("", "****"),
    ],
)
def test_a_person_id_shows_region_and_last_four_and_anything_else_nothing(value: str, shown: str) -> None:
    assert mask.person_id(value) == shown


def test_full_width_digits_are_no_number_that_a_mask_knows() -> None:
    assert mask.phone("１３８１２３４１２３４") == mask.person_id("１２０１０１１９９００３０７１２３４") == "****"


@given(st.text(min_size=2))
def test_no_mask_ever_shows_a_value_whole(value: str) -> None:
    for apply in mask.PLAIN.values():
        assert apply(value) != value or set(value) == {"*"}


@given(st.text())
def test_a_name_of_any_text_shows_at_most_one_character(value: str) -> None:
    assert len(mask.name(value).replace("*", "")) <= 1


def test_a_pseudonym_is_the_same_for_one_person_and_subscriber() -> None:
    one, again = mask.pseudonym(b"s" * 32, "jinxinban"), mask.pseudonym(b"s" * 32, "jinxinban")
    assert one("120101199003071234") == again("120101199003071234")
    assert one("120101199003071234") != one("120101199003071235")


def test_pseudonyms_of_two_subscribers_cannot_be_joined() -> None:
    one, other = mask.pseudonym(b"s" * 32, "jinxinban"), mask.pseudonym(b"s" * 32, "shebao")
    assert one("120101199003071234") != other("120101199003071234")


def test_another_secret_gives_other_pseudonyms() -> None:
    assert mask.pseudonym(b"s" * 32, "a")("x") != mask.pseudonym(b"t" * 32, "a")("x")


def test_a_pseudonym_is_32_hexadecimal_characters() -> None:
    value = mask.pseudonym(b"s" * 32, "a")("张三")
    assert len(value) == 32 and set(value) <= set("0123456789abcdef")
