"""One worker process: puts a chain of the layout together from flows, grants, contracts and tables, and runs it."""

import threading
from collections.abc import Callable
from typing import Any

import structlog

from streams.chains.audited import Audit
from streams.chains.chain import Chain, Schemas, inputs_of
from streams.chains.intake import FLOW as INTAKE
from streams.chains.intake import Intake
from streams.chains.layout import AUDIT, ChainLayout, Layout, changelog, load_layout
from streams.chains.ledger import Ledger
from streams.chains.policy import RETRY_SECONDS, Policy, stop_process
from streams.chains.resolver import Resolver
from streams.contract.contracts import Contract, load_contracts
from streams.contract.registry import Registry, RegistryAway
from streams.contract.wire import schema_id
from streams.engine.admin import Admin
from streams.engine.app import Parts, WorkerSpec, work
from streams.engine.handler import Handler
from streams.engine.table import GlobalTable
from streams.errors import ConfigError, Rejection, UserError
from streams.flows import alert_duty, grid_alert, health_code
from streams.flows.duty_policy import load as load_duty
from streams.flows.flow import Flow
from streams.flows.policy import load as load_policy
from streams.governance.secret import PSEUDONYMS
from streams.governance.view import load_views
from streams.observe.health import Health
from streams.settings import Settings

log = structlog.get_logger(__name__)

FLOWS: dict[str, Callable[[Settings], Flow[Any]]] = {
    "health-code": lambda settings: health_code.make(load_policy(settings.deploy / "health-code-policy.yaml")),
    "grid-alert": lambda settings: grid_alert.make(load_duty(settings.deploy / "alert-duty-policy.yaml")),
    "alert-duty": lambda settings: alert_duty.make(load_duty(settings.deploy / "alert-duty-policy.yaml")),
}
"""Every stateful flow by its name in the layout."""


def run_worker(settings: Settings, chain: str, slot: int, health: Health) -> int:
    """Run one slot of a chain until it is told to stop; the exit code. Raises UserError for an unknown chain,
    ConfigError for a layout that the cluster's topics do not match, SystemFailure when the broker is away."""
    layout = load_layout(settings.deploy / "layout.yaml")
    contracts = load_contracts(settings.schemas)
    if chain == INTAKE:
        return _run_intake(settings, layout, contracts, slot, health)
    if chain not in layout.chains:
        raise UserError(f"there is no chain {chain!r}: the layout has {', '.join([INTAKE, *layout.chains])}")
    return _run_chain(settings, layout, contracts, chain, slot, health)


def _run_intake(
    settings: Settings, layout: Layout, contracts: dict[str, Contract], slot: int, health: Health
) -> int:  # fmt: skip
    inputs = tuple(layout.inputs())
    outputs = {event for events in layout.publishers.values() for event in events}
    _check_topics(settings, {*inputs, *outputs, *(f"dead.{topic}" for topic in inputs), AUDIT}, {})
    policy = Policy(settings, contracts).start()
    policy.wait_for(outputs | {AUDIT})
    registry = Registry(settings.registry_url)
    threading.Thread(target=_greet, args=(registry,), name="registry", daemon=True).start()

    def build(parts: Parts) -> Handler:
        resolver = Resolver(policy.released, policy.follower, registry)
        audit = Audit(policy.released.latest(AUDIT), policy.version)
        return Intake(parts.produce, resolver, Ledger(INTAKE, slot), audit, health)

    return work(WorkerSpec(settings.bootstrap_servers, INTAKE, slot, inputs), build)


def _run_chain(
    settings: Settings, layout: Layout, contracts: dict[str, Contract], chain: str, slot: int, health: Health
) -> int:
    declared = layout.chains[chain]
    flows = [_flow(name, chain, settings) for name in declared.flows]
    outputs = {topic for flow in flows for topic in flow.writes}
    inputs = inputs_of(flows)
    granted = load_views(settings.deploy / "grants.yaml", settings.home / PSEUDONYMS, contracts)
    views = [view for view in granted if view.source in outputs]
    _check_tables(chain, flows, declared)
    in_step = (*inputs, *declared.partitioned_tables, changelog(chain))
    copartitioned = dict.fromkeys(in_step, layout.groups[declared.group])
    read = {topic for flow in flows for topic in flow.reads}
    destinations = {*outputs, *(v.name for v in views), *(f"dead.{topic}" for topic in read), AUDIT}
    _check_topics(settings, destinations | set(declared.global_tables), copartitioned)
    policy = Policy(settings, contracts).start()
    policy.remember(chain, declared, layout.groups[declared.group], inputs)
    policy.wait_for({*inputs, *outputs, AUDIT, *declared.tables}, views)
    resolver = Resolver(policy.released, policy.follower, Registry(settings.registry_url))
    tables = {
        topic: GlobalTable(settings.bootstrap_servers, topic, _row(policy, topic), stop_process).start()
        for topic in declared.global_tables
    }

    def build(parts: Parts) -> Handler:
        audit = Audit(policy.released.latest(AUDIT), policy.version)
        schemas = Schemas(resolver.find, policy.released.latest, resolver.new_batch)
        return Chain(flows, views, schemas, tables, parts, Ledger(chain, slot), audit, health)

    spec = WorkerSpec(
        settings.bootstrap_servers, chain, slot, inputs, changelog(chain), declared.partitioned_tables, max_batch=1000
    )
    return work(spec, build)


def _flow(name: str, chain: str, settings: Settings) -> Flow[Any]:
    if name not in FLOWS:
        raise ConfigError(f"chain {chain} names the flow {name!r}: there are {', '.join(FLOWS)}")
    return FLOWS[name](settings)


def _check_tables(chain: str, flows: list[Flow[Any]], declared: ChainLayout) -> None:
    missing = {t for flow in flows for t in flow.tables} - {*declared.partitioned_tables, *declared.global_tables}
    if missing:
        raise ConfigError(f"chain {chain} joins {', '.join(sorted(missing))}, which its layout does not declare")


def _check_topics(settings: Settings, destinations: set[str], copartitioned: dict[str, int]) -> None:
    """An unknown destination would only be noticed after 30 s, and a wrong count would split a key's state."""
    existing = Admin(settings.bootstrap_servers).topics()
    missing = sorted((destinations | set(copartitioned)) - set(existing))
    if missing:
        raise ConfigError(f"{len(missing)} topics are missing, {missing[0]} for one: run `haihe topics create`")
    for topic, partitions in copartitioned.items():
        if existing[topic] != partitions:
            raise ConfigError(
                f"{topic} has {existing[topic]} partitions and its group {partitions}: keys would be split"
            )


def _row(policy: Policy, topic: str) -> Callable[[bytes], dict[str, Any]]:
    def decode(value: bytes) -> dict[str, Any]:
        identity = schema_id(value)
        if isinstance(identity, Rejection):
            raise ValueError(identity.reason)
        version = policy.released.find(identity, topic)
        if version is None:  # released a moment ago, perhaps: ask bus.policy before a row is left out
            policy.follower.sync()
            version = policy.released.find(identity, topic)
        if version is None:
            raise ValueError("unknown schema id")
        return version.decode(value)

    return decode


def _greet(registry: Registry) -> None:
    """Say whether the registry is there; the bus goes on without it, on what bus.policy has released."""
    told = False
    while True:
        try:
            registry.ping()
        except RegistryAway as exc:
            if not told:
                log.warning("known schemas are used meanwhile, records with unknown ones wait", reason=str(exc))
                told = True
            threading.Event().wait(RETRY_SECONDS)
        else:
            log.info("the registry answers")
            return
