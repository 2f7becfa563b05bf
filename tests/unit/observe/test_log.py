"""Every line of a process has one form, says where in the bus it belongs, and quotes nobody."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from streams.errors import SystemFailure
from streams.observe import log

PERSON = "120101199003074514"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    yield
    root.handlers[:], (sys.excepthook, threading.excepthook) = handlers, hooks
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_our_own_lines_carry_their_fields_and_the_process_fields() -> None:
    out = io.StringIO()
    log.configure("json", stream=out, chain="person", slot=3)
    structlog.get_logger("streams.engine.x").info("committed", topic="health.code.changed", partition=2, offset=77)
    (line,) = lines(out)
    assert line["event"] == "committed"
    assert (line["topic"], line["partition"], line["offset"]) == ("health.code.changed", 2, 77)
    assert (line["chain"], line["slot"], line["level"], line["logger"]) == ("person", 3, "info", "streams.engine.x")
    assert line["timestamp"].endswith("Z")


def test_a_field_given_with_the_line_wins_over_the_process_field() -> None:
    out = io.StringIO()
    log.configure("json", stream=out, chain="person")
    structlog.get_logger().info("x", chain="intake")
    assert lines(out)[0]["chain"] == "intake"


def test_library_lines_have_the_same_form() -> None:
    out = io.StringIO()
    log.configure("json", stream=out, chain="person")
    logging.getLogger("faust").warning("%s left", "member", extra={"topic": "t", "secret": "s"})
    (line,) = lines(out)
    assert (line["event"], line["level"], line["logger"]) == ("member left", "warning", "faust")
    assert (line["chain"], line["topic"]) == ("person", "t")
    assert "secret" not in line


def test_lines_below_the_level_are_left_out() -> None:
    out = io.StringIO()
    log.configure("json", stream=out)
    structlog.get_logger().debug("x")
    logging.getLogger("mode").debug("x")
    assert out.getvalue() == ""


def test_configuring_again_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    log.configure("json", stream=first)
    log.configure("json", stream=second)
    structlog.get_logger().info("x")
    assert first.getvalue() == "" and len(lines(second)) == 1


def test_auto_is_json_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    log.configure("auto", stream=out)
    structlog.get_logger().info("x")
    assert lines(out)[0]["event"] == "x"


def test_a_terminal_gets_columns_and_chinese_stays_readable() -> None:
    out = io.StringIO()
    log.configure("pretty", stream=out)
    structlog.get_logger().info("红码", chain="person")
    assert "红码" in out.getvalue() and "chain=person" in out.getvalue()


@pytest.mark.parametrize("format", ["json", "pretty"])
def test_an_exceptions_text_is_left_out_and_its_place_kept(format: log.Format) -> None:
    out = io.StringIO()
    log.configure(format, stream=out)
    try:
        try:
            int("张三")
        except ValueError as exc:
            raise KeyError("张三") from exc
    except KeyError:
        structlog.get_logger().exception("the handler raised")
    text = out.getvalue()
    assert "张三" not in text
    assert "KeyError" in text and "ValueError" in text and "test_log.py" in text


def test_errors_of_our_own_tree_and_of_the_system_keep_their_text() -> None:
    out = io.StringIO()
    log.configure("json", stream=out)
    structlog.get_logger().error("x", exc_info=SystemFailure("Kafka does not answer"))
    logging.getLogger("faust").error("y", exc_info=OSError("disk full"))
    assert "Kafka does not answer" in lines(out)[0]["exception"]
    assert "disk full" in lines(out)[1]["exception"]


def test_an_exception_formatted_into_a_librarys_message_is_told_by_its_type() -> None:
    out = io.StringIO()
    log.configure("json", stream=out)
    logging.getLogger("mode").error("Crashed reason=%r", ValueError("张三"))
    logging.getLogger("mode").error("%(why)s", {"why": ValueError("张三")})
    logging.getLogger("mode").error(ValueError("张三"))
    assert "张三" not in out.getvalue()
    assert len(lines(out)) == 3


def test_a_person_id_in_any_field_or_message_is_redacted() -> None:
    out = io.StringIO()
    log.configure("json", stream=out)
    structlog.get_logger().info(f"of {PERSON}", key=PERSON, many=[PERSON.encode()])
    logging.getLogger("aiohttp").info("of %s", PERSON)
    assert PERSON not in out.getvalue()
    assert out.getvalue().count("[id]") == 4


def test_a_line_that_cannot_be_formatted_is_told_without_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    log.configure("json", stream=out)
    logging.getLogger("aiohttp").info("%d", "张三")
    told = out.getvalue() + capsys.readouterr().err
    assert "could not be formatted" in told and "aiohttp" in told and "张三" not in told


def test_uncaught_exceptions_are_lines_like_any_other() -> None:
    out = io.StringIO()
    log.configure("json", stream=out)
    exc = ValueError("张三")
    sys.excepthook(ValueError, exc, None)
    thread = threading.Thread(target=lambda: int("张三"))
    thread.start()
    thread.join()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [line["level"] for line in lines(out)] == ["critical", "critical"]
    assert "张三" not in out.getvalue()


def test_warnings_are_lines_like_any_other() -> None:
    out = io.StringIO()
    log.configure("json", stream=out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    logging.captureWarnings(True)
    assert any("old" in line["event"] for line in lines(out))
