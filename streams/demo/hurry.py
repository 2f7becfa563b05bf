"""The city's declarations for a demo: the real ones, with the duty policy's periods shortened by one factor, so that
what takes hours in the city can be seen in a minute. No clock is touched.
"""

import shutil
from pathlib import Path

from msgspec.structs import replace

from streams.flows.duty_policy import DutyPolicy, dump, faster, load
from streams.settings import Settings

FACTOR = 30
"""10 s instead of 5 minutes to look at an alert, 4 minutes instead of 2 hours to act."""

DIRECTORY, POLICY = "demo-deploy", "alert-duty-policy.yaml"


def hurried(settings: Settings) -> tuple[Settings, DutyPolicy]:
    """`settings` with declarations in the home that everything of the demo reads, and the policy among them. Raises
    ConfigError when the real policy is not what it must be."""
    directory = settings.home / DIRECTORY
    policy = faster(load(settings.deploy / POLICY), FACTOR)
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(settings.deploy, directory)
    write(directory / POLICY, policy)
    return replace(settings, deploy=directory), policy


def write(path: Path, policy: DutyPolicy) -> None:
    """The policy as a declaration, saying where it comes from."""
    path.write_text(f"# Made by the demo: {POLICY} with every period divided by {FACTOR}.\n{dump(policy)}", "utf-8")
