"""One log: Loguru's, with the standard library's loggers led into it, one line an event.

A line never holds a submitted value, a password or a token, and no value can begin a line of its own.
"""

import logging
import sys
import traceback

import loguru
import orjson
from loguru import logger

from app.core.config import Settings
from app.core.context import request_id

# Evaluated only by type checkers: Loguru has these names in its stubs alone.
type Message = loguru.Message
type Record = loguru.Record

# Loggers that would write past the root logger, and the access log that `middleware/logging.py` replaces.
SERVER_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access")


class _StandardLibraryHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        logger.bind(logger=record.name).opt(exception=record.exc_info).log(level, "{}", record.getMessage())


def configure_logging(settings: Settings) -> None:
    """Sends every log line of the process to standard output. Safe to call again."""
    render = _json if settings.LOG_FORMAT == "json" else _text

    def write(message: Message) -> None:
        sys.stdout.write(render(message.record) + "\n")
        sys.stdout.flush()

    logger.remove()
    logger.add(write, level=settings.LOG_LEVEL, format="{message}", backtrace=False, diagnose=False)
    # Libraries speak up only about trouble: at INFO some of them log addresses with what was sent in them.
    logging.basicConfig(handlers=[_StandardLibraryHandler()], level=logging.WARNING, force=True)
    for name in SERVER_LOGGERS:
        server_logger = logging.getLogger(name)
        server_logger.handlers.clear()
        server_logger.setLevel(settings.LOG_LEVEL)
        server_logger.propagate = name != "uvicorn.access"


def _fields(record: Record) -> dict[str, object]:
    fields = {
        "timestamp": record["time"].isoformat(timespec="milliseconds"),
        "level": record["level"].name,
        "logger": record["name"],
        "message": record["message"],
        "request_id": request_id.get(),
        **record["extra"],
    }
    if (exception := record["exception"]) is not None:
        fields["exception"] = "".join(traceback.format_exception(exception.value))
    return fields


def _json(record: Record) -> str:
    # Surrogates, which orjson refuses, have no place in a line of UTF-8 either.
    fields = {key: _printable(value) if isinstance(value, str) else value for key, value in _fields(record).items()}
    return orjson.dumps(fields, default=str).decode()


def _text(record: Record) -> str:
    fields = _fields(record)
    exception = fields.pop("exception", None)
    head = f"{fields.pop('timestamp')} {fields.pop('level'):<8} {fields.pop('message')}"
    rest = " ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
    line = f"{head} {rest}".translate(_CONTROL_CHARACTERS)
    return _printable(f"{line}\n{exception}" if exception else line)


_CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def _printable(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
