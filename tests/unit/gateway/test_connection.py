"""Wherever a stream breaks, resuming from the last id gives exactly the rest."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.gateway.connection import CHUNK, Behind, Connection
from connectors.gateway.index import Index
from connectors.gateway.place import Places
from streams.observe.metrics import Metrics
from tests.unit.gateway.in_memory import alert_at, frames

PARTITIONS = 3
PLACES = Places("abcdefgh", PARTITIONS)
METRICS = Metrics(process=False)


def connect(index: Index, last_id: str = "", addressee: str = "gw-000001") -> Connection:
    return Connection(index, index.inbox(addressee), PLACES, PLACES.parse(last_id), METRICS)


def drain(connection: Connection) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    while chunk := connection.pending():
        found += frames(chunk)
    return found


def data(blocks: list[dict[str, str]]) -> list[str]:
    return [block["data"] for block in blocks if block.get("event") == "alert"]


TOLD = {"us": ("gw-000001",), "other": ("gw-000002",), "both": ("gw-000002", "gw-000001")}

# What happens, in order: an event for us, for another or for both in some partition, or nothing but a marker.
HAPPENS = st.lists(
    st.tuples(st.integers(0, PARTITIONS - 1), st.sampled_from(["us", "other", "both", "marker"])), max_size=60
)


def index_in(order: list[int], happens: list[tuple[int, str]]) -> tuple[Index, list[str]]:
    """An index that read the partitions in `order` (partition numbers; each stands for that partition's next record),
    and what it holds for us by partition and offset."""
    queues: dict[int, list[tuple[int, str]]] = {partition: [] for partition in range(PARTITIONS)}
    for partition, what in happens:
        queues[partition].append((len(queues[partition]), what))
    index = Index((0,) * PARTITIONS)
    positions, ours = [0] * PARTITIONS, []
    for partition in order:
        offset, what = queues[partition].pop(0)
        positions[partition] = offset + 1
        alerts = []
        if what != "marker":
            told = TOLD[what]
            alerts = [alert_at(partition, offset, f"{partition}-{offset}", addressee=told[0], told=told)]
        if what in ("us", "both"):
            ours.append(f'{{"event_id": "{partition}/{offset}"}}')
        index.apply(alerts, tuple(positions))
    return index, ours


@given(happens=HAPPENS, cuts=st.lists(st.integers(0, 20), max_size=6), random=st.randoms())
def test_a_client_that_drops_out_anywhere_gets_everything_once_and_in_order(
    happens: list[tuple[int, str]], cuts: list[int], random: object
) -> None:
    """Also over restarts: each new index has read the partitions interleaved in another order."""
    order = [partition for partition, _ in happens]
    shuffle = random.shuffle  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    got: list[str] = []
    last_id = PLACES.text((0,) * PARTITIONS)
    everything: list[str] = []
    for cut in [*cuts, 10**9]:
        shuffle(order)
        index, everything = index_in(order, happens)
        for block in drain(connect(index, last_id))[:cut]:
            last_id = block.get("id", last_id)
            got += data([block])
    assert sorted(got) == sorted(everything)
    for partition in range(PARTITIONS):
        mine = [text for text in got if text.startswith(f'{{"event_id": "{partition}/')]
        assert mine == sorted(mine, key=lambda text: int(text.split("/")[1][:-2]))


@given(happens=HAPPENS, split=st.integers(0, 60), reads=st.integers(1, 5))
def test_a_live_client_gets_each_event_once_however_they_are_batched(
    happens: list[tuple[int, str]], split: int, reads: int
) -> None:
    index, _ = index_in([], [])
    connection = connect(index, PLACES.text((0,) * PARTITIONS))
    offsets, got, last_id, sent = [0] * PARTITIONS, [], "", []
    for number, (partition, what) in enumerate(happens):
        offset = offsets[partition]
        offsets[partition] += 1
        alerts = []
        if what != "marker":
            told = TOLD[what]
            alerts = [alert_at(partition, offset, f"{partition}-{offset}", addressee=told[0], told=told)]
        sent += [f'{{"event_id": "{partition}/{offset}"}}'] if what in ("us", "both") else []
        index.apply(alerts, tuple(offsets))
        if number % reads == 0:
            for block in drain(connection):
                got += data([block])
                last_id = block.get("id", last_id)
            if number == split:
                connection = connect(index, last_id or PLACES.text((0,) * PARTITIONS))
    got += data(drain(connection))
    assert got == sent


def test_without_a_place_the_client_gets_reset_and_then_what_is_open() -> None:
    index = Index((0,) * PARTITIONS)
    index.apply([alert_at(0, 0, "a"), alert_at(1, 0, "b"), alert_at(1, 1, "a2", addressee="gw-000002")], (1, 2, 0))
    blocks = drain(connect(index))
    assert blocks[0] == {"event": "reset", "data": '{"open":2}'}
    assert data(blocks) == ['{"event_id": "0/0"}', '{"event_id": "1/0"}']
    assert [block.get("id") for block in blocks] == [None, None, PLACES.text((1, 2, 0))]


def test_a_reset_without_open_alerts_carries_the_place_itself() -> None:
    index = Index((0,) * PARTITIONS)
    index.apply([], (4, 5, 6))
    assert drain(connect(index)) == [{"id": PLACES.text((4, 5, 6)), "event": "reset", "data": '{"open":0}'}]


def test_a_long_snapshot_has_one_reset_and_one_id_at_its_very_end() -> None:
    """A client that drops out in the middle of it has no new place, so it starts afresh and misses nothing."""
    index = Index((0,) * PARTITIONS)
    count = 3 * CHUNK
    index.apply([alert_at(0, n, f"a{n}") for n in range(count)], (count, 0, 0))
    connection = connect(index)
    first = frames(connection.pending())
    index.apply([alert_at(1, 0, "late")], (count, 1, 0))
    blocks = first + drain(connection)
    assert [block["event"] for block in blocks] == ["reset"] + ["alert"] * (count + 1)
    assert [number for number, block in enumerate(blocks) if "id" in block] == [count, count + 1]
    assert blocks[-1]["id"] == PLACES.text((count, 1, 0))


def test_a_heartbeat_moves_an_idle_client_on_so_that_it_stays_resumable() -> None:
    index = Index((0,) * PARTITIONS)
    connection = connect(index, PLACES.text((0, 0, 0)))
    drain(connection)
    index.apply([alert_at(2, 0, addressee="gw-000002")], (0, 0, 9))
    assert connection.pending() == b""
    connection.beat()
    assert connection.pending() == f":\nid: {PLACES.text((0, 0, 9))}\n\n".encode()
    connection.beat()
    assert connection.pending() == b":\n\n"


def test_a_client_ahead_of_us_gets_nothing_twice() -> None:
    """Another gateway process had read further before the client came to us."""
    index = Index((0,) * PARTITIONS)
    connection = connect(index, PLACES.text((2, 0, 0)))
    drain(connection)
    index.apply([alert_at(0, 0), alert_at(0, 1)], (2, 0, 0))
    assert data(drain(connection)) == []
    index.apply([alert_at(0, 2)], (3, 0, 0))
    assert data(drain(connection)) == ['{"event_id": "0/2"}']


def test_a_client_whose_events_are_forgotten_before_they_are_sent_is_behind() -> None:
    index = Index((0,) * PARTITIONS)
    connection = connect(index, PLACES.text((0, 0, 0)))
    drain(connection)
    index.apply([alert_at(0, 0)], (1, 0, 0))
    index.mark(0)
    index.forget(before=1)
    try:
        connection.pending()
    except Behind:
        return
    raise AssertionError("a gap was passed over")
