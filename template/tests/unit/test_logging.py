import errno
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger

from app.core.config import Settings
from app.core.context import request_id
from app.core.logging import configure_logging


@pytest.fixture(params=["json", "text"])
def log_format(request: pytest.FixtureRequest) -> str:
    configure_logging(Settings(LOG_FORMAT=request.param))
    return str(request.param)


@pytest.fixture(autouse=True)
def _of_one_request() -> Iterator[None]:
    token = request_id.set("request-1")
    yield
    request_id.reset(token)


@pytest.mark.usefixtures("log_format")
def test_a_line_carries_the_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    logger.bind(user="ada").info("hello {}", "world")

    line = capsys.readouterr().out
    assert "hello world" in line
    assert "request-1" in line
    assert "ada" in line


@pytest.mark.usefixtures("log_format")
@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\x1b[31mb", "a\x85b", "a\x00b", "a\ud800b", "{0} {x}"])
def test_no_value_can_begin_a_line_or_break_the_log(capsys: pytest.CaptureFixture[str], text: str) -> None:
    logger.bind(value=text).info(text)

    output = capsys.readouterr().out
    assert output.count("\n") == 1
    assert not any(character in output for character in "\r\x1b\x00")


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("secret")

    __repr__ = __str__


def circle() -> list[object]:
    found: list[object] = []
    found.append(found)
    return found


@pytest.mark.usefixtures("log_format")
@pytest.mark.parametrize(
    "bound",
    [
        {"value": {1: 2}},
        {"value": {(1, "a"): {2: Unshowable()}}},
        {"value": Unshowable()},
        {"value": [2**64, "\ud800"]},
        {"value": 10**5000},
        {"value": circle()},
        {"value": float("nan")},
        {"va\ud800lue": 1},
        {"value\n": 1},
        {"level": ["value"], "timestamp": None, "message": {}, "exception": 1, "value": 1},
        {"logger": Unshowable(), "value": 1},
    ],
)
def test_whatever_is_bound_one_line_is_written(capsys: pytest.CaptureFixture[str], bound: dict[str, object]) -> None:
    logger.bind(**bound).info("hello")

    written = capsys.readouterr()
    assert written.out.count("\n") == 1
    assert all(part in written.out for part in ("INFO", "hello", "request-1", "va"))
    assert written.err == ""


def test_a_key_that_is_no_text_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(LOG_FORMAT="json"))

    logger.bind(value={1: 2}).info("hello")

    assert json.loads(capsys.readouterr().out)["value"] == {"1": 2}


@pytest.mark.usefixtures("log_format")
def test_a_line_that_a_library_wrote_wrongly_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    logging.addLevelName(35, "NOTICE")
    (handler,) = (each for each in logging.getLogger().handlers if type(each).__module__ == "app.core.logging")

    for level, text, arguments in [(30, "wants %d", ("secret",)), (35, "has a level of its own", ())]:
        handler.handle(logging.LogRecord("some.library", level, __file__, 1, text, arguments, None))

    written = capsys.readouterr()
    assert "wants %d" in written.out
    assert "has a level of its own" in written.out
    assert "secret" not in written.out + written.err


class Broken(io.BytesIO):
    """Fails like a full disk, or like a pipe that nobody reads any more."""

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.usefixtures("log_format")
@pytest.mark.parametrize("is_closed", [False, True])
def test_what_standard_output_does_not_take_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, is_closed: bool
) -> None:
    stream = io.TextIOWrapper(io.BytesIO() if is_closed else Broken())
    if is_closed:
        stream.close()
    monkeypatch.setattr(sys, "stdout", stream)

    logger.info("hello")

    (line,) = capsys.readouterr().err.splitlines()
    assert "hello" in line


@pytest.mark.usefixtures("log_format")
def test_without_any_output_nothing_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(Broken()))

    logger.info("hello")


class Halting(io.BytesIO):
    """Accepts a part of the data, as a pipe that is nearly full does."""

    def write(self, data: Any) -> int:
        return super().write(data[:10])


@pytest.mark.usefixtures("log_format")
def test_a_line_is_written_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Halting()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(stream))

    logger.info("hello")

    assert stream.getvalue().endswith(b"\n")
    assert b"hello" in stream.getvalue()


@pytest.mark.usefixtures("log_format")
def test_the_standard_librarys_loggers_end_in_the_same_log(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("some.library").warning("100%% {sure}")
    logging.getLogger("some.library").info("chatter")

    output = capsys.readouterr().out
    assert "some.library" in output
    assert "100%% {sure}" in output or "100% {sure}" in output
    assert "chatter" not in output


@pytest.mark.usefixtures("log_format")
def test_an_exception_is_told_without_the_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(password: str) -> None:
        raise ValueError(len(password))

    try:
        fail("hunter" + "2")
    except ValueError:
        logger.exception("failed")

    output = capsys.readouterr().out
    assert "ValueError: 7" in output
    assert "hunter2" not in output


def test_every_line_has_its_time_in_utc_and_in_one_form(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger.info("of Loguru")
    logging.getLogger("some.library").warning("of the standard library")

    between = "T" if log_format == "json" else " "
    form = r"\d+-\d\d-\d\d" + between + r"\d\d:\d\d:\d\d\.\d+\+00:00"
    assert len(re.findall(form, capsys.readouterr().out)) == 2


def test_a_json_line_has_stable_names(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(LOG_FORMAT="json"))

    logger.bind(answer=42).warning("hello")

    event = json.loads(capsys.readouterr().out)
    assert set(event) == {"timestamp", "level", "logger", "message", "request_id", "answer"}
    assert (event["level"], event["answer"]) == ("WARNING", 42)
