"""A secret that all processes of one bus share, kept in a file that only its owner may read."""

import os
import secrets
import tempfile
from pathlib import Path

from streams.errors import ConfigError

PSEUDONYMS = "pseudonym-secret"
"""File name under the settings' home. Losing it changes every pseudonym: subscribers then see every person anew."""

LENGTH = 32


def load_secret(path: Path) -> bytes:
    """The content of `path`, made of LENGTH random bytes (as hexadecimal text, mode 0600) by whoever needs it first.

    Safe when several processes start at once: all get the same. Raises ConfigError for a file that is damaged or that
    others may read.
    """
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        _create(path)
        text = path.read_text(encoding="ascii")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} may be read by others: chmod 600 it")
    try:
        value = bytes.fromhex(text.strip())
    except ValueError:
        value = b""
    if len(value) < LENGTH:
        raise ConfigError(f"{path} is damaged: it must hold {LENGTH} bytes in hexadecimal")
    return value


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(LENGTH) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # Linking is atomic and fails when another was first: then theirs is the secret.
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink()
