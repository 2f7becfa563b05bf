"""A token opens things for its addressee until it is over, and nothing else does; keys change and nobody notices."""

import hashlib
import hmac
import multiprocessing
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.gateway.keys import LIFE_S, MAX_SESSION_S, SESSION_S, SPREAD_S, Claim, Key, Keys, rotate
from streams.errors import ConfigError, UserError

KEYS = Keys([Key(b"k" * 32)])
HOUR = 3600
NOW = 1_800_000_000.0


def test_a_token_names_its_subject_until_it_expires() -> None:
    token = KEYS.sign("gw-000123", 1000)
    claim = Claim("gw-000123", 1000 + LIFE_S, 1000 + SESSION_S)
    assert KEYS.verify(token, 1000 + LIFE_S - 0.1) == claim
    assert KEYS.verify(token, 1000 + LIFE_S) is None


def test_a_token_that_is_over_can_be_renewed_until_its_session_is_over() -> None:
    token = KEYS.sign("gw-000123", 1000, session_until=1000 + 2 * HOUR)
    assert KEYS.renewable(token, 1000 + 2 * HOUR - 0.1) == Claim("gw-000123", 1000 + LIFE_S, 1000 + 2 * HOUR)
    assert KEYS.renewable(token, 1000 + 2 * HOUR) is None


def test_a_token_is_never_valid_beyond_its_session_nor_a_session_beyond_a_day() -> None:
    assert KEYS.verify(KEYS.sign("desk-12", 0, session_until=60), 0) == Claim("desk-12", 60, 60)
    long = KEYS.verify(KEYS.sign("desk-12", 0, session_until=1e9, life_s=1e9), 0)
    assert long == Claim("desk-12", MAX_SESSION_S, MAX_SESSION_S)


def test_desks_of_all_levels_have_tokens_too() -> None:
    for desk in ("desk-12", "desk-120101", "desk-120101001", "desk-120101001001"):
        claim = KEYS.verify(KEYS.sign(desk, 0), 0)
        assert claim is not None and claim.subject == desk


@pytest.mark.parametrize(
    "subject", ["gw-123", "desk-1", "desk-12010100100101", "gw-000123 ", "", "gw-000123.9", "张三"]
)
def test_only_an_addressee_gets_a_token(subject: str) -> None:
    with pytest.raises(UserError, match="addressee"):
        KEYS.sign(subject, 1000)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("gw-000123", "gw-000124"),
        lambda t: t.replace(".1800.", ".9999."),
        lambda t: t.replace(".43200.", ".99999."),
        lambda t: t.replace(".43200", ""),
        lambda t: t.replace(".1800", ""),
        lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"),
        lambda t: t + "\n",
        lambda t: t.rsplit(".", 1)[0],
        lambda t: "",
        lambda t: "\ud800" + t,
    ],
)
def test_a_token_that_was_touched_is_no_token(change: Callable[[str], str]) -> None:
    token = KEYS.sign("gw-000123", 0)
    assert change(token) != token
    assert KEYS.renewable(change(token), 0) is None


def test_another_key_signs_other_tokens() -> None:
    assert Keys([Key(b"x" * 32)]).verify(KEYS.sign("gw-000123", 0), 0) is None


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "home" / "token-secret"
    token = Keys.load(path).sign("gw-000123", NOW)
    assert Keys.load(path).verify(token, NOW)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["token-secret"]


def _sign_with(path: Path) -> str:
    return Keys.load(path).sign("gw-000123", NOW)


def test_processes_that_start_together_end_up_with_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "home" / "token-secret"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        tokens = pool.map(_sign_with, [path] * 16, chunksize=1)
    assert len(set(tokens)) == 1
    assert [p.name for p in path.parent.iterdir()] == ["token-secret"]


