"""The last defence: what looks like a person's id or mobile number never leaves the process in a log line."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.observe.redact import redact, redact_value

ID = "120101199003074514"
PHONE = "13812345678"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ID, "[id]"),
        ("12010119900307451X", "[id]"),
        ("12010119900307451x", "[id]"),
        (f"身份证{ID}的人", "[id]".join(["身份证", "的人"])),
        (f"person_id={ID},", "person_id=[id],"),
        (f"person{ID}", "person[id]"),
        (PHONE, "[phone]"),
        (f"+86{PHONE}", "[phone]"),
        (f"+86 {PHONE}", "[phone]"),
        ("138-1234-5678", "[phone]"),
        ("138 1234 5678", "[phone]"),
        (f"电话{PHONE}打不通", "电话[phone]打不通"),
        (f"{ID}/{PHONE}", "[id]/[phone]"),
    ],
)
def test_ids_and_mobile_numbers_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "12010110300101",  # a grid cell
        "120101001001",  # a community
        "gw-000123",
        "desk-120101001",
        "2026-11-21T09:22:00.786120Z",
        "1795252682377",  # a timestamp in ms
        "1795252682377086654",  # ... in ns
        "6b5a6f0e-3f0d-5c6e-9a6d-13812345678a",  # the last group of an event id
        "0a13812345678",
        "138****1234",
        "120101********1234",
        "123456789012345678",  # 18 digits whose date is none
    ],
)
def test_the_numbers_of_the_bus_pass(text: str) -> None:
    assert redact(text) == text


def test_a_value_is_searched_whole_keys_included() -> None:
    nested = {"a": [{"b": (ID, 1)}], PHONE: {ID}, "raw": PHONE.encode(), "n": int(ID), "ok": 1.5, "none": None}
    assert redact_value(nested) == {
        "a": [{"b": ["[id]", 1]}],
        "[phone]": ["[id]"],
        "raw": "[phone]",
        "n": "[id]",
        "ok": 1.5,
        "none": None,
    }


def test_positions_and_counts_stay_numbers_however_large() -> None:
    assert redact_value({"offset": int(PHONE), "lag": int(PHONE)}) == {"offset": int(PHONE), "lag": int(PHONE)}


def test_an_exception_among_the_fields_is_told_by_its_type() -> None:
    assert redact_value({"error": ValueError("张三")}) == {"error": "ValueError"}


def test_an_object_is_searched_in_its_repr() -> None:
    class Thing:
        def __repr__(self) -> str:
            return f"<Thing {ID}>"

    assert redact_value(Thing()) == "<Thing [id]>"


@given(st.text(), st.text(), st.integers(0, 999), st.dates(datetime.date(1800, 1, 1), datetime.date(2099, 12, 31)))
def test_no_text_around_an_id_hides_it_except_digits(
    before: str, after: str, sequence: int, born: datetime.date
) -> None:
    person = f"120101{born:%Y%m%d}{sequence:03d}X"
    before = before.rstrip("0123456789")
    after = after.lstrip("0123456789")
    assert person not in redact(f"{before}{person}{after}")
