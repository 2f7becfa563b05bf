"""The chain runner: what it writes, what it leaves alone, and in which order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.chains.audited import FlowFailed
from streams.chains.chain import inputs_of
from streams.errors import SystemFailure
from tests.unit.chains.toy import FLOWS, POLICY_VERSION, VIEW, A, B, C, Toy, View, flows_of, reidentified, toy_flow


def test_a_flow_reads_what_another_makes_in_the_same_pass() -> None:
    toy = Toy()
    toy.do("count=make second=make")
    assert toy.texts(B) == ["count 1 1000"]
    assert toy.texts(C) == ["second 1 1000"]


def test_a_topic_that_a_flow_reads_and_writes_is_read_from_kafka_and_not_within_the_pass() -> None:
    """Another chain writes it too: its order is the topic's."""
    loop = toy_flow("loop", A, (A,))
    assert inputs_of((loop, FLOWS[2])) == (A, B)
    assert inputs_of(FLOWS) == (A,)
    toy = Toy((loop,))
    toy.do("loop=make")
    assert len(toy.outputs.of(A)) == 1
    assert toy.count("loop").n == 1
    toy.run(toy.raw(toy.outputs.of(A)[0].value))
    assert toy.count("loop").n == 2


def test_outputs_carry_the_records_key_and_timestamp_through_every_flow() -> None:
    toy = Toy()
    toy.do("count=make second=make", time=4321)
    for topic in (B, C):
        assert [(r.key, r.timestamp) for r in toy.outputs.of(topic)] == [(b"k", 4321)]


def test_state_is_kept_from_record_to_record_and_from_batch_to_batch() -> None:
    toy = Toy()
    toy.do("", "")
    toy.do("count=make")
    assert toy.texts(B) == ["count 3 1000"]
    assert toy.count("count").n == 3


def test_a_state_of_none_deletes_the_key_from_the_changelog() -> None:
    toy = Toy()
    toy.do("", "count=forget")
    assert toy.count("count") is None
    assert [entry for entry in toy.changelog if entry[1] == b"count/k"][-1] == (0, b"count/k", None)


def test_a_rejection_by_one_flow_leaves_its_siblings_at_work() -> None:
    toy = Toy()
    toy.do("count=refuse")
    [dead] = toy.outputs.of(f"dead.{A}")
    assert (dead.headers["flow"], dead.headers["step"], dead.headers["reason"]) == ("count", "enrich", "no-such-cell")
    assert (toy.count("count"), toy.count("sibling").n) == (None, 1)
    assert toy.texts(B) == []


def test_a_rejection_further_down_leaves_what_was_made_before_it() -> None:
    toy = Toy()
    toy.do("count=make second=refuse")
    assert toy.texts(B) == ["count 1 1000"]
    assert toy.count("count").n == 1
    [dead] = toy.outputs.of(f"dead.{B}")
    assert dead.value == toy.outputs.of(B)[0].value
    assert (dead.headers["flow"], dead.headers["topic"], dead.headers["offset"]) == ("second", A, "0")


def test_an_output_too_large_for_the_bus_is_a_dead_letter_of_its_record_and_leaves_no_state() -> None:
    toy = Toy()
    toy.do("", "count=large", "count=make")
    [dead] = toy.outputs.of(f"dead.{A}")
    assert (dead.headers["step"], dead.headers["reason"], dead.headers["offset"]) == ("encode", "too-large", "1")
    assert toy.texts(B) == ["count 2 1000"]


def test_an_output_that_does_not_fit_its_schema_is_a_dead_letter_of_its_record_and_leaves_no_state() -> None:
    toy = Toy()
    toy.do("count=unfit")
    [dead] = toy.outputs.of(f"dead.{A}")
    assert (dead.headers["step"], dead.headers["reason"]) == ("encode", "invalid")
    assert toy.count("count") is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, "empty"), (b"{}", "not-avro"), (b"\0\0\0\0\x01\x7f", "truncated"), (b"\0\0\0\0\x63", "unknown-schema")],
)
def test_a_record_that_cannot_be_read_is_refused_once_by_each_flow_that_reads_its_topic(value, reason) -> None:
    toy = Toy()
    toy.run(toy.raw(value))
    dead = toy.outputs.of(f"dead.{A}")
    assert [letter.headers["flow"] for letter in dead] == ["count", "sibling"]
    assert {letter.headers["reason"] for letter in dead} == {reason}
    assert {letter.value for letter in dead} == {value}


