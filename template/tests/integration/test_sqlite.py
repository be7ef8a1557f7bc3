"""Tests behaviour that only SQLite has."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from sqlalchemy import Numeric, literal, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from app.core.config import Settings
from app.core.database import Database, create_engine
from app.core.database_errors import client_error
from app.domain.models.refresh_token import RefreshToken
from app.domain.models.user import User
from scripts.local_sqlite import local_sqlite
from tests.api import REGISTER
from tests.factories.user_factory import create_user, user_fields
from tests.server import running_server


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_engine(Settings(DATABASE_URL=database_url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Database]:
    database = Database(Settings(DATABASE_URL=database_url, DB_STATEMENT_TIMEOUT=0.2))
    yield database
    await database.close()


def test_a_path_that_a_url_cannot_hold_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="set DATABASE_URL"), local_sqlite(tmp_path / "a?b/app.db"):
        pass


async def test_it_reads_while_it_writes(connection: AsyncConnection) -> None:
    assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"


async def test_a_reference_to_nothing_is_refused(database: Database) -> None:
    token = RefreshToken(session_id=uuid7(), user_id=uuid7(), token_hash="x", expires_at=datetime.now(UTC))
    with pytest.raises(IntegrityError) as refused:
        async with database.transaction() as session:
            session.add(token)

    error = client_error(refused.value)
    assert error is not None
    assert error.status_code == 409


async def test_times_are_kept_whatever_their_zone(database: Database) -> None:
    noon = datetime(2030, 1, 1, 12, 0, 0, 123456, timezone(timedelta(hours=5)))
    async with database.transaction() as session:
        user = await create_user(session, created_at=noon)
        await session.refresh(user)
        assert user.created_at == noon
        assert user.created_at.tzinfo is UTC
        assert await session.scalar(select(User.id).where(User.created_at < noon + timedelta(seconds=1))) == user.id


async def test_decimals_are_exact(connection: AsyncConnection) -> None:
    kept = await connection.scalar(select(literal(Decimal("0.10"), Numeric(12, 2)) + Decimal("0.20")))

    assert str(kept) == "0.30"


async def test_a_statement_that_takes_too_long_is_an_outage(impatient: Database) -> None:
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000000) SELECT count(*) FROM n"
    with pytest.raises(OperationalError) as stopped:
        async with impatient.reading() as session:
            await session.execute(text(count))

    error = client_error(stopped.value)
    assert error is not None
    assert error.status_code == 503


async def test_who_waits_too_long_to_write_gets_a_503_and_readers_do_not_wait(
    connection: AsyncConnection, database_url: str
) -> None:
    with running_server(database_url, DB_STATEMENT_TIMEOUT="1", REGISTRATION_ENABLED="true") as server:
        async with AsyncClient(base_url=server.address, timeout=100) as client:
            body = user_fields()
            await connection.execute(text("BEGIN IMMEDIATE"))
            refused = await client.post(REGISTER, json=body)
            ready = await client.get("/health/ready")
            await connection.execute(text("ROLLBACK"))
            accepted = await client.post(REGISTER, json=body)

    assert (refused.status_code, ready.status_code, accepted.status_code) == (503, 200, 201)
    assert refused.headers["Retry-After"] == "1"
    await connection.execute(text("DELETE FROM users"))
