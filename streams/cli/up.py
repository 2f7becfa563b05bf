"""`haihe up`: the local stack as a long-running thing."""

import sys

import click
import msgspec

from streams import settings
from streams.cli.progress import progress
from streams.local.stack import Stack


@click.command(
    epilog="""\b
Examples:
  haihe up                       start what is not running, print the addresses
  haihe up --no-prometheus       Kafka and the registry only
  haihe up --json | jq -r .bootstrap_servers
""",
)
@click.option("--prometheus/--no-prometheus", default=True, help="Start Prometheus too, where it is installed.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
def command(prometheus: bool, as_json: bool) -> None:
    """Start the local stack and leave it running.

    What runs already is kept, what died is started again. Data are kept in the home directory (.haihe in the checkout,
    or HAIHE_HOME), ports too, as long as nobody else takes them.
    """
    home = settings.load(need_stack=False).home
    with progress() as say:
        stack = Stack(home, prometheus=prometheus, detach=True, usual_ports=True, say=say).start()
    if as_json:
        addresses = {
            "bootstrap_servers": stack.bootstrap_servers,
            "registry_url": stack.registry_url,
            "prometheus_url": stack.prometheus_url,
            "home": str(home),
            "started": stack.started,
        }
        click.echo(msgspec.json.encode(addresses))
        return
    if not stack.started:
        click.echo("already running:")
    prometheus_says = stack.prometheus_url or ("not installed" if prometheus else "not asked for")
    click.echo(f"Kafka       {stack.bootstrap_servers}")
    click.echo(f"registry    {stack.registry_url}")
    click.echo(f"Prometheus  {prometheus_says}")
    if sys.stdout.isatty():
        click.echo(f"\nData and logs are in {home}. Stop with `haihe down`, look with `haihe status`.")