def test_a_record_whose_schema_cannot_be_asked_for_waits_with_all_after_it_in_its_partition() -> None:
    toy = Toy()
    known = toy.chain._schemas
    toy.chain._schemas = known._replace(
        find=lambda schema_id, topic: None if schema_id == 99 else known.find(schema_id, topic)
    )
    waiting = toy.raw(reidentified(b"\0\0\0\0\0", 99))
    batch = toy.run(toy.message("count=make"), waiting, toy.message("count=make"))
    assert batch.held == [waiting]
    assert toy.texts(B) == ["count 1 1000"]
    assert dict(flows_of(toy.commit()))["count"]["read"] == 1


# -- views --------------------------------------------------------------------------------------------------------
def test_a_view_is_written_beside_its_topic_under_its_own_key() -> None:
    toy = Toy()
    toy.do("count=make", time=77)
    [shown] = toy.outputs.of(VIEW)
    assert (shown.key, shown.timestamp) == ("pseudonym", 77)
    assert toy.texts(VIEW) == ["count 1 77"]


@pytest.mark.parametrize(("breaks", "reason"), [("withhold", "expired"), ("fail", "failed"), ("unfit", "failed")])
def test_a_view_fails_closed_and_only_for_itself(breaks: str, reason: str) -> None:
    toy = Toy(view=View(breaks))
    toy.do("count=make second=make")
    assert toy.outputs.of(VIEW) == []
    assert (len(toy.outputs.of(B)), len(toy.outputs.of(C))) == (1, 1)
    assert toy.commit()["views"] == [{"view": VIEW, "delivered": 0, "withheld": {reason: 1}}]


# -- tables -------------------------------------------------------------------------------------------------------
def test_a_row_of_a_table_holds_for_the_records_after_it() -> None:
    toy = Toy()
    row = toy.released.latest(A).encode({"text": "row"})
    toy.run(toy.message("count=make"), toy.raw(row, topic="ref.thing"), toy.message("count=make"))
    toy.run(toy.raw(None, topic="ref.thing"), toy.message("count=make"))
    assert toy.texts(B) == ["count 1 1000", "count 2 1000 row", "count 3 1000"]


@pytest.mark.parametrize(
    "row", [b"{}", b"\0\0\0\0\x63", b"\0\0\0\0\x01\x7f"], ids=["no Avro", "unknown id", "truncated"]
)
def test_a_row_that_nobody_can_read_is_a_row_that_is_not_there(row: bytes) -> None:
    toy = Toy()
    toy.run(toy.raw(row, topic="ref.thing"), toy.message("count=make"))
    assert toy.texts(B) == ["count 1 1000"]


# -- time ---------------------------------------------------------------------------------------------------------
def test_a_timer_fires_before_the_event_that_passes_it_with_its_own_due_time() -> None:
    toy = Toy()
    toy.run(toy.message("count=wake:1500"), toy.message("sibling=make", time=2000))
    assert toy.texts(B) == ["count woken 1500", "sibling 2 2000"]
    assert [record.timestamp for record in toy.outputs.of(B)] == [1500, 2000]


def test_a_timer_fires_once() -> None:
    toy = Toy()
    toy.run(toy.message("count=wake:1500"), toy.message("", time=2000), toy.message("", time=3000))
    assert toy.texts(B) == ["count woken 1500"]
    assert dict(flows_of(toy.commit()))["count"]["fired"] == 1


