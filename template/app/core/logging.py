"""One log: Loguru's, with the standard library's loggers led into it, one line an event.

A line never holds a submitted value, a password or a token, and no value can begin a line of its own.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

import loguru
import orjson
from loguru import logger

from app.core.config import Settings
from app.core.context import request_id

# Evaluated only by type checkers: Loguru has these names in its stubs alone.
type Message = loguru.Message
type Record = loguru.Record

# Functions that add fields to every line, such as the trace that it belongs to.
CONTEXT: list[Callable[[], Mapping[str, object]]] = []

# Loggers that would write past the root logger, and the access log that `middleware/logging.py` replaces.
SERVER_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access")


class _StandardLibraryHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        logger.bind(logger=record.name).opt(exception=record.exc_info).log(level, "{}", record.getMessage())


def configure_logging(settings: Settings) -> None:
    """Sends every log line of the process to standard output. Safe to call again.

    Add sinks of your own with `logger.add`, after this: they get every line too.
    """
    sink = partial(_write, _json if settings.LOG_FORMAT == "json" else _text)
    logger.remove()
    logger.add(sink, level=settings.LOG_LEVEL, format="{message}", backtrace=False, diagnose=False)
    # Libraries speak up only about trouble: at INFO some of them log addresses with what was sent in them.
    logging.basicConfig(handlers=[_StandardLibraryHandler()], level=logging.WARNING, force=True)
    for name in SERVER_LOGGERS:
        server_logger = logging.getLogger(name)
        server_logger.handlers.clear()
        server_logger.setLevel(settings.LOG_LEVEL)
        server_logger.propagate = name != "uvicorn.access"


def log_request(**facts: object) -> None:
    """Deprecated: log with Loguru. This name goes in 0.5.0."""
    logger.bind(**facts).info("request")


def context_fields() -> dict[str, object]:
    fields: dict[str, object] = {"request_id": request_id.get()}
    for more in CONTEXT:
        fields.update(more())
    return fields


def _write(render: Callable[[dict[str, object]], bytes], message: Message) -> None:
    """Writes one line to standard output, as it is at that moment."""
    record = message.record
    fields: dict[str, object] = {
        # A plain time: Loguru's own type is written in another form.
        "timestamp": datetime.fromtimestamp(record["time"].timestamp(), UTC),
        "level": record["level"].name,
        "logger": record["name"],
        "message": record["message"],
        **context_fields(),
        **record["extra"],
    }
    if (exception := record["exception"]) is not None:
        fields["exception"] = "".join(traceback.format_exception(exception.value))
    sys.stdout.buffer.write(render(fields))
    sys.stdout.buffer.flush()


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
