"""Reports unexpected errors to Sentry: those that the log has with a traceback.

Refusals and outages are not among them. A report has the same fields of a request as the log (method, route, ID), and
never submitted values: no integration of Sentry looks at requests, statements or the values of variables.
"""

import re

import sentry_sdk
from loguru import logger
from sentry_sdk.types import Event, Hint

from app.core.config import DISTRIBUTION, Settings
from app.core.logging import Message, Record, context_fields

# How long the process waits at its end for Sentry to take the remaining reports, in seconds.
FLUSH_TIMEOUT = 2.0

# Libraries whose errors repeat the values that they were given, and what to remove from the text of all others.
REPEATING = ("aiosqlite", "asyncpg", "pydantic", "sqlalchemy", "sqlite3")
_PRIVATE = re.compile(r"[^\s\"'<>(=]+@[^\s\"'<>)]+|eyJ[\w-]+\.[\w.-]+|(?i:bearer)\s+\S+")


def start_sentry(settings: Settings) -> None:
    """Starts Sentry's SDK if `SENTRY_DSN` is set."""
    if settings.SENTRY_DSN is None:
        return
    sentry_sdk.init(
        settings.SENTRY_DSN.get_secret_value(),
        environment=settings.ENVIRONMENT,
        release=f"{DISTRIBUTION}@{settings.VERSION}",
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=_withhold,
    )
    logger.add(_report, level="ERROR", filter=_has_exception, format="{message}", backtrace=False, diagnose=False)


def stop_sentry() -> None:
    """Sends the remaining reports, as far as Sentry takes them in time."""
    sentry_sdk.get_client().close(FLUSH_TIMEOUT)


def _has_exception(record: Record) -> bool:
    return record["exception"] is not None


def _report(message: Message) -> None:
    """Hands the error to a bounded queue, from which a thread sends it."""
    exception = message.record["exception"]
    with sentry_sdk.new_scope() as scope:
        scope.set_tags({**context_fields(), **message.record["extra"]})
        scope.capture_exception(exception and exception.value)


def _withhold(event: Event, _: Hint) -> Event:
    for exception in event.get("exception", {}).get("values", []):
        repeats = (exception.get("module") or "").partition(".")[0] in REPEATING
        exception["value"] = "" if repeats else _PRIVATE.sub("[withheld]", exception["value"])
    return event