def test_a_timer_of_an_idle_partition_fires_by_the_wall_clock_with_its_own_due_time() -> None:
    toy = Toy()
    toy.do("count=wake:1500")
    toy.run(ticks={0: 9000})
    assert [(record.timestamp, record.key) for record in toy.outputs.of(B)] == [(1500, b"k")]


def test_timers_fire_in_the_order_of_their_due_times() -> None:
    toy = Toy()
    toy.run(toy.message("count=wake:1700 sibling=wake:1600"), toy.message("", time=2000))
    assert toy.texts(B) == ["sibling woken 1600", "count woken 1700"]


def test_time_does_not_go_back_when_a_late_record_comes() -> None:
    toy = Toy()
    toy.run(toy.message("", time=5000), toy.message("count=make", time=1000))
    assert toy.texts(B) == ["count 2 5000"]


def test_a_timer_that_fired_in_an_aborted_transaction_fires_again() -> None:
    toy = Toy()
    toy.do("count=wake:1500")
    toy.commit()
    toy.run(toy.message("", time=2000))
    toy.abort()
    toy.run(toy.message("", time=2000))
    assert toy.texts(B) == ["count woken 1500"]


# -- bugs ---------------------------------------------------------------------------------------------------------
def test_a_flow_that_raises_is_named_and_its_words_are_not_kept() -> None:
    toy = Toy()
    with pytest.raises(FlowFailed) as raised:
        toy.do("sibling=raise")
    assert (raised.value.flow, raised.value.step, str(raised.value)) == ("sibling", "flow", "sibling at flow")


def isolated(toy: Toy, do: str, times: int = 1) -> None:
    """As the engine does with a record that raises: abort, tell the chain, run it again."""
    message = toy.message(do)
    for _ in range(times):
        with pytest.raises(FlowFailed) as raised:
            toy.run(message)
        toy.abort()
        toy.chain.poison(message, type(raised.value.__cause__).__name__, raised.value)
    toy.run(message)


def test_a_record_that_makes_one_flow_raise_is_refused_by_that_flow_alone() -> None:
    toy = Toy()
    isolated(toy, "count=make sibling=raise second=make")
    [dead] = toy.outputs.of(f"dead.{A}")
    assert (dead.headers["flow"], dead.headers["step"], dead.headers["reason"]) == ("sibling", "flow", "failed")
    assert toy.texts(C) == ["second 1 1000"]
    assert dict(flows_of(toy.commit()))["sibling"]["rejected"] == {"failed": 1}


def test_a_flow_that_raises_on_what_another_made_refuses_that_and_the_maker_goes_on() -> None:
    toy = Toy()
    isolated(toy, "count=make second=raise")
    [dead] = toy.outputs.of(f"dead.{B}")
    assert (dead.headers["flow"], dead.headers["reason"], dead.headers["topic"]) == ("second", "failed", A)
    assert toy.texts(B) == ["count 1 1000"]


def test_two_flows_that_raise_on_one_record_refuse_it_both() -> None:
    toy = Toy()
    isolated(toy, "count=raise sibling=raise", times=2)
    assert [letter.headers["flow"] for letter in toy.outputs.of(f"dead.{A}")] == ["count", "sibling"]


def test_a_record_that_the_broker_refuses_is_refused_by_every_flow() -> None:
    toy = Toy()
    message = toy.message("count=make")
    toy.chain.poison(message, "Broker: Message size too large", RuntimeError())
    toy.run(message)
    assert [(d.headers["flow"], d.headers["step"]) for d in toy.outputs.of(f"dead.{A}")] == [
        ("count", "deliver"),
        ("sibling", "deliver"),
    ]
    assert toy.texts(B) == []


def test_a_record_that_fails_again_although_it_is_refused_stops_the_worker() -> None:
    toy = Toy()
    message = toy.message("count=raise")
    with pytest.raises(FlowFailed) as raised:
        toy.run(message)
    toy.chain.poison(message, "ValueError", raised.value)
    with pytest.raises(SystemFailure, match=rf"{A}, partition 0, offset 0"):
        toy.chain.poison(message, "ValueError", raised.value)


