"""PostgreSQL: engines whose every wait is bounded, for a connection, for a statement, for an answer of the driver."""

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings

# The isolation level of what writes.
TRANSACTION = "READ COMMITTED"

# Any number does, as long as all replicas of this application use the same.
ADVISORY_LOCK = 7_283_945_106


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
    """An engine without those bounds, since a migration may take its time, and only one at a time."""
    engine = create_async_engine(settings.database_url, poolclass=NullPool)
    event.listen(engine.sync_engine, "begin", _wait_for_other_replicas)
    return engine


def _replace_closed_connection(dbapi_connection: Any, *_: Any) -> None:
    """Sees, without a round trip, that the server closed a pooled connection, and has the pool open a new one."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


def _wait_for_other_replicas(connection: Connection) -> None:
    """Replicas that start together wait here for the first one, and then find nothing left to do."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")
