import asyncio
import os
import sys
from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Uuid, bindparam, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from app.core.config import ROOT, Settings
from app.core.database import create_migration_engine
from app.domain.models.base import Base
from tests.conftest import migrate
from tests.database import create, drop


@pytest.fixture
async def empty_database_url(worker_id: str) -> AsyncIterator[str]:
    url = await create(f"{worker_id}_migrations")
    yield url
    await drop(url)


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_migration_engine(Settings(DATABASE_URL=empty_database_url))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        yield connection
    await engine.dispose()


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


async def test_up_down_up_ends_where_the_models_are(connection: AsyncConnection, empty_database_url: str) -> None:
    await migrate(empty_database_url, "head")
    assert await connection.run_sync(differences) == []

    await migrate(empty_database_url, "base")
    assert await connection.run_sync(tables) == set()

    await migrate(empty_database_url, "head")
    assert await connection.run_sync(tables) == set(Base.metadata.tables)


async def test_a_version_comes_to_records_that_are_there_and_goes_again(
    connection: AsyncConnection, empty_database_url: str
) -> None:
    await migrate(empty_database_url, "0002")
    insert = "INSERT INTO users (id, email, password_hash, full_name) VALUES (:id, 'a@b.example', '-', 'Ada')"
    await connection.execute(text(insert).bindparams(bindparam("id", uuid7(), Uuid)))

    await migrate(empty_database_url, "0003")
    assert (await connection.execute(text("SELECT email, version FROM users"))).all() == [("a@b.example", 1)]

    await migrate(empty_database_url, "-1")
    assert (await connection.execute(text("SELECT email FROM users"))).all() == [("a@b.example",)]


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory(str(ROOT / "alembic")).get_heads()) == 1


async def test_replicas_that_start_together_migrate_once(connection: AsyncConnection, empty_database_url: str) -> None:
    environment = os.environ | {"DATABASE_URL": empty_database_url}
    command = (sys.executable, "-m", "alembic", "upgrade", "head")
    replicas = [await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment) for _ in range(3)]

    assert [await replica.wait() for replica in replicas] == [0, 0, 0]
    assert await connection.run_sync(differences) == []


async def test_a_fresh_database_holds_no_account(connection: AsyncConnection, empty_database_url: str) -> None:
    await migrate(empty_database_url)

    assert await connection.scalar(text("SELECT count(*) FROM users")) == 0
