import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

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
from app.migrations.options import OPTIONS
from tests.conftest import migrate
from tests.database import ALONE, create, drop

OUTSIDE = """
from alembic import op

revision = "outside"
down_revision = "{head}"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("{statement}")


def downgrade() -> None:
    pass
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Returns Alembic's configuration with one more migration, which leaves its transaction as Alembic documents it."""
    (tmp_path / "versions").mkdir()
    head = ScriptDirectory(str(ROOT / "alembic")).get_current_head()
    (tmp_path / "versions/outside.py").write_text(OUTSIDE.format(head=head, statement=ALONE))
    ini = (ROOT / "alembic.ini").read_text().replace("%(here)s", str(ROOT))
    (tmp_path / "alembic.ini").write_text(f"{ini}version_locations = {ROOT}/alembic/versions:{tmp_path}/versions\n")
    return tmp_path / "alembic.ini"


@pytest.fixture
async def empty_database_url(worker_id: str) -> AsyncIterator[str]:
    url = await create(f"{worker_id}_migrations")
    yield url
    await drop(url)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_migration_engine(Settings(DATABASE_URL=url))
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


@pytest.fixture
async def connection(empty_database_url: str) -> AsyncIterator[AsyncConnection]:
    async with connected(empty_database_url) as connection:
        yield connection


def differences(connection: Connection) -> list[object]:
    """Returns what `alembic check` would find."""
    found = list(compare_metadata(MigrationContext.configure(connection, opts=OPTIONS), Base.metadata))
    connection.rollback()
    return found


def tables(connection: Connection) -> set[str]:
    """Returns the tables of the models: an extension may have created others."""
    found = set(inspect(connection).get_table_names()) & set(Base.metadata.tables)
    connection.rollback()
    return found


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
    await connection.commit()

    await migrate(empty_database_url, "0003")
    assert (await connection.execute(text("SELECT email, version FROM users"))).all() == [("a@b.example", 1)]
    await connection.rollback()

    await migrate(empty_database_url, "-1")
    assert (await connection.execute(text("SELECT email FROM users"))).all() == [("a@b.example",)]


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory(str(ROOT / "alembic")).get_heads()) == 1


async def test_replicas_that_start_together_migrate_once(connection: AsyncConnection, empty_database_url: str) -> None:
    assert await start_replicas(empty_database_url, ROOT / "alembic.ini") == [0, 0, 0]
    assert await connection.run_sync(differences) == []


async def test_a_migration_may_leave_its_transaction(empty_database_url: str, outside: Path) -> None:
    await migrate(empty_database_url, "head", outside)
    await migrate(empty_database_url, "base", outside)

    assert await start_replicas(empty_database_url, outside) == [0, 0, 0]


async def start_replicas(url: str, ini: Path) -> list[int]:
    """Starts three replicas that migrate at the same time, and returns the status of each."""
    command = (sys.executable, "-m", "alembic", "--config", str(ini), "upgrade", "heads")
    environment = os.environ | {"DATABASE_URL": url}
    replicas = [await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment) for _ in range(3)]
    return [await replica.wait() for replica in replicas]


async def test_a_fresh_database_holds_no_account(connection: AsyncConnection, empty_database_url: str) -> None:
    await migrate(empty_database_url)

    assert await connection.scalar(text("SELECT count(*) FROM users")) == 0
