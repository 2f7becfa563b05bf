"""The local Prometheus, where one is installed: scrapes every process of the bus that `targets.json` names."""

import http.client
import shutil
from pathlib import Path
from string import Template

from streams.local import targets
from streams.local.process import Child, spawn
from streams.settings import ROOT

TEMPLATE = ROOT / "deploy" / "prometheus" / "prometheus.yml"


def installed() -> str | None:
    """Path of the `prometheus` program, None when there is none: the bus runs without it."""
    return shutil.which("prometheus")


def start(home: Path, program: str, port: int, *, detach: bool) -> Child:
    """Starts Prometheus on 127.0.0.1:`port`, its data in the home."""
    directory = home / "prometheus"
    directory.mkdir(parents=True, exist_ok=True)
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(targets=targets.path(home), port=port)
    config = directory / "prometheus.yml"
    config.write_text(text, encoding="utf-8")
    argv = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--storage.tsdb.retention.time=7d",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    return spawn(argv, home / "logs" / "prometheus.log", port, detach=detach)


def ready(port: int, timeout: float = 1.0) -> bool:
    """Whether Prometheus has loaded its data and answers queries."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
