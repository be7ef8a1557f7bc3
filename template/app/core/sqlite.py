"""SQLite, adapted to what the layers above expect of a database.

References are checked, waits are bounded, times keep their zone, and errors carry an SQLSTATE.
"""

import math
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic
from typing import Any

from sqlalchemy import ColumnElement, Connection, DateTime, Dialect, Float, Numeric, String, event, func, text
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.engine import ExceptionContext, ExecutionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from app.core.config import Settings
from app.core.read_only import WRITABLE, is_read_only

# The isolation level of transactions that write.
ISOLATION_LEVEL = "SERIALIZABLE"

# An SQL condition for the lock of this number. It is always true, since a transaction that writes locks the whole file.
TRY_LOCK = ":lock IS NOT NULL"

# The options of a transaction that only reads.
SNAPSHOT: Mapping[str, Any] = {"isolation_level": "SERIALIZABLE"}

# The driver's own errors if a connection cannot be set up, since SQLAlchemy wraps errors of statements only.
SETUP_ERRORS: tuple[type[Exception], ...] = (sqlite3.OperationalError,)

# How long to wait while another replica migrates, in seconds.
MIGRATION_TIMEOUT = 60

# How many instructions SQLite executes before it checks the clock.
INSTRUCTIONS = 10_000

SQLSTATES = {
    "SQLITE_CONSTRAINT_UNIQUE": "23505",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "23505",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "23503",
    "SQLITE_CONSTRAINT_TRIGGER": "23503",
    "SQLITE_CONSTRAINT_CHECK": "23514",
    "SQLITE_CONSTRAINT_NOTNULL": "23502",
    "SQLITE_BUSY": "55P03",
    "SQLITE_BUSY_SNAPSHOT": "40001",
    "SQLITE_LOCKED": "55P03",
    "SQLITE_INTERRUPT": "57014",
    "SQLITE_CANTOPEN": "08001",
    "SQLITE_FULL": "53100",
}


class UtcDateTime(DATETIME):
    """A time that is stored in UTC, since SQLite stores no time zone."""

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        """Returns the function that writes a time of any zone as the text that is stored."""
        return lambda value: None if value is None else _written(value.astimezone(UTC))

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], datetime | None]:
        """Returns the function that reads the stored text as a time in UTC."""
        return lambda value: None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


def _written(value: datetime) -> str:
    """Writes four digits for every year, so that text sorts like time."""
    return value.replace(tzinfo=None).isoformat(" ", "microseconds")


