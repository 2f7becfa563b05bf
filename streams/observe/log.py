"""One log format for everything a process says: JSON lines for machines, columns on a terminal.

`configure` once, at a process's start. Our own code logs with `structlog.get_logger(__name__)` and gives fields by name
(topic, partition, offset, chain, flow, step are the common ones); what libraries say through stdlib logging (faust,
mode, aiohttp, librdkafka) and what Python says of uncaught exceptions and warnings comes out in the same form.

No line holds personal data. Values are not logged in the first place; an exception's text is kept only where it is
known not to quote one (our own error tree, the operating system, the Kafka client), otherwise its type and the lines of
code it passed are; and redact.py goes over what is left.
"""

import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from streams.errors import HaiheError
from streams.observe.redact import redact_event

Format = Literal["auto", "json", "pretty"]

FIELDS = ("topic", "partition", "offset", "chain", "flow", "step")
"""The fields that place a line in the bus; stdlib records may carry them in `extra`."""

_QUOTES_NOTHING = ("confluent_kafka", "cimpl", "aiohttp.client_exceptions")
"""Modules whose exceptions speak of connections and topics, not of records."""

_CHATTY = dict.fromkeys(("aiokafka", "asyncio", "aiohttp.access", "faust", "mode", "httpx", "httpx2"), logging.WARNING)


def configure(format: Format = "auto", *, level: str = "INFO", stream: TextIO | None = None, **bound: object) -> None:
    """Send every log line to `stream` (stderr when None; stdout belongs to what a command prints).

    `format`  auto is pretty on a terminal and JSON elsewhere.
    `bound`   fields of every line of this process, e.g. process="worker", chain="person", slot=0.
    A second call replaces the first.
    """
    out = stream if stream is not None else sys.stderr
    pretty = format == "pretty" or (format == "auto" and out.isatty())

    def add_bound(logger: object, method: str, event: EventDict) -> EventDict:
        for name, value in bound.items():
            event.setdefault(name, value)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_bound,
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = _Handler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                add_exception,
                redact_event,
                render,
            ],
        )
    )
    handler.addFilter(_hide_exceptions)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


class _Handler(logging.StreamHandler[TextIO]):
    """A line that cannot be formatted is told by its logger: the standard library would print its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:
        exc = sys.exc_info()[1]
        if not isinstance(exc, OSError):  # a closed pipe: there is nobody to tell
            place = f"{record.name} ({record.filename}:{record.lineno})"
            self.stream.write(f"a log line of {place} could not be formatted: {type(exc).__name__}\n")


def add_exception(logger: object, method: str, event: MutableMapping[str, Any]) -> EventDict:
    """structlog processor: `exc_info` becomes `exception`, as describe() tells it."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    exc = info[1] if isinstance(info, tuple) else info
    if isinstance(exc, BaseException):
        event["exception"] = describe(exc)
    event.pop("stack_info", None)
    return dict(event)


def describe(exc: BaseException) -> str:
    """An exception and its causes, outermost first: type, text when it is known to quote no record, and the lines of
    code it passed, without the values in them."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = [f"  {f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(current.__traceback__)]
        parts.append("\n".join([_headline(current), *frames]))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nbecause of ".join(parts)


def _headline(exc: BaseException) -> str:
    kind = type(exc)
    told = isinstance(exc, HaiheError | OSError | ImportError) or kind.__module__.startswith(_QUOTES_NOTHING)
    return f"{kind.__qualname__}: {exc}" if told else kind.__qualname__


def _hide_exceptions(record: logging.LogRecord) -> bool:
    """Libraries format exceptions into their messages (`Crashed reason=%r`): give them the safe text instead."""
    if isinstance(record.msg, BaseException):
        record.msg = _headline(record.msg)
    if isinstance(record.args, tuple):
        record.args = tuple(_headline(arg) if isinstance(arg, BaseException) else arg for arg in record.args)
    elif isinstance(record.args, dict):
        record.args = {k: _headline(v) if isinstance(v, BaseException) else v for k, v in record.args.items()}
    return True


def _uncaught(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return  # a person's Ctrl-C is no error
    logging.getLogger("haihe").critical("uncaught exception", exc_info=(kind, exc, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        logging.getLogger("haihe").critical(
            "uncaught exception in a thread", exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )
