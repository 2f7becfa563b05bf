"""Tokens say who is asking: a grid worker or a desk, until when, signed by us. Nothing is stored, so any gateway
process with the same keys can check any token.

    gw-000123.1763800000.1763841400.3nUj...   subject, expires, end of the session (seconds since 1970), base64url(HMAC)
    gw-000123.1763800000.3nUj...              signed before there were sessions: its own end is its session's

A token opens things for half an hour and is renewed as long as its session lasts, also after its own end: a phone that
slept in a pocket comes back without a login. So a stolen token is worth a session, no more, and the half hour is how
long anything stays open for somebody whose key was revoked.

The file of keys, which every gateway of a city must have, holds a key a line and from when it signs (0 when not said):

    5d41402abc4b2a76b9719d911017c592...
    7d793037a0760186574b0282f2f435e7... 1763800300

The newest key that has begun signs. The ones before it still verify until every session that they opened is over.
"""

import base64
import contextlib
import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from streams.errors import ConfigError, UserError

_log = structlog.get_logger(__name__)

ADDRESSEE = re.compile(r"gw-[0-9]{6}|desk-(?:[0-9]{2}|[0-9]{6}|[0-9]{9}|[0-9]{12})")
"""A grid worker, or the desk of the city (2 digits), a district (6), a street (9) or a community (12)."""

IS_ADDRESSEE = "gw- and 6 digits, or desk- and a division code of 2, 6, 9 or 12 digits"

LIFE_S = 30 * 60
"""How long a token opens anything."""

SESSION_S = 12 * 3600
"""How long it can be renewed unless said otherwise: a shift and what goes before and after it."""

MAX_SESSION_S = 24 * 3600
"""The longest session there is, and so how long a key verifies after the next one has begun to sign."""

SPREAD_S = 300
"""How long a new key waits until it signs: by then every gateway must have the file."""

_MIN_KEY = 32
_LINE = re.compile(rf"([!-~]{{{_MIN_KEY},}})(?: ([0-9]{{1,12}}))?")
_TOKEN = re.compile(r"([a-z0-9-]{1,32})\.([0-9]{1,12})(?:\.([0-9]{1,12}))?\.([A-Za-z0-9_-]{43})")


class Claim(NamedTuple):
    """What a token says. Times in seconds since 1970."""

    subject: str
    expires: int
    session_until: int


class Key(NamedTuple):
    """A key and from when it signs, in seconds since 1970."""

    secret: bytes
    signs_from: int = 0


class Keys:
    """Signs and verifies. `now` is always the wall clock in seconds since 1970."""

    def __init__(self, keys: Sequence[Key], path: Path | None = None) -> None:
        """`keys` in the order in which they sign. With a `path`, that file is read again whenever it has changed."""
        self._keys = tuple(keys)
        self._path = path
        self._seen = None if path is None else _stamp(path)

    @classmethod
    def load(cls, path: Path) -> "Keys":
        """The keys of a file, which is made with one key (random, mode 0600) by whoever needs it first.

        Raises ConfigError when the file is damaged or when others may read it.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _draft(path, [Key(_new_key())]) as draft, contextlib.suppress(FileExistsError):
                # Two gateways may start together: link() lets exactly one of them win, and never shows half a key.
                os.link(draft, path)
        keys = cls((), path)  # its stamp is taken before the file is read: a change meanwhile shows at the first use
        keys._keys = _read(path)
        return keys

    def sign(self, subject: str, now: float, session_until: float | None = None, life_s: float = LIFE_S) -> str:
        """A token for `subject` (an addressee), valid for `life_s` seconds, but not after its session, which ends at
        `session_until` (in SESSION_S when None, in MAX_SESSION_S at the latest).

        Raises UserError when `subject` is not an addressee.
        """
        if not ADDRESSEE.fullmatch(subject):
            raise UserError(f"an addressee is {IS_ADDRESSEE}")
        until = min(now + SESSION_S if session_until is None else session_until, now + MAX_SESSION_S)
        expires, session = str(int(min(now + life_s, until))), str(int(until))
        known = self._current()
        key = next((key for key in reversed(known) if key.signs_from <= now), known[0])
        return f"{subject}.{expires}.{session}.{_mac(key, subject, expires, session)}"

    def verify(self, token: str, now: float) -> Claim | None:
        """What `token` says; None when it is malformed, not ours, or over."""
        claim = self.renewable(token, now)
        return claim if claim is not None and now < claim.expires else None

    def renewable(self, token: str, now: float) -> Claim | None:
        """As verify, also for a token that is over while its session is not."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        subject, expires, session, mac = match.groups()
        claim = Claim(subject, int(expires), int(session or expires))
        if now >= claim.session_until:
            return None
        known = _living(self._current(), now)
        right = any(hmac.compare_digest(mac.encode(), _mac(key, subject, expires, session).encode()) for key in known)
        return claim if right else None

    def _current(self) -> Sequence[Key]:
        """The keys as the file has them now. One that cannot be read changes nothing: what is open stays open."""
        if self._path is not None and (stamp := _stamp(self._path)) != self._seen:
            self._seen = stamp
            try:
                self._keys = _read(self._path)
                _log.info("the keys were read again", keys=len(self._keys))
            except ConfigError as error:
                _log.error("the keys stay as they were", reason=str(error))
        return self._keys