class ExactNumeric(Numeric[Decimal]):
    """A decimal number that SQLite stores in floating point, which keeps 15 digits; they come back as they were."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[float | None], Decimal | None]:
        """Returns the function that rounds the stored number to the scale of the column."""
        return lambda value: None if value is None else Decimal(f"{value:.{self.scale}f}")


def create_engine(settings: Settings, **options: Any) -> AsyncEngine:
    """Returns an engine with the timeouts of the settings. `options` are those of SQLAlchemy's engine."""
    statement_timeout = settings.DB_STATEMENT_TIMEOUT
    engine = _create_engine(settings, statement_timeout, echo=settings.DEBUG, hide_parameters=True, **options)

    def bound_statements(dbapi_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        info = record.info
        info["deadline"] = math.inf
        dbapi_connection.run_async(
            lambda driver: driver.set_progress_handler(lambda: monotonic() > info["deadline"], INSTRUCTIONS)
        )

    def begin_statement(conn: Connection, context: ExecutionContext, **_: Any) -> None:
        streams = context.execution_options.get("stream_results")  # such a statement runs for as long as it is read
        reading = settings.EXPORT_TIMEOUT if streams else 0
        conn.info["deadline"] = monotonic() + statement_timeout + reading

    event.listen(engine.sync_engine, "connect", _check_references)
    event.listen(engine.sync_engine, "connect", bound_statements)
    event.listen(engine.sync_engine, "before_cursor_execute", begin_statement, named=True)
    return engine


def create_migration_engine(settings: Settings) -> AsyncEngine:
    """Returns an engine for a migration, which may take long and recreates tables that others refer to."""
    return _create_engine(settings, MIGRATION_TIMEOUT, poolclass=NullPool)


def time_after(seconds: float) -> ColumnElement[str]:
    """Returns the current time plus this many seconds, as `UtcDateTime` writes it."""
    return func.strftime("%Y-%m-%d %H:%M:%f000", "now", f"{seconds:+.3f} seconds", type_=String())


async def ping(connection: AsyncConnection) -> None:
    """Raises an error of SQLAlchemy, or one of `SETUP_ERRORS`, if the database cannot be used."""
    await connection.execute(text("SELECT 1"))


@asynccontextmanager
async def migration_connection(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """Yields a connection for migrations, while no other replica has one. The caller manages its transactions.

    The lock is on another file, since a migration may end a transaction and begin the next.
    """
    engine = create_migration_engine(settings)
    file = f"{engine.url.database}-migration"
    lock = sqlite3.connect(file, timeout=MIGRATION_TIMEOUT, isolation_level=None, uri=file.startswith("file:"))
    with closing(lock):
        lock.execute("BEGIN EXCLUSIVE")
        async with engine.connect() as connection:
            yield connection
    await engine.dispose()


def _create_engine(settings: Settings, timeout: float, **options: Any) -> AsyncEngine:
    engine = create_async_engine(settings.database_url, connect_args={"timeout": timeout}, **options)
    dialect = engine.sync_engine.dialect
    dialect.colspecs = {**dialect.colspecs, DateTime: UtcDateTime, Float: Float, Numeric: ExactNumeric}
    event.listen(engine.sync_engine, "connect", _let_readers_read)
    event.listen(engine.sync_engine, "begin", _begin)
    event.listen(engine.sync_engine, "handle_error", _add_sqlstate)
    return engine


def _let_readers_read(dbapi_connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Lets connections read while another one writes. The file keeps this mode."""
    _execute(dbapi_connection, "PRAGMA journal_mode = WAL")


def _check_references(dbapi_connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _execute(dbapi_connection, "PRAGMA foreign_keys = ON")


def _execute(dbapi_connection: DBAPIConnection, statement: str) -> None:
    cursor = dbapi_connection.cursor()
    cursor.execute(statement)
    cursor.close()


def _begin(connection: Connection) -> None:
    """Takes the only write lock at once, since a transaction that reads before it writes might not get it later."""
    driver: Any = connection.connection.driver_connection
    if driver.isolation_level is None:  # in autocommit mode, each statement is a transaction
        return
    begin = "BEGIN" if is_read_only(connection) else "BEGIN IMMEDIATE"
    connection.exec_driver_sql(begin, execution_options=WRITABLE)


def _add_sqlstate(context: ExceptionContext) -> None:
    """Adds to the error what PostgreSQL would report: the SQLSTATE, the table, the constraint and the detail."""
    error = context.original_exception
    if not isinstance(error, sqlite3.Error):
        return
    sqlstate = SQLSTATES.get(getattr(error, "sqlite_errorname", ""))
    table, constraint, detail = _named(sqlstate, str(error), context.statement or "")
    if context.statement is None:
        # A COMMIT that fails leaves the transaction open, with its lock: the connection must not be used again.
        context.is_disconnect, context.invalidate_pool_on_disconnect = True, False
    vars(error).update(sqlstate=sqlstate, table_name=table, constraint_name=constraint, detail=detail)


def _named(sqlstate: str | None, message: str, statement: str) -> tuple[str, str, str]:
    """Returns the table, the constraint, and the detail that PostgreSQL would give."""
    if sqlstate == "23505" and (found := re.findall(r"(\w+)\.(\w+)", message)):
        columns = [column for _, column in found]
        return found[0][0], "_".join(["uq", found[0][0], *columns]), f"Key ({', '.join(columns)})=()"
    if sqlstate == "23514" and (table := re.match(r'(?:INSERT INTO|UPDATE) "?(\w+)', statement)):
        return table[1], message.rpartition(": ")[2], ""
    return "", "", ""
