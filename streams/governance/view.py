"""A view: the filtered, masked copy of an event that a grant gives its subscriber. Compiled once, applied per event.

It fails closed: a grant that is not in order does not compile, and an event that cannot be masked is withheld.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from streams.declaration import suggestion
from streams.errors import ConfigError
from streams.governance import mask
from streams.governance.grant import FieldGrant, Grant, load_grants
from streams.governance.secret import load_secret
from streams.governance.view_schema import METADATA, Schema, view_schema

_PERSONAL = {"personal", "sensitive"}


class Withheld(Exception):
    """An event that a view does not give. `reason` is a short fixed word, a metric label."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source(Protocol):
    """What a view needs to know of a contract (streams.contract.contracts.Contract is one)."""

    @property
    def event_type(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def sharing(self) -> str: ...
    @property
    def sensitivity(self) -> Mapping[str, str]: ...
    @property
    def versions(self) -> Mapping[int, Schema]: ...


class View:
    """What one subscriber receives of one event type.

    name        its topic, `to.<subscriber>.<event type>`
    source      the event type
    schema      Avro: the metadata fields as they are, every granted field nullable with default null, so that one that
                is withdrawn is written as null and readers go on
    """

    def __init__(
        self,
        grant: Grant,
        schema: Schema,
        fields: Mapping[str, Callable[[str], str] | None],
        key_field: str,
        key_mask: Callable[[str], str] | None,
    ) -> None:
        self.name, self.source, self.subscriber = grant.name, grant.event_type, grant.subscriber
        self.schema = schema
        self._kept = tuple(name for name, masked in fields.items() if masked is None)
        self._masked = tuple((name, masked) for name, masked in fields.items() if masked is not None)
        self._key_field, self._key_mask = key_field, key_mask
        self._ends_ms = grant.ends_ms

    def apply(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The view of `event` (as decoded by the latest version: timestamps in ms, enums as text).

        Raises Withheld: `expired` when the event occurred after the last approved day (by its own time, so that a
        replay gives the same), `missing` when a field is not there at all, `unmaskable` when a masked one is not text.
        """
        if self._ends_ms is not None and event.get("occurred_at", self._ends_ms) >= self._ends_ms:
            raise Withheld("expired")
        try:
            seen = {name: event[name] for name in self._kept}
            for name, apply in self._masked:
                value = event[name]
                if value is not None and not isinstance(value, str):
                    raise Withheld("unmaskable")
                seen[name] = None if value is None else apply(value)
        except KeyError:
            raise Withheld("missing") from None
        return seen

    def key(self, event: Mapping[str, Any]) -> str:
        """The record key: the event's own, or its pseudonym for this subscriber when the key field is personal.

        Raises Withheld (`missing`) when the event has none.
        """
        value = event.get(self._key_field)
        if not isinstance(value, str):
            raise Withheld("missing")
        return value if self._key_mask is None else self._key_mask(value)


def load_views(grants: Path, secret: Path, contracts: Mapping[str, Source]) -> list[View]:
    """The views of a file of grants, with the secret of `secret` (made if it is not there). Raises ConfigError."""
    return compile_views(load_grants(grants), contracts, load_secret(secret))


def compile_views(grants: Iterable[Grant], contracts: Mapping[str, Source], secret: bytes) -> list[View]:
    """All views of these grants. `secret` keys the pseudonyms (secret.load_secret). Raises ConfigError, naming the
    grant, also for an event type without a contract."""
    views = []
    for grant in grants:
        if grant.event_type not in contracts:
            hint = suggestion(grant.event_type, tuple(contracts))
            raise ConfigError(f"grant {grant.name}: there is no event type {grant.event_type}{hint}")
        views.append(compile_view(grant, contracts[grant.event_type], secret))
    return views


def compile_view(grant: Grant, contract: Source, secret: bytes) -> View:
    """The view that `grant` gives of the latest version of `contract`.

    Raises ConfigError naming the grant and the field: a field that does not exist, a personal one that is neither
    masked nor clear with a purpose, a mask for something that is not text; data whose sharing class is `withheld`, or
    `conditional` without approval.
    """
    _check_sharing(grant, contract)
    source = contract.versions[max(contract.versions)]
    types = {field["name"]: field for field in source["fields"]}
    pseudonym = mask.pseudonym(secret, grant.subscriber)
    masks: dict[str, mask.MaskName] = dict.fromkeys(METADATA, "keep")
    for name, given in grant.fields.items():
        if name not in types:
            hint = suggestion(name, tuple(types))
            raise ConfigError(f"grant {grant.name}: {grant.event_type} has no field {name}{hint}")
        _check_field(grant, name, given, contract.sensitivity.get(name, "sensitive"))
        if given.mask != "keep" and not _is_text(types[name]["type"]):
            raise ConfigError(f"grant {grant.name}: field {name} is not text, mask {given.mask} cannot cover it")
        masks[name] = given.mask
    functions = {"keep": None, "pseudonym": pseudonym, **mask.PLAIN}
    return View(
        grant,
        view_schema(grant, source, masks),
        # In the order of the source's fields.
        {name: functions[masks[name]] for name in types if name in masks},
        contract.key,
        pseudonym if contract.sensitivity.get(contract.key, "sensitive") in _PERSONAL else None,
    )


def _check_sharing(grant: Grant, contract: Source) -> None:
    if contract.sharing == "withheld":
        raise ConfigError(f"grant {grant.name}: {grant.event_type} is withheld (不予共享) and cannot be granted")
    if contract.sharing != "unconditional" and grant.approval is None:
        raise ConfigError(
            f"grant {grant.name}: {grant.event_type} is shared conditionally (有条件共享) and needs an approval"
        )


def _check_field(grant: Grant, name: str, given: FieldGrant, sensitivity: str) -> None:
    if given.clear and given.mask != "keep":
        raise ConfigError(f"grant {grant.name}: field {name} cannot be clear and masked ({given.mask})")
    if given.clear and not given.purpose.strip():
        raise ConfigError(f"grant {grant.name}: field {name} is given in clear text without a purpose")
    if sensitivity in _PERSONAL and given.mask == "keep" and not given.clear:
        raise ConfigError(
            f"grant {grant.name}: field {name} is {sensitivity} and needs a mask, or `clear: true` with a purpose"
        )


def _is_text(type_: Any) -> bool:
    branches = [branch for branch in (type_ if isinstance(type_, list) else [type_]) if branch != "null"]
    return all(branch == "string" or (isinstance(branch, dict) and branch["type"] == "string") for branch in branches)