def rotate(path: Path, now: float, revoke: bool = False) -> int:
    """Adds a key to the file, drops those of which no session is left, and returns from when the new one signs: in
    SPREAD_S seconds. With `revoke` it is the only one and signs at once: every token so far ends.

    Raises ConfigError as Keys.load.
    """
    Keys.load(path)
    with _locked(path):
        kept = () if revoke else _living(_read(path), now)
        begins = int(now) if revoke else max(int(now) + SPREAD_S, kept[-1].signs_from)
        with _draft(path, [*kept, Key(_new_key(), begins)]) as draft:
            owner = path.stat()
            with contextlib.suppress(PermissionError):
                os.chown(draft, owner.st_uid, owner.st_gid)  # an administrator's rotation must not take the file away
            draft.replace(path)
    return begins


def _living(keys: Sequence[Key], now: float) -> Sequence[Key]:
    """Without the keys whose every session is over: the next key has been signing for longer than any lasts."""
    over = sum(1 for later in keys[1:] if later.signs_from + MAX_SESSION_S < now)
    return keys[over:]


def _read(path: Path) -> tuple[Key, ...]:
    try:
        mode, data = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise ConfigError(f"{path} may be read by others: chmod 600 it, or delete it and sign new tokens")
    lines = data.decode("ascii", "replace").splitlines()
    found = [_LINE.fullmatch(line) for line in lines]
    # A file that is still being copied must not pass for one with a shorter key or an earlier time.
    whole = len(lines) == 1 or data.endswith(b"\n")
    if not lines or not whole or any(m is None or (n and m[2] is None) for n, m in enumerate(found)):
        raise ConfigError(
            f"{path} is damaged: it holds a key a line, at least {_MIN_KEY} characters and from when it signs; "
            "bring it back, or delete it and sign new tokens"
        )
    keys = [Key(m[1].encode(), int(m[2] or 0)) for m in found if m is not None]
    return tuple(sorted(keys, key=lambda key: key.signs_from))


@contextlib.contextmanager
def _draft(path: Path, keys: Sequence[Key]) -> Iterator[Path]:
    """A finished file beside `path` that only its owner may read; gone afterwards unless it was moved."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            for secret, signs_from in keys:
                file.write(f"{secret.decode()} {signs_from}\n" if signs_from else f"{secret.decode()}\n")
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One rotation at a time. The folder is what is locked: the file itself is replaced."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Changes when the file does, or who may read it; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns, found.st_size


def _new_key() -> bytes:
    return secrets.token_hex(32).encode()


def _mac(key: Key, subject: str, expires: str, session: str | None) -> str:
    # The purpose keeps this key's signatures from meaning anything elsewhere, and one shape of token from another.
    said = f"v1\n{subject}\n{expires}" if session is None else f"v2\n{subject}\n{expires}\n{session}"
    digest = hmac.digest(key.secret, b"haihe/gateway/" + said.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
