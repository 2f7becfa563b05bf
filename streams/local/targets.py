"""`<home>/targets.json`: which processes of the bus Prometheus scrapes, in its file_sd format. Whoever starts a process
adds it with the port it serves /metrics on, whoever stops it removes it.

A process that is to outlive its launcher is added with its pid, so that `haihe down` can stop it. The pid is in labels
that begin with two underscores, which Prometheus drops.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from streams.local.process import Child, start_time, stop

_Targets = list[dict[str, Any]]
_PID, _STARTED = "__haihe_pid", "__haihe_started"


def path(home: Path) -> Path:
    """The file Prometheus watches."""
    return home / "targets.json"


def add(home: Path, process: str, port: int, pid: int | None = None) -> None:
    """`process` (for example `person-0`) serves /metrics on this port of this machine from now on."""
    labels = {"process": process}
    if pid is not None:
        labels |= {_PID: str(pid), _STARTED: str(start_time(pid) or 0)}
    entry = {"targets": [f"127.0.0.1:{port}"], "labels": labels}
    _change(home, lambda entries: [*_without(entries, process), entry])


def remove(home: Path, process: str) -> None:
    """`process` is gone; nothing happens when it was not listed."""
    _change(home, lambda entries: _without(entries, process))


def ports(home: Path) -> dict[str, int]:
    """Process name to metrics port, of all that are listed."""
    return {entry["labels"]["process"]: int(entry["targets"][0].rpartition(":")[2]) for entry in _read(home)}


def stop_all(home: Path) -> list[str]:
    """Stop every listed process that still is the one that was added, and take it off the list; returns their names.
    One that was added without its pid stays listed."""
    children = [(entry["labels"]["process"], _child(entry)) for entry in _read(home)]
    stopped = []
    for name, child in children:
        if child is None:
            continue
        if child.alive:
            stop(child)
            stopped.append(name)
        remove(home, name)
    return stopped


def _child(entry: dict[str, Any]) -> Child | None:
    labels = entry["labels"]
    return Child(int(labels[_PID]), int(labels[_STARTED]), 0, "") if _PID in labels else None


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
