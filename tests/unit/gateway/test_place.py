"""A place says what a client has, of which topic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.gateway.place import Places, advanced, merged, reaches

POSITIONS = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=30).map(tuple)


@given(POSITIONS)
def test_a_place_is_read_back_as_it_was_written(positions: tuple[int, ...]) -> None:
    places = Places("3xJ0-_Qz", len(positions))
    assert places.parse(places.text(positions)) == positions
    assert places.line(positions) == f"id: {places.text(positions)}\n".encode()


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "x", "0", "aabcdefgh", "aabcdefgh.1", "aabcdefgh.1.2.3", "aabcdefgX.1.2", "babcdefgh.1.2",
        "aabcdefgh.1.-2", "aabcdefgh.1.2 ", "aabcdefgh.1.9999999999999999999", "aabcdefgh.1.99999999999999999999",
        "aabcdefgh.1.\u0662", "aabcdefgh.1.2\n", "\x00",
    ],
)  # fmt: skip
def test_what_is_not_a_place_of_this_topic_is_none(text: str) -> None:
    assert Places("abcdefgh", 2).parse(text) is None


@given(st.text())
def test_no_text_breaks_the_reading_of_places(text: str) -> None:
    assert Places("abcdefgh", 2).parse(text) is None


def test_positions_advance_behind_an_event_and_merge_to_the_further() -> None:
    assert advanced((1, 2, 3), 1, 7) == (1, 8, 3)
    newer = (4, 4)
    assert merged((4, 1), newer) is newer
    assert merged((5, 1), newer) == (5, 4)
    assert reaches((4, 4), (4, 3))
    assert not reaches((4, 4), (4, 5))


@pytest.mark.parametrize("identity", ["aXQH+C86", "aXQH/C86", "short", "much-too-long"])
def test_an_identity_that_could_not_be_read_back_is_refused_at_once(identity: str) -> None:
    with pytest.raises(ValueError, match="identity"):
        Places(identity, 3)
