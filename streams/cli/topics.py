"""`haihe topics`: which topics there are and how much they hold; `haihe topics create`: those the layout declares."""

import click
import msgspec

from streams import settings

_FOREIGN = ("kafkasql-", "registry-")
"""Topics of the registry, which stores its schemas in Kafka: none of the bus's business."""


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  haihe topics                       topic, partitions, records
  haihe topics --zone dead           only the dead letters
  haihe topics --json | jq '.[] | select(.records > 0) | .topic'
  haihe topics create                create what the layout declares and is missing
""",
)
@click.option("--zone", help="Only topics whose name begins with this part: in, health, grid, ref, to, dead, bus.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_context
def command(ctx: click.Context, zone: str | None, as_json: bool) -> None:
    """List topics with their partitions and records.

    Records are offsets between the log's start and its end: on topics written in transactions the commit markers are
    counted too, on compacted ones also what compaction has removed.
    """
    if ctx.invoked_subcommand is None:
        _list(zone, as_json)


@command.command(
    epilog="""\b
Examples:
  haihe topics create
""",
)
def create() -> None:
    """Create the topics that the city's layout, contracts and grants declare.

    Existing ones are left as they are; one with another number of partitions is an error, for its keys would move.
    """
    # Heavy, and of no use to the other commands: the engine and all of the city's declarations.
    from streams.chains.layout import load_layout, topics
    from streams.contract.contracts import load_contracts
    from streams.engine.admin import Admin
    from streams.governance.grant import load_grants

    found = settings.load()
    contracts = load_contracts(found.schemas)
    views = tuple(grant.name for grant in load_grants(found.deploy / "grants.yaml"))
    specs = topics(load_layout(found.deploy / "layout.yaml"), contracts, views)
    created = Admin(found.bootstrap_servers).create(specs)
    for name in sorted(created):
        click.echo(f"created {name}")
    click.echo(f"{len(created)} created, {len(specs) - len(created)} were there")


def _list(zone: str | None, as_json: bool) -> None:
    from streams.engine.admin import Admin

    admin = Admin(settings.load().bootstrap_servers)
    known = {
        topic: partitions
        for topic, partitions in sorted(admin.topics().items())
        if not topic.startswith(_FOREIGN) and (zone is None or topic.split(".")[0] == zone.rstrip("."))
    }
    records = dict.fromkeys(known, 0)
    starts = admin.starts(known)
    for (topic, partition), end in admin.ends(known).items():
        records[topic] += end - starts[topic, partition]
    if as_json:
        rows = [{"topic": name, "partitions": known[name], "records": records[name]} for name in known]
        click.echo(msgspec.json.encode(rows))
        return
    if not known:
        click.echo("no topics" + (f" in zone {zone}" if zone else ": create them with `haihe topics create`"))
        return
    wide = max(len(topic) for topic in known)
    click.echo(f"{'topic':<{wide}}  partitions      records")
    for topic, partitions in known.items():
        click.echo(f"{topic:<{wide}}  {partitions:>10}  {records[topic]:>11,}")