def test_a_file_from_before_rotation_goes_on_as_it_is_and_so_do_its_tokens(tmp_path: Path) -> None:
    """One key without a line end, and tokens without a session, as every home has them today."""
    path = tmp_path / "token-secret"
    path.touch(0o600)
    path.write_bytes(b"5d" * 32)
    mac = hmac.digest(b"5d" * 32, b"haihe/gateway/v1\ngw-000123\n%d" % (NOW + 12 * HOUR), hashlib.sha256)
    token = f"gw-000123.{NOW + 12 * HOUR:.0f}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    claim = Claim("gw-000123", int(NOW) + 12 * HOUR, int(NOW) + 12 * HOUR)
    keys = Keys.load(path)
    assert keys.verify(token, NOW) == claim
    assert path.read_bytes() == b"5d" * 32
    rotate(path, NOW)
    assert keys.verify(token, NOW + 11 * HOUR) == claim == Keys.load(path).verify(token, NOW)
    assert keys.verify(token, NOW + 12 * HOUR) is None


def test_a_new_key_signs_once_every_gateway_can_have_it(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "token-secret", tmp_path / "elsewhere"
    keys = Keys.load(path)
    shutil.copy2(path, elsewhere)
    begins = rotate(path, NOW)
    assert begins == NOW + SPREAD_S
    assert Keys.load(elsewhere).verify(keys.sign("gw-000123", begins - 1), begins - 1)
    assert Keys.load(elsewhere).verify(keys.sign("gw-000123", begins), begins) is None
    shutil.copy2(path, elsewhere)
    assert Keys.load(elsewhere).verify(keys.sign("gw-000123", begins), begins)


def test_a_running_process_takes_up_a_new_key_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "token-secret"
    running, before = Keys.load(path), Keys.load(path).sign("gw-000123", NOW)
    begins = rotate(path, NOW)
    after = Keys.load(path).sign("gw-000123", begins)
    assert running.verify(after, begins)
    assert running.verify(before, NOW)


def test_a_former_key_verifies_until_its_last_session_is_over_and_is_then_dropped(tmp_path: Path) -> None:
    path = tmp_path / "token-secret"
    keys = Keys.load(path)
    first = path.read_text()
    begins = rotate(path, NOW)
    last = keys.sign("gw-000123", begins - 1, session_until=begins - 1 + MAX_SESSION_S)
    assert keys.renewable(last, begins + MAX_SESSION_S - 2)
    rotate(path, begins + MAX_SESSION_S)
    assert first in path.read_text()
    rotate(path, begins + MAX_SESSION_S + 1)
    assert first not in path.read_text()


def test_revoking_ends_every_token_so_far_at_once(tmp_path: Path) -> None:
    path = tmp_path / "token-secret"
    keys = Keys.load(path)
    before = keys.sign("gw-000123", NOW)
    assert rotate(path, NOW, revoke=True) == NOW
    assert keys.renewable(before, NOW) is None
    assert keys.verify(keys.sign("gw-000123", NOW), NOW)


def test_a_rotation_leaves_a_file_that_only_its_owner_can_read_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "token-secret"
    rotate(path, NOW)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["token-secret"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"short",
        b"\xff" * 40,
        b"k" * 40 + b" soon",
        b"k" * 40 + b"\n" + b"l" * 40 + b"\n",
        b"k" * 40 + b"\n" + b"l" * 40 + b" 18000",
    ],
)
def test_a_damaged_file_is_refused_and_one_that_is_still_being_copied_too(content: bytes, tmp_path: Path) -> None:
    """A later key without its time, or without its line end, may be cut off."""
    path = tmp_path / "token-secret"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        Keys.load(path)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token-secret"
    Keys.load(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        Keys.load(path)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"half"), lambda path: path.unlink()])
def test_a_running_process_keeps_its_keys_when_the_file_is_damaged_or_gone(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "token-secret"
    keys = Keys.load(path)
    token, good = keys.sign("gw-000123", NOW), path.read_bytes()
    damage(path)
    assert keys.verify(token, NOW)
    path.touch(0o600)
    path.write_bytes(good)
    assert keys.verify(token, NOW)


def test_a_new_file_that_came_with_the_wrong_rights_is_read_once_they_are_mended(tmp_path: Path) -> None:
    path, brought = tmp_path / "token-secret", tmp_path / "brought"
    keys, others = Keys.load(path), Keys.load(brought)
    brought.chmod(0o644)
    brought.replace(path)
    token = others.sign("gw-000123", NOW)
    assert keys.verify(token, NOW) is None
    path.chmod(0o600)
    assert keys.verify(token, NOW)
