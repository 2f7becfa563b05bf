"""`haihe worker`: one slot of one chain, in the foreground."""

from pathlib import Path

import click

from streams.errors import UserError
from streams.observe import log
from streams.observe.health import HealthServer
from streams.settings import load


@click.command(
    epilog="""\b
Examples:
  haihe worker --chain intake --slot 0
  haihe worker --chain person --slot 1 --port 9101
"""
)
@click.option("--chain", required=True, help="Chain of deploy/tianjin/layout.yaml, or intake.")
@click.option("--slot", required=True, type=click.IntRange(0), help="Which worker of the chain this is, from 0.")
@click.option("--port", default=0, show_default="a free one", help="Port of /metrics, /healthz and /readyz.")
@click.option(
    "--port-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the port here once it listens."
)
def command(chain: str, slot: int, port: int, port_file: Path | None) -> None:
    """Run one slot of a chain until it is told to stop.

    A slot runs once: a second start fences the first, which exits. Exit code 70 means that only a restart can help:
    nothing was acknowledged, and whoever supervises the slot starts it again.
    """
    from streams.chains.worker import run_worker

    settings = load()
    log.configure(settings.log_format, chain=chain, slot=slot)
    try:
        health = HealthServer(port)
    except OSError as error:
        raise UserError(f"cannot listen on port {port}: {(error.strerror or 'it is taken').lower()}") from None
    health.start()
    if port_file is not None:
        port_file.write_text(f"{health.port}\n")
    raise SystemExit(run_worker(settings, chain, slot, health))
