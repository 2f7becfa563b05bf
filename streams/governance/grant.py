"""A grant: which fields of which event type a subscriber receives, how masked, for what purpose, approved by whom.

Grants are data (deploy/tianjin/grants.yaml), read strictly; view.py compiles one into the view it gives.
"""

import datetime
import re
from pathlib import Path

import msgspec

from streams.declaration import strict_yaml
from streams.errors import ConfigError
from streams.governance.mask import MaskName

_SUBSCRIBER = re.compile(r"[a-z][a-z0-9-]*")
"""No dot: Kafka ACLs are prefixes that end in one, `to.<subscriber>.`."""

CHINA = datetime.timezone(datetime.timedelta(hours=8), "Asia/Shanghai")
"""Days of a grant are days in China, which has one time zone and no summer time."""


class FieldGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one field is given. A personal or sensitive field needs a mask, or `clear: true` with the purpose for which
    nothing less will do."""

    mask: MaskName = "keep"
    clear: bool = False
    purpose: str = ""


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who approved a grant, its first and its last day. (`on` would be a boolean to YAML 1.1.)"""

    by: str
    since: datetime.date
    until: datetime.date


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One subscriber's right to one event type."""

    subscriber: str
    event_type: str = msgspec.field(name="event")
    purpose: str
    fields: dict[str, FieldGrant]
    approval: Approval | None = None

    @property
    def name(self) -> str:
        """The topic of its view."""
        return f"to.{self.subscriber}.{self.event_type}"

    @property
    def ends_ms(self) -> int | None:
        """End of the last approved day, in ms since 1970 UTC; None for a grant that needs no approval."""
        if self.approval is None:
            return None
        after = self.approval.until + datetime.timedelta(days=1)
        return int(datetime.datetime.combine(after, datetime.time(), CHINA).timestamp() * 1000)


class _Grants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    grants: tuple[Grant, ...]


def load_grants(path: Path) -> tuple[Grant, ...]:
    """Read and check a file of grants. Raises ConfigError naming the file, the grant and what is wrong with it."""
    grants = strict_yaml(path, _Grants).grants
    seen: set[str] = set()
    for grant in grants:
        if not _SUBSCRIBER.fullmatch(grant.subscriber):
            raise ConfigError(f"{path}: subscriber {grant.subscriber!r} must be lower case letters, digits and dashes")
        if grant.name in seen:
            raise ConfigError(f"{path}: {grant.name} is granted twice")
        seen.add(grant.name)
        if not grant.purpose.strip():
            raise ConfigError(f"{path}: {grant.name} has no purpose")
        if grant.approval is not None and grant.approval.until < grant.approval.since:
            raise ConfigError(f"{path}: {grant.name} ends before the day it begins")
    return grants
