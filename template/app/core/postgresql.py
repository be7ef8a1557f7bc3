"""PostgreSQL: engines whose every wait is bounded, for a connection, for a statement, for an answer of the driver."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings

# The isolation level of what writes.
TRANSACTION = "READ COMMITTED"

# Any number does, as long as all replicas of this application use the same.
ADVISORY_LOCK = 7_283_945_106

# How often a replica that waits for it asks again, in seconds.
LOCK_INTERVAL = 0.2

UNBOUNDED = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}


def create_engine(settings: Settings, **options: Any) -> AsyncEngine:
    """`options` are those of SQLAlchemy's engine."""
    statement_timeout = settings.DB_STATEMENT_TIMEOUT
    engine = create_async_engine(
        settings.database_url,
        echo=settings.DEBUG,
        hide_parameters=True,
        connect_args={
            "timeout": settings.DB_POOL_TIMEOUT,
            # A server that is frozen cannot keep its own timeout; the driver gives it one second of grace.
            "command_timeout": statement_timeout + 1,
            "server_settings": {
                "statement_timeout": f"{statement_timeout:g}s",
                "idle_in_transaction_session_timeout": f"{10 * statement_timeout:g}s",
            },
        },
        **options,
    )
    event.listen(engine.sync_engine, "checkout", _replace_closed_connection)
    return engine


def create_migration_engine(settings: Settings) -> AsyncEngine:
    """An engine without those bounds, nor those of the role, since a migration may take its time."""
    return create_async_engine(settings.database_url, poolclass=NullPool, connect_args={"server_settings": UNBOUNDED})


@asynccontextmanager
async def migration_connection(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """A connection whose transactions are its user's own, for as long as no other replica has one.

    The lock is another connection's, since a migration may end a transaction and begin the next. It is a transaction's
    lock, since a session's may stay behind in PgBouncer.
    """
    engine = create_migration_engine(settings)
    async with engine.execution_options(isolation_level=TRANSACTION).connect() as lock, engine.connect() as connection:
        await _wait_for_other_replicas(lock)
        yield connection
    await engine.dispose()


def _replace_closed_connection(dbapi_connection: Any, *_: Any) -> None:
    """Sees, without a round trip, that the server closed a pooled connection, and has the pool open a new one."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


async def _wait_for_other_replicas(lock: AsyncConnection) -> None:
    """Replicas that start together wait here for the first one, and then find nothing left to do.

    They ask again and again: a statement that waits holds a snapshot, and CREATE INDEX CONCURRENTLY waits for all of
    those, so that both would wait for ever.
    """
    taken = text(f"SELECT pg_try_advisory_xact_lock({ADVISORY_LOCK})")
    if not await lock.scalar(taken):
        logging.getLogger("alembic").info("Another process migrates: waiting for its end.")
        await lock.rollback()
        while not await lock.scalar(taken):
            await lock.rollback()
            await asyncio.sleep(LOCK_INTERVAL)
    await lock.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
