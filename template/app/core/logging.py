"""One log: Loguru's, with the standard library's loggers led into it, one line an event.

A line never holds a submitted value, a password or a token, and no value can begin a line of its own.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import loguru
import orjson
from loguru import logger

from app.core.config import Settings
from app.core.context import request_id

# Evaluated only by type checkers: Loguru has these names in its stubs alone.
type Message = loguru.Message
type Record = loguru.Record

# What tells of each line where it belongs, besides the request.
CONTEXT: list[Callable[[], Mapping[str, object]]] = []

# Loggers that would write past the root logger, and the access log that `middleware/logging.py` replaces.
SERVER_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access")


class _StandardLibraryHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        logger.bind(logger=record.name).opt(exception=record.exc_info).log(level, "{}", record.getMessage())


def configure_logging(settings: Settings) -> None:
    """Sends every log line of the process to standard output. Safe to call again."""
    _output.render = _json if settings.LOG_FORMAT == "json" else _text
    _output.has_requests = settings.LOG_LEVEL in {"DEBUG", "INFO"}
    logger.remove()
    logger.add(_write_message, level=settings.LOG_LEVEL, format="{message}", backtrace=False, diagnose=False)
    # Libraries speak up only about trouble: at INFO some of them log addresses with what was sent in them.
    logging.basicConfig(handlers=[_StandardLibraryHandler()], level=logging.WARNING, force=True)
    for name in SERVER_LOGGERS:
        server_logger = logging.getLogger(name)
        server_logger.handlers.clear()
        server_logger.setLevel(settings.LOG_LEVEL)
        server_logger.propagate = name != "uvicorn.access"


def log_request(**facts: object) -> None:
    """A line at INFO, to where Loguru's lines go. Its own way there costs as much as a simple request."""
    if _output.has_requests:
        _output.write(_head(datetime.now(UTC), "INFO", "access", "request") | facts)


def context_fields() -> dict[str, object]:
    fields: dict[str, object] = {"request_id": request_id.get()}
    for tell in CONTEXT:
        fields.update(tell())
    return fields


class _Output:
    """Standard output, one line at a time, as the settings want it."""

    render: Callable[[dict[str, object]], bytes]
    has_requests: bool

    def write(self, fields: dict[str, object]) -> None:
        sys.stdout.buffer.write(self.render(fields))
        sys.stdout.buffer.flush()


_output = _Output()


def _write_message(message: Message) -> None:
    record = message.record
    # A plain one: Loguru's own is written in another way.
    time = datetime.fromtimestamp(record["time"].timestamp(), UTC)
    fields = _head(time, record["level"].name, record["name"], record["message"])
    fields.update(record["extra"])
    if (exception := record["exception"]) is not None:
        fields["exception"] = "".join(traceback.format_exception(exception.value))
    _output.write(fields)


def _head(time: datetime, level: str, name: str | None, message: str) -> dict[str, object]:
    return {"timestamp": time, "level": level, "logger": name, "message": message, **context_fields()}


def _json(fields: dict[str, object]) -> bytes:
    try:
        return orjson.dumps(fields, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # of a surrogate, which has no place in a line of UTF-8 either
        printable = {key: _printable(value) if isinstance(value, str) else value for key, value in fields.items()}
        return orjson.dumps(printable, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _text(fields: dict[str, object]) -> bytes:
    exception = fields.pop("exception", None)
    head = f"{fields.pop('timestamp')} {fields.pop('level'):<8} {fields.pop('message')}"
    rest = " ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
    line = f"{head} {rest}".translate(_CONTROL_CHARACTERS)
    return (f"{line}\n{exception}\n" if exception else f"{line}\n").encode(errors="backslashreplace")


_CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def _printable(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
