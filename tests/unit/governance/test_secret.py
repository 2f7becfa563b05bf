"""One secret for all processes of a bus, readable by its owner alone."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams.errors import ConfigError
from streams.governance.secret import LENGTH, load_secret


def test_the_first_to_ask_makes_it_and_the_next_get_the_same(tmp_path: Path) -> None:
    path = tmp_path / "home" / "secret"
    first = load_secret(path)
    assert len(first) == LENGTH
    assert load_secret(path) == first


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    load_secret(tmp_path / "secret")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(load_secret, [tmp_path / "secret"] * 64))
    assert len(found) == 1


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    load_secret(tmp_path / "secret")
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load_secret(tmp_path / "secret")
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_secret(tmp_path / "secret")


@pytest.mark.parametrize("text", ["", "abcd", "not hexadecimal at all, but long enough to be a secret of its own"])
def test_a_damaged_secret_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="damaged") as caught:
        load_secret(path)
    assert not text or text not in str(caught.value)
