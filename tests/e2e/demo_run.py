"""One run of `haihe demo` through its real command, sized for a test, and what it leaves."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PEOPLE = 20_000
SHORT = ("--people", str(PEOPLE), "--seconds", "8", "--bursts", "1")


class Ran(NamedTuple):
    """One run of the command and what it left."""

    code: int
    output: str
    report: Mapping[str, Any]


def environment(home: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HAIHE_")}
    return clean | {"HAIHE_HOME": str(home)}


def demo(home: Path, *arguments: str) -> Ran:
    ran = subprocess.run(
        [sys.executable, "-m", "streams", "demo", *SHORT, *arguments],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    path = home / "demo-report.json"
    report = json.loads(path.read_bytes()) if path.exists() else {}
    path.unlink(missing_ok=True)
    return Ran(ran.returncode, ran.stdout + ran.stderr, report)


def living(home: Path) -> list[str]:
    """Command lines of the processes that run in `home`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            belongs = f"HAIHE_HOME={home}".encode() in (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if command and (belongs or str(home).encode() in command):
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found
