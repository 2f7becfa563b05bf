"""A token opens one addressee's stream until it is over, and nothing else does."""

from pathlib import Path

import pytest

from connectors.gateway.token import load_secret, sign, verify
from streams.errors import ConfigError, UserError

SECRET = b"k" * 32


def test_a_token_names_its_subject_until_it_expires() -> None:
    token = sign(SECRET, "gw-000123", 1000)
    assert verify(SECRET, token, 999.9) == "gw-000123"
    assert verify(SECRET, token, 1000) is None


def test_desks_have_tokens_too() -> None:
    for desk in ("desk-12", "desk-120101", "desk-120101001"):
        assert verify(SECRET, sign(SECRET, desk, 10), 0) == desk


@pytest.mark.parametrize("subject", ["gw-123", "desk-1", "gw-000123 ", "", "gw-000123.9", "张三"])
def test_only_an_addressee_gets_a_token(subject: str) -> None:
    with pytest.raises(UserError):
        sign(SECRET, subject, 1000)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("gw-000123", "gw-000124"),
        lambda t: t.replace(".1000.", ".9999."),
        lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"),
        lambda t: t + "\n",
        lambda t: t.rsplit(".", 1)[0],
        lambda t: "",
        lambda t: "\ud800" + t,
    ],
)
def test_a_token_that_was_touched_is_no_token(change: object) -> None:
    assert callable(change)
    assert verify(SECRET, change(sign(SECRET, "gw-000123", 1000)), 0) is None


def test_another_secret_signs_other_tokens() -> None:
    assert verify(b"x" * 32, sign(SECRET, "gw-000123", 1000), 0) is None


def test_the_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "token-secret"
    first = load_secret(path)
    assert len(first) >= 32
    assert load_secret(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["token-secret"]


def test_a_secret_that_others_may_read_or_that_is_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token-secret"
    load_secret(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        load_secret(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(ConfigError, match="too short"):
        load_secret(path)
