"""`<home>/targets.json`: which processes of the bus Prometheus scrapes, in its file_sd format. Whoever starts a process
adds it with the port it serves /metrics on, whoever stops it removes it."""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

_Targets = list[dict[str, Any]]


def path(home: Path) -> Path:
    """The file Prometheus watches."""
    return home / "targets.json"


def add(home: Path, process: str, port: int) -> None:
    """`process` (for example `person-0`) serves /metrics on this port of this machine from now on."""
    entry = {"targets": [f"127.0.0.1:{port}"], "labels": {"process": process}}
    _change(home, lambda entries: [*_without(entries, process), entry])


def remove(home: Path, process: str) -> None:
    """`process` is gone; nothing happens when it was not listed."""
    _change(home, lambda entries: _without(entries, process))


def ports(home: Path) -> dict[str, int]:
    """Process name to metrics port, of all that are listed."""
    return {entry["labels"]["process"]: int(entry["targets"][0].rpartition(":")[2]) for entry in _read(home)}


def _without(entries: _Targets, process: str) -> _Targets:
    return [entry for entry in entries if entry["labels"]["process"] != process]


def _change(home: Path, change: Callable[[_Targets], _Targets]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "targets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several launchers may share a home
        new = path(home).with_suffix(".new")
        new.write_bytes(msgspec.json.format(msgspec.json.encode(change(_read(home)))))
        new.replace(path(home))  # Prometheus must never read half a file


def _read(home: Path) -> _Targets:
    try:
        return msgspec.json.decode(path(home).read_bytes(), type=_Targets)
    except FileNotFoundError:
        return []
