"""One span for each SQL statement, whatever the database.

This is our own code, since OpenTelemetry's instrumentation of SQLAlchemy does not support SQLAlchemy 2.1.
"""

from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine, ExceptionContext

_tracer = trace.get_tracer(__name__)


def trace_statements() -> None:
    """Has each statement of SQLAlchemy make a span."""
    event.listen(Engine, "before_cursor_execute", _begin)
    event.listen(Engine, "after_cursor_execute", _end)
    event.listen(Engine, "handle_error", _fail)


def _begin(connection: Connection, _: object, statement: str, __: object, context: Any, ___: bool) -> None:
    """The text has placeholders in place of values."""
    operation = statement.split(maxsplit=1)[0]
    attributes = {
        "db.system.name": connection.dialect.name,
        "db.operation.name": operation,
        "db.query.text": statement,
    }
    context.span = _tracer.start_span(operation, kind=SpanKind.CLIENT, attributes=attributes)


def _end(_: object, __: object, ___: object, ____: object, context: Any, _____: bool) -> None:
    context.span.end()


def _fail(error: ExceptionContext) -> None:
    span: trace.Span = getattr(error.execution_context, "span", trace.INVALID_SPAN)
    span.set_attribute("error.type", type(error.original_exception).__name__)
    span.set_status(StatusCode.ERROR)
    span.end()
