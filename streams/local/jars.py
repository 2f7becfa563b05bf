"""Fetches what the local stack runs (Kafka and the registry, from deploy/local/pom.xml) with Maven, once per user.

The cache directory is named after the pom's digest, so that a fresh clone starts at once and a changed version is a new
directory. It is filled beside its final name and renamed, so a broken download is never taken for a whole one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from streams.errors import HaiheError, SystemFailure, UserError
from streams.settings import ROOT

POM = ROOT / "deploy" / "local" / "pom.xml"
INSTALL = "`apt-get install openjdk-17-jre-headless maven` (or your system's Java 17 and Maven)"
JAVA_ENV = {"LC_ALL": "C.UTF-8"}
"""Java takes file names in the locale's encoding, and would not find a Chinese one under the C locale."""


def java(env: Mapping[str, str] = os.environ) -> str:
    """Path of the `java` to run. Raises UserError that says what to install."""
    home = env.get("JAVA_HOME", "")
    found = shutil.which(f"{home}/bin/java") if home else None
    found = found or shutil.which("java", path=env.get("PATH"))
    if not found:
        raise UserError(f"`java` is not installed and the local Kafka needs it: {INSTALL}")
    return found


def cache_directory(env: Mapping[str, str] = os.environ, pom: Path = POM) -> Path:
    """Where the jars of this pom belong, whether they are there or not."""
    base = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "haihe" / hashlib.sha256(pom.read_bytes()).hexdigest()[:12]


def fetch(say: Callable[[str], None] = lambda text: None, env: Mapping[str, str] = os.environ, pom: Path = POM) -> Path:
    """The directory with `kafka/*.jar` and `registry/*-runner.jar`, downloaded if need be; `say` is told before a
    download. Raises UserError when Maven is missing, SystemFailure when it fails."""
    java(env)
    directory = cache_directory(env, pom)
    if directory.is_dir():
        return directory
    maven = shutil.which("mvn", path=env.get("PATH"))
    if not maven:
        raise UserError(f"`mvn` is not installed and fetches the local Kafka and registry: {INSTALL}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two starts at once: the second waits for the first one's download
        if directory.is_dir():
            return directory
        say("fetching Kafka and the registry with Maven (170 MB, once)")
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix="incomplete-") as target:
            _run_maven(maven, pom, Path(target), env)
            Path(target).chmod(0o755)
            (Path(target) / "content").rename(directory)
    return directory


def _run_maven(maven: str, pom: Path, target: Path, env: Mapping[str, str]) -> None:
    goals = ["dependency:copy-dependencies@kafka", "dependency:unpack@registry"]
    content = target / "content"
    done = subprocess.run(
        [maven, "-B", "-q", "-f", str(pom), f"-Dhaihe.target={content}", *goals],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**env, **JAVA_ENV},
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if "[ERROR]" in line]
        first = errors[0].partition("[ERROR]")[2].strip() if errors else done.stdout.strip()[-300:]
        raise SystemFailure(f"Maven could not fetch Kafka and the registry (is this machine online?): {first}")
    if not list(content.glob("kafka/kafka_*.jar")) or not list(content.glob("registry/*-runner.jar")):
        raise SystemFailure(f"Maven fetched no Kafka or no registry: check {pom}")


if __name__ == "__main__":
    # What `make setup` runs, so that the first start needs no download.
    try:
        fetch(lambda text: print(text, file=sys.stderr))  # noqa: T201  # a progress line of a program of its own
    except HaiheError as error:
        sys.exit(f"haihe: {error}")
