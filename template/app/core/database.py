"""The two kinds of session that a request may have."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.core.config import Settings
from app.core.engine import TRANSACTION, create_engine
from app.core.session import ReadSession, WriteSession

# How long readiness may wait for the database, in seconds.
PING_TIMEOUT = 1.0


class Database:
    """Hands out sessions; one instance a process."""

    def __init__(self, settings: Settings) -> None:
        self._engine = create_engine(
            settings,
            isolation_level="AUTOCOMMIT",
            pool_size=settings.DB_POOL_SIZE,
            max_overflow=settings.DB_MAX_OVERFLOW,
            pool_timeout=settings.DB_POOL_TIMEOUT,
            pool_recycle=1800,
        )
        # Readiness has a connection of its own: a busy pool is no reason to take a replica out of service.
        self._ping_engine = create_engine(
            settings, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0, pool_timeout=PING_TIMEOUT
        )
        # To change the level of a connection and to set it back takes time, which writes have and reads have not.
        write = self._engine.execution_options(isolation_level=TRANSACTION)
        self._write_session = async_sessionmaker(write, class_=WriteSession, expire_on_commit=False)
        self._read_session = async_sessionmaker(self._engine, class_=ReadSession, expire_on_commit=False)

    def transaction(self) -> AsyncSession:
        """A session for a block that is one transaction: committed at its end, rolled back on any error."""
        session: AsyncSession = self._write_session()
        return session

    def reading(self) -> AsyncSession:
        """A session for a block of statements that only read: each stands alone, which saves BEGIN and ROLLBACK."""
        session: AsyncSession = self._read_session()
        return session

    async def ping(self) -> None:
        """Raises when the database does not answer."""
        async with self._ping_engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()
        await self._ping_engine.dispose()
