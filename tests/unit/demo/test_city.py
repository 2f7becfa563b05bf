"""The simulated city: the real divisions, the promised numbers, the same people in every run."""

from pathlib import Path

import pytest

from streams.demo.city import CELLS, GRID_WORKERS, HOUSEHOLD, City

DIVISIONS = Path(__file__).parents[3] / "deploy/tianjin/divisions.csv"


@pytest.fixture(scope="module")
def city() -> City:
    return City(DIVISIONS)


def test_there_are_22301_cells_and_every_community_has_one(city: City) -> None:
    assert len(set(city.cells)) == CELLS == 22_301
    assert {cell[:12] for cell in city.cells} == set(city.communities)
    assert len(city.communities) == 5_617
    assert all(len(cell) == 14 and cell.isdigit() for cell in city.cells)


def test_every_grid_worker_is_on_duty_or_a_backup(city: City) -> None:
    duties = list(city.roster())
    workers = {who for d in duties for who in (d.on_duty, d.backup) if who and who.startswith("gw-")}
    on_duty = [d.on_duty for d in duties if d.on_duty]
    assert len(workers) > 0.97 * GRID_WORKERS
    assert workers <= {f"gw-{n:06d}" for n in range(1, GRID_WORKERS + 1)}
    assert len(set(on_duty)) == len(on_duty)


def test_some_cells_have_no_grid_worker_and_some_divisions_no_desk(city: City) -> None:
    on_duty = {d.division: d.on_duty for d in city.roster()}
    assert 0 < sum(not on_duty.get(cell) for cell in city.cells) < 0.1 * CELLS
    without = sum(not on_duty.get(community) for community in city.communities)
    assert len(city.communities) / 7 < without < len(city.communities) / 5
    assert 0 < sum(not on_duty.get(street) for street in city.streets) < 100
    assert 0 < sum(not on_duty.get(district) for district in city.districts) < 8
    assert on_duty["12"] == "desk-12"
    assert {who for division, who in on_duty.items() if len(division) < 14 and who} == {
        f"desk-{division}" for division in on_duty if len(division) < 14
    }


def test_the_same_seed_makes_the_same_city_and_another_seed_another(city: City) -> None:
    again, other = City(DIVISIONS), City(DIVISIONS, seed=7)
    assert again.resident(123_456) == city.resident(123_456)
    assert list(again.roster()) == list(city.roster())
    assert other.resident(123_456).cell != city.resident(123_456).cell


def test_person_ids_are_unique_and_have_the_check_character_of_gb_11643(city: City) -> None:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    indexes = [*range(5_000), *range(29_000, 31_000), *range(1_998_000, 2_000_000)]
    ids = [city.resident(n).person_id for n in indexes]
    assert len(set(ids)) == len(ids)
    for person_id in ids[::97]:
        total = sum(int(c) * w for c, w in zip(person_id, weights, strict=False))
        assert len(person_id) == 18
        assert person_id[17] == "10X98765432"[total % 11]


def test_neighbours_share_a_cell_and_phones_are_unique(city: City) -> None:
    people = [city.resident(n) for n in range(20 * HOUSEHOLD)]
    assert len({p.cell for p in people}) == 20
    assert len({p.phone for p in people}) == len(people)
    assert all(len(p.phone) == 11 for p in people)


def test_a_few_people_have_no_residence(city: City) -> None:
    without = sum(not city.resident(n).registered for n in range(4_000))
    assert 40 < without < 200
