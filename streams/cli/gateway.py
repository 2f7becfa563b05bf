"""`haihe gateway`: the push gateway in the foreground, and the tokens that open it."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.observe import log
from streams.settings import Settings, load

if TYPE_CHECKING:
    from connectors.gateway.serve import Listen

SECRET = "token-secret"
"""File in HAIHE_HOME with the key that signs tokens; every gateway of a city needs the same."""

VIEW = "to.jinzhitong.grid.alert.changed"
"""What the grid app is granted: the view of grid.alert.changed that the gateway pushes."""


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  haihe gateway --port 8080 --demo
  haihe gateway token gw-000123
""",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default="a free one", help="Port of the streams, the page and /metrics.")
@click.option(
    "--port-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the port here once it listens."
)
@click.option("--demo", is_flag=True, help="Open /login-stub, which lets anybody in as anybody. Never in production.")
@click.option("--topic", default=VIEW, show_default=True, help="View to push.")
@click.pass_context
def command(context: click.Context, host: str, port: int, port_file: Path | None, demo: bool, topic: str) -> None:
    """Push alerts to grid workers and desks by server-sent events until told to stop.

    Ready (/readyz) when it has read the view from its beginning. Exit code 70 means that only a restart can help;
    clients resume where they stopped.
    """
    if context.invoked_subcommand is not None:
        return
    from connectors.gateway.serve import Listen

    settings = load()
    log.configure(settings.log_format, process="gateway")
    _run(settings, topic, Listen(host, port, port_file, demo))


@command.command()
@click.argument("addressee")
@click.option("--hours", default=12.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Valid for.")
def token(addressee: str, hours: float) -> None:
    """Print a token for a grid worker (gw-000123) or a desk (desk-120101001).

    Use it as: curl -N -H "Authorization: Bearer TOKEN" http://HOST:PORT/grid-workers/gw-000123/alerts
    """
    from connectors.gateway.token import load_secret, sign

    secret = load_secret(load(need_stack=False).home / SECRET)
    click.echo(sign(secret, addressee, int(time.time() + hours * 3600)))


def _run(settings: Settings, topic: str, listen: "Listen") -> None:
    from connectors.gateway.alert import Decoder
    from connectors.gateway.serve import serve
    from connectors.gateway.token import load_secret
    from connectors.topic import TopicSource
    from streams.contract.contracts import load_contracts
    from streams.contract.division import Divisions
    from streams.contract.released import Released
    from streams.engine.record import Record
    from streams.engine.table import Follower

    released = Released(load_contracts(settings.schemas), Divisions.load(settings.deploy / "divisions.csv"))

    def release(record: Record) -> None:
        released.apply((record.key or b"").decode("utf-8", "replace"), record.value)

    secret = load_secret(settings.home / SECRET)
    with Follower(settings.bootstrap_servers, "bus.policy", release) as policy:
        decoder = Decoder(lambda schema_id: released.find(schema_id, topic), policy.sync)
        source = TopicSource(settings.bootstrap_servers, topic, "haihe-gateway")
        asyncio.run(serve(source, decoder, secret, listen, time.time))
