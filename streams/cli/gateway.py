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
"""File in HAIHE_HOME with the keys that sign tokens; every gateway of a city needs the same."""

VIEW = "to.jinzhitong.grid.alert.changed"
"""What the grid app is granted: the view of grid.alert.changed that the gateway pushes."""


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  haihe gateway --port 8080 --demo
  haihe gateway token gw-000123
  haihe gateway rotate
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
@click.option(
    "--minutes",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0, 30, min_open=True),
    help="How long it is valid; a stream ends with the token that opened it.",
)
@click.option(
    "--session-hours",
    default=12.0,
    show_default=True,
    type=click.FloatRange(0, 24, min_open=True),
    help="How long it can be renewed; it is never valid for longer.",
)
def token(addressee: str, minutes: float, session_hours: float) -> None:
    """Print a token for a grid worker (gw-000123) or a desk (desk-120101001).

    \b
    Use it as:  curl -N -H "Authorization: Bearer TOKEN" http://HOST:PORT/grid-workers/gw-000123/alerts
    Renew it:   curl -X POST -H "Authorization: Bearer TOKEN" http://HOST:PORT/token
    """
    from connectors.gateway.keys import Keys

    now = time.time()
    keys = Keys.load(load(need_stack=False).home / SECRET)
    click.echo(keys.sign(addressee, now, now + session_hours * 3600, minutes * 60))


@command.command()
@click.option("--revoke", is_flag=True, help="A key was stolen: every token so far ends, everybody logs in again.")
def rotate(revoke: bool) -> None:
    """Add a key that signs tokens; the former ones verify until what they signed is over.

    The new key begins to sign in five minutes: by then bring the file to every gateway, which reads it by itself. With
    --revoke it begins at once and is the only one; streams that are open then end within half an hour.
    """
    from connectors.gateway.keys import rotate

    path = load(need_stack=False).home / SECRET
    begins = rotate(path, time.time(), revoke)
    when = time.strftime("%H:%M:%S", time.localtime(begins))
    click.echo(f"{path}: the only key from now on" if revoke else f"{path}: a new key, which signs from {when}")


def _run(settings: Settings, topic: str, listen: "Listen") -> None:
    from connectors.gateway.alert import Decoder
    from connectors.gateway.keys import Keys
    from connectors.gateway.receipts import EVENT, TOPIC
    from connectors.gateway.serve import Bus, serve
    from connectors.topic import TopicSource
    from streams.contract.contracts import load_contracts
    from streams.contract.division import Divisions
    from streams.contract.released import Released
    from streams.engine.publisher import TopicPublisher
    from streams.engine.record import Record
    from streams.engine.table import Follower

    divisions = Divisions.load(settings.deploy / "divisions.csv")
    released = Released(load_contracts(settings.schemas), divisions)

    def release(record: Record) -> None:
        released.apply((record.key or b"").decode("utf-8", "replace"), record.value)

    keys = Keys.load(settings.home / SECRET)
    kafka = settings.bootstrap_servers
    with Follower(kafka, "bus.policy", release) as policy, TopicPublisher(kafka, TOPIC, "haihe-gateway") as publisher:
        released.latest(EVENT)  # without it no receipt could be taken: said now, not to a grid worker
        decoder = Decoder(lambda schema_id: released.find(schema_id, topic), policy.sync)
        source = TopicSource(kafka, topic, "haihe-gateway")
        bus = Bus(source, decoder, publisher, lambda: released.latest(EVENT), divisions)
        asyncio.run(serve(bus, keys, listen, time.time))
