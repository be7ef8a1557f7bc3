import json
import logging
import re
from collections.abc import Iterator

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
