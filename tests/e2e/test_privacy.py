"""Nothing that the bus logs, counts or reports names a person: every log, metrics page and report of the demo is
searched for every simulated person, and the search is shown to find what is planted.
"""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from streams.demo.city import City, Resident
from streams.demo.kept import Kept
from tests.e2e.demo_run import PEOPLE, ROOT, Ran
from tests.e2e.personal import People

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

PROCESSES = {"intake-0", "person-0", "person-1", "gateway"}


@pytest.fixture(scope="module")
def residents(home: Path, first: Ran, second: Ran) -> list[Resident]:
    """Everybody: more move in when runs have used up those there were."""
    kept = Kept.read(home)
    assert kept.people >= PEOPLE
    city = City(ROOT / "deploy/tianjin/divisions.csv", kept.seed)
    return [city.resident(n) for n in range(kept.people)]


@pytest.fixture(scope="module")
def people(residents: list[Resident]) -> People:
    return People(residents)


@pytest.fixture(scope="module")
def written(home: Path, first: Ran, second: Ran) -> dict[str, str]:
    """Everything that two runs, one with kills, wrote for people to read, by file."""
    files = {file.name: file.read_text(errors="replace") for file in home.glob("logs/*") if file.is_file()}
    for name, ran in (("first", first), ("second", second)):
        files |= {f"{name}.output": ran.output, f"{name}.report": json.dumps(ran.report, ensure_ascii=False)}
    return files


def test_every_process_of_the_bus_has_a_log_and_a_metrics_page_and_none_is_empty(written: dict[str, str]) -> None:
    for suffix in ("log", "metrics"):
        names = {name.removesuffix(f".{suffix}") for name, text in written.items() if name.endswith(suffix) and text}
        assert names >= PROCESSES
    assert {"kafka.log", "registry.log", "first.output", "second.report"} <= set(written)
    assert all(written[f"{name}.metrics"].count("\nhaihe_") > 10 for name in PROCESSES)


def test_no_log_metric_output_or_report_holds_anybodys_id_name_phone_or_address(
    written: dict[str, str], people: People
) -> None:
    found = {name: fields for name, text in written.items() if (fields := {f for f, _ in people.found_in(text)})}
    assert found == {}


def test_nothing_came_as_far_as_the_logs_last_defence(written: dict[str, str]) -> None:
    """Which puts [id] and [phone] where somebody logged one."""
    assert [name for name, text in written.items() if "[id]" in text or "[phone]" in text] == []


@pytest.mark.parametrize("field", ["person_id", "name", "phone", "address"])
@pytest.mark.parametrize(
    "form",
    [
        lambda value: f'{{"event": "read", "value": "{value}"}}',
        lambda value: json.dumps({"value": value}),
        lambda value: json.dumps({"value": json.dumps(value)}),
        lambda value: repr(value.encode()),
        lambda value: json.dumps({"value": repr(value.encode())}),
        lambda value: quote(f"/people/{value}"),
        lambda value: f"一{value}二" if not value.isdigit() else f"9{value}9",
        lambda value: f'haihe_records_total{{chain="{value}"}} 1.0',
    ],
    ids=["text", "JSON", "JSON in JSON", "bytes", "bytes in JSON", "URL", "inside a longer word", "label"],
)
def test_the_search_finds_each_field_in_each_form(
    written: dict[str, str], residents: list[Resident], people: People, field: str, form
) -> None:
    planted = str(getattr(residents[PEOPLE // 3], field))
    haystack = written["person-0.log"]
    middle = haystack.index("\n", len(haystack) // 2)
    assert (field, planted) in people.found_in(f"{haystack[:middle]}\n{form(planted)}{haystack[middle:]}")


def test_the_search_knows_everybody(residents: list[Resident], people: People) -> None:
    assert len(people) >= 3 * PEOPLE
    for person in residents[:: PEOPLE // 50]:
        text = f"{person.person_id} {person.phone} {person.name} {person.address}"
        assert {field for field, _ in people.found_in(text)} == {"person_id", "name", "phone", "address"}


def test_a_phone_written_in_groups_is_found(residents: list[Resident], people: People) -> None:
    phone = residents[7].phone
    assert ("phone", phone) in people.found_in(f"called {phone[:3]}-{phone[3:7]}-{phone[7:]}")


def test_somebody_else_is_not_found(people: People, residents: list[Resident]) -> None:
    other = City(ROOT / "deploy/tianjin/divisions.csv").resident(len(residents))
    assert not people.found_in(f"{other.person_id} {other.phone} {other.address}")
