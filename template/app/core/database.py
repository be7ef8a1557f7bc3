"""The engine, and the two kinds of session that a request may have."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.core.config import Settings

# How long readiness may wait for the database, in seconds.
PING_TIMEOUT = 1.0


def create_engine(settings: Settings, **options: Any) -> AsyncEngine:
    """An engine whose every wait is bounded: for a connection, for a statement, for an answer of the driver."""
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


def _replace_closed_connection(dbapi_connection: Any, *_: Any) -> None:
    """Sees, without a round trip, that the server closed a pooled connection, and has the pool open a new one."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


class Database:
    """Hands out sessions; one instance a process."""

    def __init__(self, settings: Settings) -> None:
        self._engine = create_engine(
            settings,
            pool_size=settings.DB_POOL_SIZE,
            max_overflow=settings.DB_MAX_OVERFLOW,
            pool_timeout=settings.DB_POOL_TIMEOUT,
            pool_recycle=1800,
        )
        # Readiness has a connection of its own: a busy pool is no reason to take a replica out of service.
        self._ping_engine = create_engine(settings, pool_size=1, max_overflow=0, pool_timeout=PING_TIMEOUT)
        self._configure_sessions(self._engine, self._engine.execution_options(isolation_level="AUTOCOMMIT"))

    def _configure_sessions(
        self, write: AsyncEngine | AsyncConnection, read: AsyncEngine | AsyncConnection, **options: Any
    ) -> None:
        self._write_session = async_sessionmaker(write, expire_on_commit=False, **options)
        self._read_session = async_sessionmaker(read, expire_on_commit=False, **options)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end of the block, rolled back on any error."""
        async with self._write_session() as session:
            yield session
            await session.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for statements that only read: each stands alone, which saves BEGIN and ROLLBACK."""
        async with self._read_session() as session:
            yield session

    async def ping(self) -> None:
        """Raises when the database does not answer."""
        async with self._ping_engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()
        await self._ping_engine.dispose()
