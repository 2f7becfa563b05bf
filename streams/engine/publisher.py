"""Write one record at a time and know that it is written: for whoever answers somebody else once it is (the gateway).

Idempotent and acknowledged by all in-sync replicas. Unlike Writer it is made for an event loop: every record has a
future of its own, and a thread serves the client. What was not acknowledged in time may be written all the same, later
or not at all: the caller sends the same event again, and readers tell repeats by its `event_id`.
"""

import asyncio
import contextlib
import threading
from typing import Self

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from streams.engine.admin import Admin
from streams.engine.client import producer_config
from streams.errors import SystemFailure

_log = structlog.get_logger(__name__)

PATIENCE_S = 10.0
"""Seconds that a record may take until it is acknowledged: a broker's failover is usually shorter, a person's patience
too."""

MAX_WAITING = 2_000
"""Records that may wait at once. While the broker is away each waits PATIENCE_S: more would only wait in vain."""

_POLL_S = 0.2
_CLOSE_S = 5.0


class TopicPublisher:
    """Publishes to `topic`. `publish` belongs to one event loop, everything else to any thread.

    Raises UserError for a topic that does not exist, SystemFailure when the broker does not answer.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        client_id: str = "haihe-publisher",
        *,
        patience_s: float = PATIENCE_S,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        Admin(bootstrap).partitions([topic])
        self._topic, self._patience_s, self._max_waiting = topic, patience_s, max_waiting
        self._config = producer_config(
            bootstrap,
            client_id=client_id,
            delivery_report_only_error=False,
            # Nobody waits any longer: a record still queued by then would only be a repeat.
            message_timeout_ms=int(patience_s * 1000),
            # A person waits for each: nothing is collected for longer than requests are under way anyway.
            linger_ms=0,
        )
        self._producer = Producer(self._config)
        self._waiting = 0
        self._acknowledged = True
        self._fatal = self._closing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="publisher", daemon=True)
        self._thread.start()

    async def publish(self, key: str, value: bytes) -> None:
        """Returns when all in-sync replicas have the record. Records of one key keep the order of the calls.

        Raises SystemFailure when it is refused, when too many wait, or after `patience_s` seconds: it is then not known
        whether it was written.
        """
        if self._closing:
            raise SystemFailure(f"{self._topic}: nothing more is published, this process is stopping")
        if self._waiting >= self._max_waiting:
            raise SystemFailure(f"{self._topic}: {self._waiting} records wait for the broker already")
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()

        def report(error: KafkaError | None, message: Message) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(self._tell, told, error)

        self._waiting += 1
        try:
            self._producer.produce(self._topic, value, key, on_delivery=report)
            async with asyncio.timeout(self._patience_s):
                await told
        except TimeoutError:
            raise self._failed(f"no acknowledgement within {self._patience_s:g} s") from None
        except KafkaException as exc:
            self._judge(exc.args[0])
            raise self._failed(exc.args[0].str()) from exc
        finally:
            self._waiting -= 1
        if not self._acknowledged:
            self._acknowledged = True
            _log.info("records are acknowledged again", topic=self._topic)

    def close(self) -> None:
        """Wait a moment for what is under way, then end; a second call does nothing. Not on the event loop."""
        self._closing = True
        self._producer.flush(_CLOSE_S)
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _tell(self, told: "asyncio.Future[None]", error: KafkaError | None) -> None:
        if error is not None:
            self._judge(error)
        if told.done():
            return  # its caller has given up
        if error is None:
            told.set_result(None)
        else:
            told.set_exception(KafkaException(error))

    def _failed(self, reason: str) -> SystemFailure:
        if self._acknowledged:  # told when it begins and when it ends, not once for each record
            self._acknowledged = False
            _log.warning("records are not acknowledged", topic=self._topic, reason=reason)
        return SystemFailure(f"{self._topic}: {reason}")

    def _judge(self, error: KafkaError) -> None:
        """A producer in a fatal state refuses everything from then on: the thread puts another in its place."""
        self._fatal = self._fatal or error.fatal() or error.code() == KafkaError._FATAL

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(_POLL_S)
            if self._fatal:
                # Nothing is lost with it: whoever waited is told, sends again, and readers tell repeats.
                former, self._producer, self._fatal = self._producer, Producer(self._config), False
                former.purge()
                former.flush(_POLL_S)
                _log.warning("the producer failed for good and was replaced", topic=self._topic)
        self._producer.purge()
        self._producer.flush(_POLL_S)
