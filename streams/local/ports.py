"""Free ports of this machine, remembered in the home: an address that was printed yesterday should be right today, and
a port that somebody else has taken meanwhile is no reason to fail."""

import socket
from pathlib import Path

import msgspec

USUAL = {"kafka": 9092, "registry": 8081, "prometheus": 9090}
"""Where a person looks first; taken when free and asked for."""


def choose(home: Path, name: str, *, usual: bool, refused: frozenset[int] = frozenset()) -> int:
    """A free port for `name`: the one it had before, else the usual one, else any. Never one in `refused`."""
    remembered = _read(home)
    wanted = [remembered.get(name)] + ([USUAL.get(name)] if usual else [])
    others = {port for other, port in remembered.items() if other != name}
    for port in wanted:
        if port and port not in refused | others and _free(port):
            break
    else:
        port = any_free(refused | others)
    (home / "ports.json").write_bytes(msgspec.json.encode({**remembered, name: port}))
    return port


def any_free(refused: frozenset[int] | set[int] = frozenset()) -> int:
    """Any port that nobody listens on at the moment."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in refused:
            return port


def _read(home: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode((home / "ports.json").read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}  # a lost memory costs a new port, nothing else


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do it: a connection of yesterday in TIME_WAIT does not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
