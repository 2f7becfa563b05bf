"""Tokens say who is asking: a grid worker or a desk, until when, signed by us. A stolen disk of tokens must be useless
after a shift, so every token expires; nothing is stored, so any gateway process can check any token.

    gw-000123.1763800000.3nUj...      addressee, expiry in seconds since 1970, base64url(HMAC-SHA256)
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from streams.errors import ConfigError, UserError

ADDRESSEE = re.compile(r"gw-[0-9]{6}|desk-(?:[0-9]{2}|[0-9]{6}|[0-9]{9})")
"""A grid worker, or the desk of the city (2 digits), a district (6) or a street (9)."""

_PURPOSE = b"haihe/gateway/v1\n"
_MIN_SECRET = 32
_TOKEN = re.compile(r"([a-z0-9-]{1,32})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


def sign(secret: bytes, subject: str, expires: int) -> str:
    """A token for `subject` (an addressee) that is valid before `expires`, in seconds since 1970.

    Raises UserError when `subject` is not an addressee.
    """
    if not ADDRESSEE.fullmatch(subject):
        raise UserError("an addressee is gw- and 6 digits, or desk- and a division code of 2, 6 or 9 digits")
    return f"{subject}.{expires}.{_mac(secret, subject, str(expires))}"


def verify(secret: bytes, token: str, now: float) -> str | None:
    """The addressee that `token` was signed for, or None when it is malformed, not ours or over. `now` in seconds."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    subject, expires, mac = match.groups()
    if not hmac.compare_digest(mac.encode(), _mac(secret, subject, expires).encode()):
        return None
    return subject if now < int(expires) else None


def load_secret(path: Path) -> bytes:
    """The key that signs tokens: the file's bytes, created (random, mode 0600) by whoever needs it first.

    Raises ConfigError when the file is too short to be a key or when others may read it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
        try:
            # Two gateways may start together: link() lets exactly one of them win, and never shows half a key.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} may be read by others: chmod 600 it, or delete it and sign new tokens")
    secret = path.read_bytes().strip()
    if len(secret) < _MIN_SECRET:
        raise ConfigError(f"{path} is too short for a key: delete it and a new one is made")
    return secret


def _mac(secret: bytes, subject: str, expires: str) -> str:
    # The purpose keeps this key's signatures from meaning anything elsewhere.
    digest = hmac.digest(secret, _PURPOSE + f"{subject}\n{expires}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
