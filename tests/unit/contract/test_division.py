"""The city's divisions, as the file has them."""

from pathlib import Path

import pytest

from streams.contract.division import Divisions
from streams.errors import ConfigError
from streams.settings import ROOT

CITY = Divisions.load(ROOT / "deploy" / "tianjin" / "divisions.csv")


def test_tianjin_has_its_districts_streets_and_communities() -> None:
    assert (len(CITY.districts), len(CITY.streets), len(CITY.communities)) == (16, 299, 5617)


def test_a_prefix_of_a_community_is_its_street_and_its_district() -> None:
    for community in CITY.communities:
        assert CITY.exists(community[:9])
        assert CITY.exists(community[:6])
        assert CITY.exists(community[:2])


def test_a_code_exists_at_every_level_and_a_cell_is_none() -> None:
    assert all(CITY.exists(code) for code in ("12", "120101", "120101001", "120101001001"))
    assert not CITY.exists("12010100100101")
    assert not CITY.exists("129999")


def test_a_division_lies_in_those_above_it() -> None:
    assert CITY.above("120101001001") == ("12", "120101", "120101001", "120101001001")
    assert CITY.above("12") == ("12",)
    assert CITY.above("129999") == CITY.above("12010100100101") == CITY.above("") == ()


def test_what_lies_below_a_division_is_one_level_down_and_has_it_above() -> None:
    assert CITY.below["12"] == CITY.districts
    assert sum(len(CITY.below[district]) for district in CITY.districts) == len(CITY.streets)
    for street in CITY.streets:
        assert all(CITY.above(community)[-2] == street for community in CITY.below[street])
    assert CITY.below["120101001001"] == ()


def test_levels_are_called_as_an_alerts_addressees_are() -> None:
    levels = [CITY.level(code) for code in CITY.above("120101001001")]
    assert levels == ["CITY", "DISTRICT", "STREET", "COMMUNITY"]


def test_a_cell_is_called_by_its_community() -> None:
    assert CITY.full_name("12010100100101") == CITY.full_name("120101001001")
    assert CITY.full_name("120101001001").startswith("和平区")
    assert CITY.full_name("99") == "99"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "holds no division"),
        ("12,天津市,town,\n", "a town cannot have the code"),
        ("12,天津市,city,\n1201,和平区,district,12\n", "cannot have the code"),
        ("12,天津市,city,\n130101,某区,district,12\n", "does not lie in"),
    ],
)
def test_a_wrong_file_is_a_config_error_that_names_the_line(tmp_path: Path, rows: str, said: str) -> None:
    path = tmp_path / "divisions.csv"
    path.write_text("code,name,level,parent\n" + rows, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        Divisions.load(path)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the divisions"):
        Divisions.load(tmp_path / "none.csv")