@pytest.mark.parametrize("count", [12, 13], ids=["in what it makes", "in the flow"])
def test_a_timer_that_fails_stops_the_worker_for_there_is_no_record_to_refuse(count: int) -> None:
    toy = Toy()
    toy.do(*[""] * (count - 1), "count=wake:1500")
    with pytest.raises(SystemFailure, match="timer"):
        toy.run(toy.message("", time=2000))


# -- replays and books --------------------------------------------------------------------------------------------
ACTIONS = ("keep", "make", "skip", "refuse", "large", "unfit", "wake:1500", "wake:90000", "forget")
WORDS = st.fixed_dictionaries({flow.name: st.sampled_from(ACTIONS) for flow in FLOWS}).map(
    lambda words: " ".join(f"{flow}={action}" for flow, action in words.items())
)
RECORDS = st.lists(
    st.tuples(st.one_of(WORDS, st.binary(max_size=8)), st.integers(1, 100_000), st.sampled_from([b"k", b"other"])),
    max_size=30,
)


def play(toy: Toy, records) -> None:
    for what, time, key in records:
        toy.run(toy.message(what, time, key) if isinstance(what, str) else toy.raw(what, time, key))


@given(RECORDS)
@settings(max_examples=60, deadline=None)
def test_what_was_read_is_delivered_filtered_or_rejected_whatever_comes(records) -> None:
    toy = Toy()
    play(toy, records)
    audit = toy.commit()
    flows = dict(flows_of(audit))
    for flow in flows.values():
        assert flow["read"] == flow["delivered"] + sum(flow["filtered"].values()) + sum(flow["rejected"].values())
    for name in ("count", "sibling"):
        assert not records or flows[name]["read"] == len(records)
    assert len(toy.outputs.of(B)) == (flows["second"]["read"] if "second" in flows else 0)
    assert len(toy.outputs.of(VIEW)) == sum(view["delivered"] for view in audit["views"])
    dead = sum(len(toy.outputs.of(f"dead.{topic}")) for topic in (A, B))
    assert dead == sum(sum(flow["rejected"].values()) for flow in flows.values())


@given(RECORDS)
@settings(max_examples=30, deadline=None)
def test_a_replay_gives_the_same_bytes(records) -> None:
    once, again = Toy(), Toy()
    play(once, records)
    play(again, records[: len(records) // 2])
    again.abort()
    again.changelog.clear()
    again._offset = 0
    play(again, records)
    assert again.outputs == once.outputs
    assert again.changelog == once.changelog


@given(RECORDS, st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_a_worker_that_takes_over_from_the_changelog_goes_on_as_if_nothing_had_been(records, cut) -> None:
    whole = Toy()
    play(whole, records)
    first = Toy()
    play(first, records[:cut])
    first.commit()
    entries = {}
    for _, key, value in first.changelog:
        entries.pop(key, None) if value is None else entries.update({key: value})
    # Less than a second of the partition's time may be unwritten when no state changed: the next record brings it back.
    second = Toy(entries=entries)
    second.state.partitions[0].time = first.state.partitions[0].time
    second._offset = len(records[:cut])
    play(second, records[cut:])
    assert [r for r in first.outputs if r.topic != "bus.audit"] + second.outputs == whole.outputs


def test_the_audit_record_says_what_it_ran_under_and_what_it_read() -> None:
    toy = Toy()
    toy.do("count=make", "count=skip", "count=refuse")
    audit = toy.commit()
    assert (audit["chain"], audit["slot"], audit["policy_version"]) == ("toy", "0", POLICY_VERSION)
    assert audit["offsets"] == [{"topic": A, "partition": 0, "from": 0, "until": 3}]
    count = dict(flows_of(audit))["count"]
    assert (count["read"], count["delivered"], count["filtered"]) == (3, 1, {"no-change": 1})
    assert count["rejected"] == {"no-such-cell": 1}
