"""What a process answers when it is asked how it is: /metrics, /healthz, /readyz.

healthz  the process runs and can answer (200); a supervisor restarts it otherwise
readyz   200 when it does its work; 503 and the reason while it does not (restoring state, broker away)
metrics  Prometheus text, or OpenMetrics when asked for

`Health` is the answers alone, for a process with a web server of its own (the gateway, a worker under Faust);
`HealthServer` serves them from a thread for one that has none.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

from prometheus_client.exposition import choose_encoder

from streams.observe.metrics import METRICS, Metrics

STARTING = "starting"
_TEXT = "text/plain; charset=utf-8"


class Response(NamedTuple):
    """An HTTP response: status, full Content-Type, body."""

    status: int
    content_type: str
    body: bytes


class Health:
    """Readiness of one process and the answers that follow from it. Safe to use from any thread."""

    def __init__(self, metrics: Metrics = METRICS) -> None:
        self._metrics = metrics
        self._reason: str | None = STARTING

    def ready(self, reason: str | None = None) -> None:
        """Ready when `reason` is None, otherwise not ready because of it (a sentence for an operator)."""
        self._reason = reason

    @property
    def reason(self) -> str | None:
        """Why the process is not ready; None when it is."""
        return self._reason

    def respond(self, path: str, accept: str = "") -> Response:
        """The answer to GET `path`; `accept` is the request's Accept header. 404 for any other path."""
        match path.partition("?")[0]:
            case "/metrics":
                encode, content_type = choose_encoder(accept)
                return Response(200, content_type, encode(self._metrics.registry))
            case "/healthz":
                return Response(200, _TEXT, b"ok\n")
            case "/readyz":
                reason = self._reason
                return Response(503 if reason else 200, _TEXT, f"{reason or 'ready'}\n".encode())
        return Response(404, _TEXT, b"try /metrics, /healthz or /readyz\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Somebody hung up in the middle of an answer: no reason for a traceback on stderr."""


class HealthServer(Health):
    """Health served over HTTP from a daemon thread, from `start` to `stop`."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1", metrics: Metrics = METRICS) -> None:
        """Takes the port at once (0: a free one), so that it is known before anything is served. Raises OSError when
        it is taken."""
        super().__init__(metrics)
        respond = self.respond

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content_type, body = respond(self.path, self.headers.get("Accept", ""))
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """A scrape every few seconds is no news."""

        self._server = _Server((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> Self:
        """Serve. Called once."""
        self._thread.start()
        return self

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop serving and give the port back; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
