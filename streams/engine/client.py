"""How haihe speaks to Kafka: every librdkafka setting that the bus relies on, with where it comes from.

Exists so that a worker, a reader and a command line never differ by an accident of configuration. librdkafka is not
imported here: these are plain dictionaries, so that tests and documentation can read them without a client.

Settings are written as librdkafka names them. An override may be given with dots (`**{"linger.ms": 0}`) or, as Python
keywords are, with underscores (`linger_ms=0`); callbacks (`on_delivery`, `error_cb`, `stats_cb` ...) keep theirs.
"""

import logging
from typing import Any, Literal

KIB = 1024
MIB = 1024 * KIB

MAX_RECORD = 1 * MIB
"""Bytes of the largest value that the bus itself produces: checked before produce, so that one large record is a
record error and not a refused request (over a topic's limit, EVERY record of the request is refused)."""

MAX_TOPIC = 4 * MIB + 64 * KIB
"""`max.message.bytes` of every topic that the bus writes, and `message.max.bytes` of its clients: four times the bus's
own limit, and room for the framing of a record batch and its headers."""

MAX_INPUT = 8 * MIB + 64 * KIB
"""`max.message.bytes` of the `in.*` topics only: a publisher whose record is over the bus's limit gets a dead letter
from us, with its size, instead of a refusal at its own client that nobody here would see."""

TRANSACTION_TIMEOUT_MS = 60_000
"""After this the broker aborts what a dead slot left open; until then readers of those partitions wait. Open
transactions survived broker failovers at 60 s and did not at 15 s."""

OPEN_TRANSACTION_S = 75.0
"""Seconds after which waiting for an open transaction is a failure: its timeout, the 10 s of the broker's sweep
(`transaction.abort.timed.out.transaction.cleanup.interval.ms`), and a margin."""

REQUEST_S = 30.0
"""Seconds that a question to the broker (metadata, watermarks, offsets) may take: longer than a broker failover."""

Config = dict[str, Any]

_CALLBACKS = {"on_delivery", "on_commit", "error_cb", "stats_cb", "throttle_cb", "oauth_cb", "log_cb", "logger"}


def consumer_config(
    bootstrap: str,
    group: str,
    *,
    instance: str | None = None,
    client_id: str = "haihe",
    protocol: Literal["classic", "consumer"] = "classic",
    **overrides: object,
) -> Config:
    """Settings of a consumer that reads for the bus. Nothing is ever committed by the client itself.

    `group`     group.id; for a chain it is the chain's.
    `instance`  group.instance.id of a static member: a slot that is back within the session timeout keeps its
                partitions (a clean restart then costs 0.1 s instead of a rebalance).
    `protocol`  `consumer` is KIP-848, whose default assignor does not co-partition: `range` is asked for by name.
                Session and heartbeat are then the broker's settings.

    `auto.offset.reset` is `error`: a partition without a committed offset, or with one that retention has passed, comes
    as a consumed message with the error `_AUTO_OFFSET_RESET`, never as a silent jump. Whoever assigns a partition for
    the first time assigns it at its log start.
    """
    config: Config = {
        **_common(bootstrap, client_id),
        "group.id": group,
        # Offsets are committed in the transaction of the outputs, or not at all.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        # Outputs of an aborted or still open transaction do not exist (KIP-98).
        "isolation.level": "read_committed",
        # A long poll that stays short: partitions whose back-off ended, or that were just assigned or sought, join with
        # the next request (default 500). The broker answers at once when there is a record (fetch.min.bytes is 1).
        "fetch.wait.max.ms": 50,
        # Records to prefetch per partition: keeps `consume(n, 0)` supplied between two batches.
        "queued.min.messages": 100_000,
        # ... but no more than this in all: 64 MiB is librdkafka's default, stated because it bounds a worker's memory.
        "queued.max.messages.kbytes": 64 * KIB,
        # How long a full prefetch queue rests (default 1,000): 100,000 records are worked off in less than that.
        "fetch.queue.backoff.ms": 100,
        # A whole record batch is always delivered, even over the per-partition limit (KIP-74), but a response must be
        # able to hold the largest input. receive.message.max.bytes must exceed fetch.max.bytes by 512.
        "fetch.max.bytes": 52_428_800,
        "max.partition.fetch.bytes": 1 * MIB,
        "message.max.bytes": MAX_INPUT,
        "receive.message.max.bytes": 100_000_000,
        # A slow batch polls now and then; without any poll for this long the member is thrown out (KIP-62).
        "max.poll.interval.ms": 300_000,
        # A subscription must never create a topic: a typing error would become one.
        "allow.auto.create.topics": False,
    }
    if instance is not None:
        config["group.instance.id"] = instance
    if protocol == "consumer":
        config |= {"group.protocol": "consumer", "group.remote.assignor": "range"}
    else:
        config |= {
            "group.protocol": "classic",
            # Co-partitioned topics: partition n of each goes to the same member.
            "partition.assignment.strategy": "range",
            # Above a broker failover: 20 s held, 6 s failed. Heartbeats at a sixth of it.
            "session.timeout.ms": 20_000,
            "heartbeat.interval.ms": 3_000,
        }
    return config | _named(overrides)


