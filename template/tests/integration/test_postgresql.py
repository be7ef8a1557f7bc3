"""What holds on PostgreSQL alone."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from app.core.config import ROOT, Settings
from app.core.database import Database, create_engine
from app.core.postgresql import ADVISORY_LOCK
from app.repository.user_repository import UserRepository


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_engine(Settings(DATABASE_URL=database_url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def test_a_replica_waits_while_another_one_migrates(connection: AsyncConnection, database_url: str) -> None:
    await connection.execute(text(f"SELECT pg_advisory_lock({ADVISORY_LOCK})"))
    snapshots = text("SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()")

    replica = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "upgrade", "head"),
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url},
        stderr=asyncio.subprocess.PIPE,
    )
    assert replica.stderr is not None
    assert b"waiting" in await replica.stderr.readline()
    # What makes an index CONCURRENTLY waits until there is none.
    while await connection.scalar(snapshots) > 0:
        assert replica.returncode is None, "it did not wait"
        await asyncio.sleep(0.05)
    await connection.execute(text(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})"))

    _, said = await replica.communicate()
    assert replica.returncode == 0, said


async def test_only_a_write_has_a_transaction_around_it(database_url: str) -> None:
    database = Database(Settings(DATABASE_URL=database_url))
    said: list[str] = []

    @event.listens_for(database._engine.sync_engine, "connect")
    def listen(connection: Any, _: object) -> None:
        connection.driver_connection.add_query_logger(lambda logged: said.append(logged.query.split()[0].rstrip(";")))

    async with database.reading() as session:
        await UserRepository(session).get(uuid4())
    said.clear()  # what the first connection asks the server about itself
    async with database.reading() as session:
        await UserRepository(session).get(uuid4())
    read = list(said)
    async with database.transaction() as session:
        await UserRepository(session).get(uuid4())
    await database.close()

    assert read == []
    assert said == ["BEGIN", "COMMIT"]
