"""`haihe status`: what runs, where, and whether it answers, asked now and not remembered."""

import http.client
from pathlib import Path

import click
import msgspec

from streams import settings
from streams.local import targets
from streams.local.stack import Stack

STACK = ("kafka", "registry", "prometheus")


class Line(msgspec.Struct):
    """One process. `state`: running, silent (alive without answering), dead (it should run), not-ready, stopped."""

    name: str
    state: str
    address: str = ""
    pid: int | None = None
    log: str = ""


@click.command(
    epilog="""\b
Examples:
  haihe status
  haihe status --json | jq -r '.[] | select(.state != "running") | .name'
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of processes.")
def command(as_json: bool) -> int:
    """Say what of the local stack and the bus runs, and where.

    Exit code 0 when Kafka and the registry answer and nothing is dead or silent, 1 otherwise.
    """
    home = settings.load(need_stack=False).home
    lines = stack_lines(home) + bus_lines(home)
    if as_json:
        click.echo(msgspec.json.encode(lines))
    else:
        wide = max(len(line.address) for line in lines)
        for line in lines:
            pid = f"pid {line.pid}" if line.pid else ""
            click.echo(f"{line.name:<14} {line.state:<10} {line.address:<{wide}} {pid:<12} {line.log}".rstrip())
    wrong = [line for line in lines if line.state in ("silent", "dead", "not-ready")]
    missing = [line for line in lines if line.name in ("kafka", "registry") and line.state != "running"]
    return 1 if wrong or missing else 0


def stack_lines(home: Path) -> list[Line]:
    """The local stack's processes."""
    stack = Stack(home)
    addresses = dict(zip(STACK, (stack.bootstrap_servers, stack.registry_url, stack.prometheus_url), strict=True))
    lines = []
    for name in STACK:
        child = stack.processes.get(name)
        if child is None:
            lines.append(Line(name, "stopped"))
            continue
        state = "running" if stack.answers(name) else "silent" if child.alive else "dead"
        lines.append(Line(name, state, addresses[name] or "", child.pid if child.alive else None, child.log))
    return lines


def bus_lines(home: Path) -> list[Line]:
    """The workers and gateways that are listed for Prometheus, by their own readiness."""
    return [
        Line(name, _readiness(port), f"http://127.0.0.1:{port}") for name, port in sorted(targets.ports(home).items())
    ]


def _readiness(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", "/readyz")
        return "running" if connection.getresponse().status == 200 else "not-ready"
    except ConnectionRefusedError:
        return "dead"
    except (OSError, http.client.HTTPException):
        return "silent"
    finally:
        connection.close()
