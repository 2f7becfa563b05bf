"""Every librdkafka error that the engine meets, and which of five ways it takes. One table, one function.

RECORD     the broker or the client refuses this record: isolated by halving, then dead-lettered; the bus goes on
GROUP      the group moved on without us: abort, let the rebalance callbacks run, read again
RETRIABLE  the same call may be repeated (the client says so itself: `KafkaError.retriable()`)
ABORTABLE  the transaction is lost, the process is not: abort, read again, a bounded number of times
FATAL      only a new process can repair it: exit, the slot is restarted (`fatal()` may be False: a static member that
           fenced itself comes as a consumed message with code _FATAL)
"""

from enum import Enum
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException

from streams.errors import HaiheError


class Way(Enum):
    RECORD = "record"
    GROUP = "group"
    RETRIABLE = "retriable"
    ABORTABLE = "abortable"
    FATAL = "fatal"


WAYS: dict[int, Way] = {
    KafkaError.MSG_SIZE_TOO_LARGE: Way.RECORD,
    KafkaError.INVALID_MSG: Way.RECORD,
    KafkaError.INVALID_MSG_SIZE: Way.RECORD,
    KafkaError.INVALID_RECORD: Way.RECORD,
    KafkaError.INVALID_TIMESTAMP: Way.RECORD,
    KafkaError.RECORD_LIST_TOO_LARGE: Way.RECORD,
    KafkaError.ILLEGAL_GENERATION: Way.GROUP,
    KafkaError.UNKNOWN_MEMBER_ID: Way.GROUP,
    KafkaError.REBALANCE_IN_PROGRESS: Way.GROUP,
    KafkaError.FENCED_MEMBER_EPOCH: Way.GROUP,
    KafkaError.STALE_MEMBER_EPOCH: Way.GROUP,
    # Destinations are fixed and were there at start-up: without one every record is refused, and none is to blame.
    KafkaError.TOPIC_EXCEPTION: Way.FATAL,
    KafkaError.UNKNOWN_TOPIC_OR_PART: Way.FATAL,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Way.FATAL,
    KafkaError._UNKNOWN_TOPIC: Way.FATAL,
    KafkaError._UNKNOWN_PARTITION: Way.FATAL,
    KafkaError._INVALID_ARG: Way.FATAL,
    KafkaError._FATAL: Way.FATAL,
    KafkaError._FENCED: Way.FATAL,
    KafkaError.FENCED_INSTANCE_ID: Way.FATAL,
    KafkaError.INVALID_PRODUCER_EPOCH: Way.FATAL,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Way.FATAL,
    KafkaError.GROUP_AUTHORIZATION_FAILED: Way.FATAL,
    KafkaError._AUTHENTICATION: Way.FATAL,
    KafkaError.SASL_AUTHENTICATION_FAILED: Way.FATAL,
    KafkaError._AUTO_OFFSET_RESET: Way.FATAL,  # an offset out of range: reading from anywhere else would lose or repeat
    KafkaError.OFFSET_OUT_OF_RANGE: Way.FATAL,
}


SYSTEM = (HaiheError, OSError, MemoryError)
"""What is never the fault of the record in hand, wherever a handler meets it."""


class Fenced(Exception):
    """Our membership of the group is gone, although the rebalance callback has not been served yet."""


class Refused(Exception):
    """Delivery reports said no. `errors`: (KafkaError, `topic[partition]: text`) of each refused record."""

    def __init__(self, errors: list[tuple[KafkaError, str]]):
        super().__init__(errors[0][1])
        self.errors = errors


def way_of(error: KafkaError) -> Way:
    """The way one librdkafka error takes; anything not listed that is neither fatal nor retriable aborts."""
    if error.fatal():
        return Way.FATAL
    if (way := WAYS.get(error.code())) is not None:
        return way
    return Way.RETRIABLE if error.retriable() else Way.ABORTABLE


def way_out(exc: BaseException, refused: list[tuple[KafkaError, str]]) -> tuple[Way, str]:
    """How to recover from `exc`, given the delivery reports seen meanwhile: (way, reason).

    An exception that is not Kafka's came from a handler working on a record: RECORD, isolated like a refused one.
    """
    if isinstance(exc, Fenced):
        return Way.GROUP, "no longer a member of the group"
    if isinstance(exc, SYSTEM):
        return Way.FATAL, describe(exc)
    reports = [*refused, *(exc.errors if isinstance(exc, Refused) else [])]
    found = [(way_of(error), text) for error, text in reports]
    if isinstance(exc, KafkaException):
        found.append((way_of(exc.args[0]), str(exc.args[0])))
    for way in (Way.FATAL, Way.GROUP, Way.RECORD, Way.ABORTABLE, Way.RETRIABLE):
        for candidate, text in found:
            if candidate is way:
                return way, text
    if isinstance(exc, BufferError):
        return Way.ABORTABLE, "the producer's queue is full"
    return Way.RECORD, describe(exc)


def where(exc: BaseException) -> str:
    """`file:line` at which it was raised: what a developer needs, without a message that may quote the record."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


def describe(exc: BaseException) -> str:
    """An exception in words that quote no record: the text of our own and of Kafka's, of any other the type only."""
    return str(exc) if isinstance(exc, (HaiheError, KafkaException)) else type(exc).__name__
