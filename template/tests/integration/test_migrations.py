import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import ROOT
from app.domain.models.base import Base
from tests.conftest import administer, migrate


@pytest.fixture
async def empty_database_url(database_url: str) -> AsyncIterator[str]:
    server = make_url(database_url)
    name = f"{server.database}_migrations"
    await administer(server, f'CREATE DATABASE "{name}"')
    yield server.set(database=name).render_as_string(hide_password=False)
    await administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(empty_database_url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection


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


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory(str(ROOT / "alembic")).get_heads()) == 1


async def test_a_replica_waits_while_another_one_migrates(connection: AsyncConnection, empty_database_url: str) -> None:
    (lock,) = re.findall(r"^ADVISORY_LOCK = ([\d_]+)$", (ROOT / "alembic/env.py").read_text("utf-8"), re.MULTILINE)
    await connection.execute(text(f"SELECT pg_advisory_lock({int(lock)})"))
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

    replica = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "upgrade", "head"),
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": empty_database_url},
    )
    while await connection.scalar(waiting) == 0:
        assert replica.returncode is None, "it did not wait"
        await asyncio.sleep(0.05)
    await connection.execute(text(f"SELECT pg_advisory_unlock({int(lock)})"))

    assert await replica.wait() == 0
    assert await connection.run_sync(differences) == []
