from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, make_url
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
