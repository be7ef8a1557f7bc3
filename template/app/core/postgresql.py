"""PostgreSQL engines that bound every wait: for a connection, for a statement, and for a response of the driver."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

import asyncpg
from loguru import logger
from sqlalchemy import URL, ColumnElement, Interval, event, func, literal, make_url, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings

# The isolation level of transactions that write.
ISOLATION_LEVEL = "READ COMMITTED"

# An SQL condition that takes the lock of this number until the transaction ends. It never waits: it is false while
# another transaction has the lock.
TRY_LOCK = "pg_try_advisory_xact_lock(:lock)"

# The options of a transaction that only reads, and sees the database as of one moment.
SNAPSHOT: Mapping[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

# Any number does, as long as all replicas of this application use the same.
ADVISORY_LOCK = 7_283_945_106

# The pause between two attempts to get the lock, in seconds.
LOCK_INTERVAL = 0.2

# The driver's own errors if a connection dies while it is set up, since SQLAlchemy wraps errors of statements only.
SETUP_ERRORS: tuple[type[Exception], ...] = (
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)

UNBOUNDED = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}


# The parameters of a URL that SQLAlchemy itself reads.
OF_SQLALCHEMY = frozenset({"host", "port", "prepared_statement_cache_size"})


def create_engine(settings: Settings, **options: Any) -> AsyncEngine:
    """Returns an engine with the timeouts of the settings. `options` are those of SQLAlchemy's engine."""
    statement_timeout = settings.DB_STATEMENT_TIMEOUT
    url, arguments = _driver_arguments(settings.database_url)
    arguments |= {
        "timeout": min(settings.DB_POOL_TIMEOUT, arguments.get("timeout", settings.DB_POOL_TIMEOUT)),
        # A frozen server cannot enforce its own timeout; the driver gives it one second of grace.
        "command_timeout": statement_timeout + 1,
        "server_settings": {
            "statement_timeout": f"{statement_timeout:g}s",
            "idle_in_transaction_session_timeout": f"{10 * statement_timeout:g}s",
        },
    }
    engine = create_async_engine(url, echo=settings.DEBUG, hide_parameters=True, connect_args=arguments, **options)
    event.listen(engine.sync_engine, "checkout", _replace_closed_connection)
    return engine


def create_migration_engine(settings: Settings) -> AsyncEngine:
    """Returns an engine without these timeouts and without those of the role, since a migration may take long."""
    url, arguments = _driver_arguments(settings.database_url)
    return create_async_engine(url, connect_args=arguments | {"server_settings": UNBOUNDED}, poolclass=NullPool)


@asynccontextmanager
async def migration_connection(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """Yields a connection for migrations, while no other replica has one. The caller manages its transactions.

    Another connection holds the lock, since a migration may end a transaction and begin the next. The lock belongs to a
    transaction, since one that belongs to a session may stay behind in PgBouncer.
    """
    engine = create_migration_engine(settings)
    transactional = engine.execution_options(isolation_level=ISOLATION_LEVEL)
    async with transactional.connect() as lock, engine.connect() as connection:
        await _wait_for_other_replicas(lock)
        yield connection
    await engine.dispose()


def time_after(seconds: float) -> ColumnElement[datetime]:
    """Returns the server's time plus these seconds: it is the same for all replicas, whatever their own clocks say."""
    later: ColumnElement[datetime] = func.now() + literal(timedelta(seconds=seconds), Interval())
    return later


async def ping(connection: AsyncConnection) -> None:
    """Checks that the server responds, and that no pooler dropped `statement_timeout`."""
    if await connection.scalar(text("SELECT current_setting('statement_timeout')")) == "0":
        _warn_of_lost_bounds()


@cache
def _warn_of_lost_bounds() -> None:
    """Cached, so that a process warns once."""
    logger.warning("no statement is bounded: a pooler drops statement_timeout; set it for the role, by ALTER ROLE")


def _driver_arguments(database_url: str) -> tuple[URL, dict[str, Any]]:
    """Returns the URL for SQLAlchemy, and the arguments of the driver, which parses the other parameters as a DSN."""
    url = make_url(database_url)
    parameters = {name: str(value) for name, value in url.query.items() if name not in OF_SQLALCHEMY}
    arguments: dict[str, Any] = {}
    if (timeout := int(parameters.pop("connect_timeout", 0))) > 0:
        arguments["timeout"] = timeout
    mode = parameters.pop("ssl", None)
    if parameters.get("sslrootcert") == "system":
        arguments["ssl"] = _system_context(parameters)
    elif mode:
        arguments["ssl"] = mode
    query = {name: value for name, value in url.query.items() if name in OF_SQLALCHEMY}
    return url.set(query=query), arguments | {"dsn": f"postgresql://?{urlencode(parameters)}"}


def _system_context(parameters: Mapping[str, str]) -> ssl.SSLContext:
    """Returns the equivalent of `sslrootcert=system` in libpq: the CAs of this machine, and a verified host name."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["postgresql"])
    if certificate := parameters.get("sslcert"):
        context.load_cert_chain(certificate, parameters.get("sslkey"), parameters.get("sslpassword"))
    return context


def _replace_closed_connection(dbapi_connection: Any, *_: Any) -> None:
    """Makes the pool replace a connection that the server has closed. To notice this takes no round trip."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


async def _wait_for_other_replicas(lock: AsyncConnection) -> None:
    """Replicas that start together wait here for the first one, and then find nothing left to do.

    They poll, since a statement that waits holds a snapshot, and CREATE INDEX CONCURRENTLY waits for all snapshots, so
    that both would wait forever.
    """
    taken = text(f"SELECT pg_try_advisory_xact_lock({ADVISORY_LOCK})")
    if not await lock.scalar(taken):
        logging.getLogger("alembic").info("Another process is migrating: waiting for it to finish.")
        await lock.rollback()
        while not await lock.scalar(taken):
            await lock.rollback()
            await asyncio.sleep(LOCK_INTERVAL)
    await lock.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
