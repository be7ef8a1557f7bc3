"""One log with one line per event: Loguru's, which the standard library's loggers write to as well.

A line never holds a submitted value, a password or a token, and no value can begin a line of its own.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO

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

# Raised when a stream is missing, closed or without a reader, or its disk is full.
CANNOT_BE_WRITTEN = (AttributeError, OSError, ValueError)

# A bound field of one of these names does not replace the line's own.
OWN_FIELDS = frozenset({"timestamp", "level", "message"})


class _StandardLibraryHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:  # a level that Loguru has no name for
            level = max(0, record.levelno)
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 (wrong arguments of a log call may raise anything, and must not fail the caller)
            message = str(record.msg)
        logger.bind(logger=record.name).opt(exception=record.exc_info).log(level, "{}", message)


def configure_logging(settings: Settings) -> None:
    """Sends every log line of the process to standard output. Safe to call again.

    Add further sinks with `logger.add`, after this call: they get every line too.
    """
    sink = partial(_write, _json if settings.LOG_FORMAT == "json" else _text)
    logger.remove()
    logger.add(sink, level=settings.LOG_LEVEL, format="{message}", backtrace=False, diagnose=False)
    # Libraries log only warnings and errors, since some of them log URLs with submitted values at INFO.
    logging.basicConfig(handlers=[_StandardLibraryHandler()], level=logging.WARNING, force=True)
    for name in SERVER_LOGGERS:
        server_logger = logging.getLogger(name)
        server_logger.handlers.clear()
        server_logger.setLevel(settings.LOG_LEVEL)
        server_logger.propagate = name != "uvicorn.access"


def log_request(**facts: object) -> None:
    """Deprecated: log with Loguru. This name is removed in 0.6.0."""
    logger.bind(**facts).info("request")


def context_fields() -> dict[str, object]:
    """Returns the fields of every line: the request's ID, and what `CONTEXT` adds."""
    fields: dict[str, object] = {"request_id": request_id.get()}
    for more in CONTEXT:
        fields.update(more())
    return fields


def _write(render: Callable[[dict[str, object], str | None], bytes], message: Message) -> None:
    """Writes one line to the current standard output, or to standard error if that fails.

    It raises nothing: Loguru would print the whole record, and the request would bear the consequences.
    """
    record = message.record
    exception = record["exception"]
    trace = "".join(traceback.format_exception(exception.value)) if exception else None
    line = render(_fields(record), trace)
    for stream in (sys.stdout, sys.stderr):
        try:
            _write_whole(stream.buffer, line)
        except CANNOT_BE_WRITTEN:
            continue
        return


def _write_whole(stream: BinaryIO, line: bytes) -> None:
    """Repeats the write until nothing is left: an unbuffered stream may accept only a part."""
    written = stream.write(line)
    while written is not None and written < len(line):
        line = line[written:]
        written = stream.write(line)
    stream.flush()


def _fields(record: Record) -> dict[str, object]:
    fields: dict[str, object] = {
        # A plain `datetime`, since Loguru's own type is written in another form.
        "timestamp": datetime.fromtimestamp(record["time"].timestamp(), UTC),
        "level": record["level"].name,
        "logger": record["name"],
        "message": record["message"],
        **context_fields(),
    }
    if OWN_FIELDS.isdisjoint(record["extra"]):
        fields.update(record["extra"])
    else:
        fields.update((name, value) for name, value in record["extra"].items() if name not in OWN_FIELDS)
    return fields


def _json(fields: dict[str, object], exception: str | None) -> bytes:
    if exception:
        fields["exception"] = exception
    try:
        return orjson.dumps(fields, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # a value that JSON or UTF-8 cannot represent
        printable = {_shown(key): _json_value(value) for key, value in fields.items()}
        return orjson.dumps(printable, option=orjson.OPT_APPEND_NEWLINE)


def _json_value(value: object) -> orjson.Fragment:
    try:
        return orjson.Fragment(orjson.dumps(value, default=_shown, option=orjson.OPT_NON_STR_KEYS))
    except orjson.JSONEncodeError:
        return orjson.Fragment(orjson.dumps(_shown(value)))


def _text(fields: dict[str, object], exception: str | None) -> bytes:
    head = f"{fields.pop('timestamp')} {fields.pop('level'):<8} {fields.pop('message')}"
    rest = " ".join(f"{key}={_shown(value)}" for key, value in fields.items() if value is not None)
    line = f"{head} {rest}".translate(_CONTROL_CHARACTERS)
    return (f"{line}\n{exception}\n" if exception else f"{line}\n").encode(errors="backslashreplace")


_CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def _shown(value: object) -> str:
    """Returns the value as valid Unicode, or the name of its type if `__str__` fails."""
    try:
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    except Exception:  # noqa: BLE001 (`__str__` is the caller's code, and must not fail the log line)
        return f"<{type(value).__name__}>"
