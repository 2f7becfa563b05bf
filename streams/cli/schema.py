"""`haihe schema`: the contracts as a person meets them, and their way into the registry and bus.policy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.errors import UserError
from streams.settings import Settings, load

if TYPE_CHECKING:
    from streams.contract.canonical import Schema
    from streams.contract.contracts import Contract
    from streams.contract.registry import RegistryLike
    from streams.contract.release import Releases
    from streams.engine.reader import Reader
    from streams.engine.writer import Writer

POLICY = "bus.policy"


@click.group(
    epilog="""\b
Examples:
  haihe schema list
  haihe schema lint
  haihe schema register --all
  haihe schema register health.test.result
"""
)
def command() -> None:
    """List, lint and register contracts (schemas/avro)."""


@command.command("list")
def list_() -> None:
    """List every event type: versions, key, sharing class, owner, publishers."""
    contracts = _contracts(load(need_stack=False))
    width = max(len(event_type) for event_type in contracts)
    click.echo(f"{'event type':<{width}}  versions  key        sharing        publishers     owner")
    for event_type, contract in contracts.items():
        versions = ",".join(map(str, contract.versions))
        publishers = ",".join(contract.publishers)
        click.echo(
            f"{event_type:<{width}}  {versions:<8}  {contract.key:<9}  {contract.sharing:<13}  {publishers:<13}  "
            f"{contract.owner} {contract.name_zh}"
        )


@command.command("lint")
def lint_() -> None:
    """Check every contract: docs, names, examples, rules, compatibility of its versions."""
    from streams.contract.division import Divisions
    from streams.contract.lint import lint

    settings = load(need_stack=False)
    contracts = _contracts(settings)
    findings = lint(contracts.values(), Divisions.load(settings.deploy / "divisions.csv"))
    for finding in findings:
        file = finding.file
        click.echo(
            f"{file.relative_to(settings.root) if file.is_relative_to(settings.root) else file}: {finding.message}"
        )
    if findings:
        raise UserError(f"{len(findings)} findings in {len(contracts)} contracts")
    click.echo(f"{len(contracts)} contracts, nothing to mend")


@command.command("register")
@click.argument("event_types", nargs=-1, metavar="[EVENT_TYPE]...")
@click.option("--all", "everything", is_flag=True, help="Every contract, and the views of every grant.")
def register(event_types: tuple[str, ...], everything: bool) -> None:
    """Register schemas and release them to the bus; what is released already is passed over.

    Each version gets a subject for the city's topic and one for the input topic of each publisher, so that the usual
    serializers find it.
    """
    from streams.contract.registry import Registry
    from streams.declaration import suggestion

    if everything == bool(event_types):
        raise UserError("say which event types to register, or --all")
    settings = load()
    contracts = _contracts(settings)
    for event_type in event_types:
        if event_type not in contracts:
            raise UserError(f"there is no contract {event_type}{suggestion(event_type, tuple(contracts))}")
    wanted = contracts if everything else {event_type: contracts[event_type] for event_type in event_types}
    with policy_topic(settings) as (reader, writer):
        views = view_schemas(settings, contracts) if everything else []
        done = register_all(Registry(settings.registry_url), writer, reader, wanted, views)
    click.echo(f"{len(done.subjects)} subjects registered, {len(done.records)} releases written to {POLICY}")


def register_all(
    registry: "RegistryLike",
    writer: "Writer",
    reader: "Reader",
    contracts: "Mapping[str, Contract]",
    views: "Sequence[tuple[str, Schema]]" = (),
) -> "Releases":
    """Register and release all versions of `contracts`, and `views` (topic, schema), which have no contract. `reader`
    reads bus.policy from its beginning; the releases are written for certain when this returns.

    Raises RegistryAway, ConfigError for a refused schema, SystemFailure when Kafka fails.
    """
    from streams.contract.release import release
    from streams.contract.released import KIND

    policy: dict[str, bytes] = {}
    for record in reader.read_to_end():
        key = (record.key or b"").decode()
        if record.value is None:
            policy.pop(key, None)
        elif key.startswith(f"{KIND}/"):
            policy[key] = record.value
    done = release(registry, contracts.values(), views, policy)
    for key, value in done.records:
        writer.write(POLICY, key, value)
    writer.flush()
    return done


@contextmanager
def policy_topic(settings: Settings) -> "Iterator[tuple[Reader, Writer]]":
    """A reader of bus.policy from its beginning and a writer. Raises UserError when the topic does not exist."""
    from streams.engine.reader import Reader
    from streams.engine.writer import Writer

    with Reader(settings.bootstrap_servers, [POLICY]) as reader, Writer(settings.bootstrap_servers) as writer:
        yield reader, writer


def view_schemas(settings: Settings, contracts: "Mapping[str, Contract]") -> "list[tuple[str, Schema]]":
    """Topic and schema of the view of every grant in deploy/<city>/grants.yaml; none when there is no such file."""
    from streams.governance.grant import load_grants
    from streams.governance.view import compile_views

    grants: Path = settings.deploy / "grants.yaml"
    if not grants.exists():
        return []
    # A view's schema does not depend on the secret that keys its pseudonyms, and nothing is masked here.
    return [(view.name, view.schema) for view in compile_views(load_grants(grants), contracts, b"schema only")]


def _contracts(settings: Settings) -> "dict[str, Contract]":
    from streams.contract.contracts import load_contracts

    return load_contracts(settings.schemas)
