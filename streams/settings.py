"""Where this process finds the rest of the bus: frozen settings from HAIHE_* variables and from what `haihe up` wrote.

Precedence: a HAIHE_* variable, then `<home>/stack.json` of the running local stack, then the default. A HAIHE_*
variable that does not exist is an error: a misspelt setting must not be silently the default.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from streams.declaration import suggestion
from streams.errors import ConfigError, UserError

ROOT = Path(__file__).resolve().parents[1]
"""The checkout: haihe is installed editable, its declarations live beside its code."""

VARIABLES: dict[str, str] = {
    "HAIHE_HOME": "directory of everything this checkout keeps between runs (default: .haihe in the checkout)",
    "HAIHE_BOOTSTRAP_SERVERS": "Kafka, host:port[,host:port] (default: the local stack started by `haihe up`)",
    "HAIHE_REGISTRY_URL": "schema registry, the whole Confluent-compatible base URL (default: the local stack's)",
    "HAIHE_DEPLOY": "directory of the city's declarations (default: deploy/tianjin)",
    "HAIHE_SCHEMAS": "directory of the contracts (default: schemas/avro)",
    "HAIHE_LOG_FORMAT": "auto, json or pretty (default: auto, which is pretty on a terminal)",
}
"""Every variable that haihe reads, with what it means."""

LogFormat = Literal["auto", "json", "pretty"]
_LOG_FORMATS: dict[str, LogFormat] = {"auto": "auto", "json": "json", "pretty": "pretty"}
_ADDRESS = re.compile(r"(\w+://)?([\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}")
NO_STACK = "no stack is running: start one with `haihe up` or set HAIHE_BOOTSTRAP_SERVERS"


class Settings(msgspec.Struct, frozen=True):
    """What a process of the bus is told from outside. Paths are absolute."""

    root: Path
    home: Path
    bootstrap_servers: str
    registry_url: str
    deploy: Path
    schemas: Path
    log_format: LogFormat = "auto"


def load(env: Mapping[str, str] = os.environ, need_stack: bool = True) -> Settings:
    """The settings of this process. With `need_stack` false, addresses that are not known are empty strings.

    Raises ConfigError for an unknown or malformed HAIHE_* variable, UserError when Kafka's address is not known.
    """
    for name in env:
        if name.startswith("HAIHE_") and name not in VARIABLES:
            raise ConfigError(f"unknown variable {name}{suggestion(name, tuple(VARIABLES))}")
    home = _directory(env, "HAIHE_HOME", ROOT / ".haihe")
    log_format = env.get("HAIHE_LOG_FORMAT", "auto")
    if log_format not in _LOG_FORMATS:
        raise ConfigError("HAIHE_LOG_FORMAT must be auto, json or pretty")
    bootstrap, registry = env.get("HAIHE_BOOTSTRAP_SERVERS", ""), env.get("HAIHE_REGISTRY_URL", "").rstrip("/")
    if bootstrap and not all(_ADDRESS.fullmatch(address.strip()) for address in bootstrap.split(",")):
        raise ConfigError("HAIHE_BOOTSTRAP_SERVERS must be host:port[,host:port]")
    if registry and not registry.startswith(("http://", "https://")):
        raise ConfigError("HAIHE_REGISTRY_URL must begin with http:// or https://")
    if not bootstrap:
        # The local registry stores in the local Kafka, so its address is of no use with another Kafka.
        stack = _running_stack(home)
        bootstrap, registry = stack.get("bootstrap_servers") or "", registry or stack.get("registry_url") or ""
    if need_stack and not bootstrap:
        raise UserError(NO_STACK)
    return Settings(
        root=ROOT,
        home=home,
        bootstrap_servers=bootstrap,
        registry_url=registry,
        deploy=_directory(env, "HAIHE_DEPLOY", ROOT / "deploy" / "tianjin"),
        schemas=_directory(env, "HAIHE_SCHEMAS", ROOT / "schemas" / "avro"),
        log_format=_LOG_FORMATS[log_format],
    )


def _directory(env: Mapping[str, str], name: str, default: Path) -> Path:
    value = env.get(name)
    return Path(value).expanduser().resolve() if value else default


def _running_stack(home: Path) -> dict[str, Any]:
    """`stack.json` of the local stack, or nothing when it is absent or its Kafka is gone (a crash leaves the file)."""
    path = home / "stack.json"
    try:
        stack = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        pid = stack["processes"]["kafka"]["pid"]
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, KeyError, TypeError):
        raise ConfigError(f"{path} is damaged: delete it, then run `haihe up`") from None
    return stack if Path(f"/proc/{pid}").exists() else {}
