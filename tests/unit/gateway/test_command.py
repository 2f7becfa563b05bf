"""`haihe gateway token` and `rotate`: what a person types to get in, and to change the keys."""

import time
from pathlib import Path

import pytest

from connectors.gateway.keys import LIFE_S, Keys
from streams.cli.main import run

HOUR = 3600


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAIHE_HOME", str(tmp_path))
    return tmp_path / "token-secret"


def token(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["gateway", "token", *words]) == 0
    return capsys.readouterr().out.strip()


def test_a_token_opens_half_an_hour_of_a_session_of_twelve(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = Keys.load(home).verify(token(capsys, "desk-120101001001"), time.time())
    assert claim is not None and claim.subject == "desk-120101001001"
    assert claim.session_until - claim.expires == 11.5 * HOUR


def test_both_times_can_be_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = Keys.load(home).verify(token(capsys, "gw-000123", "--minutes", "15", "--session-hours", "2"), time.time())
    assert claim is not None and claim.session_until - claim.expires == 1.75 * HOUR


def test_no_token_is_valid_for_longer_than_a_revocation_says_that_streams_stay_open(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["gateway", "token", "gw-000123", "--minutes", str(LIFE_S / 60 + 0.1)]) == 2
    assert "0<x<=30" in capsys.readouterr().err
    assert run(["gateway", "rotate", "--help"]) == 0
    assert "within half an hour" in capsys.readouterr().out


def test_what_is_no_addressee_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gateway", "token", "gw-1"]) == 2
    assert "an addressee is gw- and 6 digits" in capsys.readouterr().err


def test_a_rotation_ends_no_token_and_says_from_when_the_new_key_signs(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = token(capsys, "gw-000123")
    assert run(["gateway", "rotate"]) == 0
    assert "a new key, which signs from" in capsys.readouterr().out
    assert Keys.load(home).verify(before, time.time())


def test_revoking_ends_them_all(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = token(capsys, "gw-000123")
    assert run(["gateway", "rotate", "--revoke"]) == 0
    assert "the only key" in capsys.readouterr().out
    assert Keys.load(home).verify(before, time.time()) is None
    assert Keys.load(home).verify(token(capsys, "gw-000123"), time.time())
