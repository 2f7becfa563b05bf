"""`haihe demo`: an outbreak through the whole bus, seen live, with books that must balance."""

import click

_PLAIN_WIDTH = 150


@click.command(
    epilog="""\b
Examples:
  haihe demo                          20 s at 500 events/s, then bursts; everything is stopped at the end
  haihe demo --chaos                  the same while workers and the gateway are killed
  haihe demo --keep                   leave all running: open the grid worker's page, look at Prometheus
  haihe demo --people 2000000 --wipe  a larger city, from nothing
"""
)
@click.option("--people", default=200_000, show_default=True, type=click.IntRange(1_000), help="Residents of the city.")
@click.option(
    "--seconds", default=20, show_default=True, type=click.IntRange(3, 3600), help="Length of the steady part."
)
@click.option("--rate", default=500, show_default=True, type=click.IntRange(50, 5_000), help="Its events a second.")
@click.option("--bursts", default=4, show_default=True, type=click.IntRange(1, 100), help="Bursts after it.")
@click.option("--chaos", is_flag=True, help="Kill -9 workers and the gateway in the middle, and start them again.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end and print the addresses.")
@click.option("--wipe", is_flag=True, help="Delete the local stack's data first.")
def command(people: int, seconds: int, rate: int, bursts: int, chaos: bool, keep: bool, wipe: bool) -> int:
    """Play an outbreak: start the bus, publish, let people answer on their phones, and balance the books.

    Exit code 0 when everything that was published is accounted for and every alert arrived exactly once and climbed as
    far as people ignored it, 1 when not.
    The report is also written to demo-report.json in the home directory (.haihe, or HAIHE_HOME).
    """
    from rich.console import Console

    from streams.cli.schema import policy_topic, register_all, view_schemas
    from streams.contract.contracts import load_contracts
    from streams.contract.registry import Registry
    from streams.demo.outline import Plan
    from streams.demo.run import Options, run
    from streams.settings import Settings

    def register(settings: Settings) -> None:
        contracts = load_contracts(settings.schemas)
        with policy_topic(settings) as (reader, writer):
            views = view_schemas(settings, contracts)
            register_all(Registry(settings.registry_url), writer, reader, contracts, views)

    plan = Plan(seconds=seconds, rate=rate, bursts=bursts, chaos=chaos)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)  # a file or a pipe has no width: lines long enough for the books
    return 0 if run(Options(people, plan, keep, wipe), console, register) else 1