def producer_config(
    bootstrap: str, *, transactional_id: str | None = None, client_id: str = "haihe", **overrides: object
) -> Config:
    """Settings of a producer that writes for the bus: idempotent always, transactional with a `transactional_id`
    (group and worker slot, stable over restarts: starting it aborts what the killed process left open).

    Delivery reports come for failed records only: without `on_delivery` nobody learns of them.
    """
    config: Config = {
        **_common(bootstrap, client_id),
        "enable.idempotence": True,  # implies acks=all and at most 5 requests in flight (KIP-98)
        # Java's hash of the key, a random partition without one. librdkafka's own default is another hash, with which
        # one key would live in two partitions depending on the publisher's language.
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        "batch.num.messages": 10_000,
        # Both at or below the topics' limit: a request over it is refused whole.
        "message.max.bytes": MAX_TOPIC,
        "batch.size": 1 * MIB,
        # Whoever produces bounds `len(producer)` below this instead of catching BufferError.
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 1024 * KIB,
        "delivery.report.only.error": True,
        # An unknown topic is noticed after this (the default, stated because start-up checks destinations because of
        # it): long enough for a broker that was just restarted to know its topics.
        "topic.metadata.propagation.max.ms": 30_000,
    }
    if transactional_id is None:
        config["message.timeout.ms"] = 120_000  # as Java's delivery.timeout.ms; librdkafka's default is 300,000
    else:
        config |= {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,  # bounds message.timeout.ms too
            # send_offsets right after a commit meets CONCURRENT_TRANSACTIONS and waits this long (default 100):
            # 86 ms a transaction with 100, 11 ms with 5.
            "retry.backoff.ms": 5,
        }
    return config | _named(overrides)


def admin_config(bootstrap: str, client_id: str = "haihe-admin") -> Config:
    """Settings of an administrative client."""
    return _common(bootstrap, client_id)


def _common(bootstrap: str, client_id: str) -> Config:
    return {
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        # librdkafka's own lines join ours instead of going to stderr in their own format.
        "logger": logging.getLogger("librdkafka"),
        # Requests are small and answered one by one: do not collect them (RFC 896).
        "socket.nagle.disable": True,
        # A half-open connection through a load balancer must be noticed while idle.
        "socket.keepalive.enable": True,
        # A restarted broker is found again within a second (default 10 s).
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1_000,
        # New partitions' leaders after a failover; default 5 minutes.
        "topic.metadata.refresh.interval.ms": 60_000,
    }


def _named(overrides: dict[str, object]) -> Config:
    return {name if name in _CALLBACKS else name.replace("_", "."): value for name, value in overrides.items()}
