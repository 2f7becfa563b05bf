"""`haihe down`: stops the local stack, by the pids it remembers and only if they are still the same processes."""

import click

from streams import settings
from streams.cli.progress import progress
from streams.local import targets
from streams.local.stack import Stack


@click.command(
    epilog="""\b
Examples:
  haihe down                     stop; topics, offsets and schemas are there again after `haihe up`
  haihe down --wipe              stop and forget everything
""",
)
@click.option("--wipe", is_flag=True, help="Delete Kafka's and Prometheus's data, logs and remembered ports.")
def command(wipe: bool) -> None:
    """Stop the local stack and what `haihe demo --keep` left running. Data stay unless --wipe."""
    home = settings.load(need_stack=False).home
    with progress() as say:
        stack = Stack(home, say=say)
        # Workers before Kafka: they commit what they have under way.
        stopped = targets.stop_all(home) + stack.stop()
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    left = sorted(targets.ports(home))
    if wipe:
        stack.wipe()
        click.echo(f"wiped {home}")
    elif left:
        click.echo(f"still listed as processes of the bus, stop them yourself: {', '.join(left)}")
