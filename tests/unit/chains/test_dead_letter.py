"""Dead letters: the refused bytes, and headers that say why and where they came from."""

import pytest

from streams.chains.dead_letter import DeadLetters
from streams.engine.client import MAX_RECORD
from streams.errors import Rejection
from tests.unit.chains.toy import Message, Outputs

WHY = Rejection("validate", "check-character", "field person_id")


def letter(value: bytes | None, key: bytes | None = b"k"):
    outputs = Outputs()
    origin = Message("in.wjw.health.test.result", value, key, offset=41, time=99, partition=3)
    DeadLetters(outputs).send("health.code.changed", "grid-alert", WHY, origin, key, value)
    [record] = outputs
    return record


def test_it_goes_to_the_dead_letters_of_the_topic_that_the_flow_read() -> None:
    assert letter(b"x").topic == "dead.health.code.changed"


def test_headers_say_step_reason_flow_and_the_root_record() -> None:
    assert letter(b"x").headers == {
        "step": "validate",
        "reason": "check-character",
        "detail": "field person_id",
        "flow": "grid-alert",
        "topic": "in.wjw.health.test.result",
        "partition": "3",
        "offset": "41",
    }


def test_value_key_and_timestamp_are_the_refused_records() -> None:
    assert letter(b"x")[1:4] == (b"x", b"k", 99)


def test_a_value_over_the_limit_is_left_out_and_its_size_told() -> None:
    assert letter(b"x" * MAX_RECORD).value is not None
    large = letter(b"x" * (MAX_RECORD + 1))
    assert large.value is None
    assert large.headers["size"] == str(MAX_RECORD + 1)


def test_a_key_over_the_limit_is_left_out() -> None:
    assert letter(b"x", b"k" * (MAX_RECORD + 1)).key is None


def test_a_record_without_a_value_is_a_letter_without_one() -> None:
    assert letter(None).value is None
    assert "size" not in letter(None).headers


def test_what_intake_noted_of_the_published_record_is_the_origin_however_many_hops_later() -> None:
    outputs = Outputs()
    noted = [("origin", b"in.wjw.health.test.result/3/41")]
    read = Message("health.test.result", b"x", offset=7, partition=23, headers=noted)
    DeadLetters(outputs).send("health.code.changed", "grid-alert", WHY, read, b"k", b"x")
    said = outputs[0].headers
    assert (said["topic"], said["partition"], said["offset"]) == ("in.wjw.health.test.result", "3", "41")


@pytest.mark.parametrize("forged", [b"in.cdc.health.area.stayed/0/1", b"x", b"\xff", b""])
def test_a_publisher_cannot_say_where_its_record_comes_from(forged: bytes) -> None:
    outputs = Outputs()
    read = Message("in.wjw.health.test.result", b"x", offset=41, partition=3, headers=[("origin", forged)])
    DeadLetters(outputs).send("in.wjw.health.test.result", "intake", WHY, read, b"k", b"x")
    said = outputs[0].headers
    assert (said["topic"], said["partition"], said["offset"]) == ("in.wjw.health.test.result", "3", "41")
