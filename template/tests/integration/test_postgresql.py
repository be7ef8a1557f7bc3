"""Tests behaviour that only PostgreSQL has."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from app.core.config import ROOT, Settings
from app.core.database import Database, create_engine, create_migration_engine
from app.core.exceptions import ConflictError
from app.core.logging import configure_logging
from app.core.postgresql import ADVISORY_LOCK, ping
from app.domain.models.base import utc_now
from app.repository.stored_response_repository import StoredResponseRepository
from app.repository.user_repository import UserRepository
from tests.api import LOGIN, credentials
from tests.errors import detail


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_engine(Settings(DATABASE_URL=database_url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


SHOWN = ("application_name", "search_path", "statement_timeout", "idle_in_transaction_session_timeout")


async def test_what_a_url_asks_of_the_server_is_kept_beside_our_bounds(database_url: str) -> None:
    options = quote("-c search_path=elsewhere -c statement_timeout=0")
    url = f"{database_url}&application_name=shop&connect_timeout=1&channel_binding=prefer&options={options}"
    engine = create_engine(Settings(DATABASE_URL=url), poolclass=NullPool)

    async with engine.connect() as connection:
        shown = [await connection.scalar(text(f"SHOW {name}")) for name in SHOWN]

    assert shown == ["shop", "elsewhere", "5s", "50s"]


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Responds as PgBouncer does to parameters that it cannot pass on."""
    await reader.readexactly(8)  # the client asks for TLS
    writer.write(b"N")
    await reader.read(4096)
    fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: statement_timeout\0\0"
    writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
    writer.close()


async def test_what_a_pooler_refuses_is_in_the_log_and_readiness_says_that_it_does(
    app: FastAPI, client: AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as pooler:
        url = f"postgresql://a:b@127.0.0.1:{pooler.sockets[0].getsockname()[1]}/c"
        app.state.providers.database = Database(Settings(DATABASE_URL=url))
        ready = await client.get("/health/ready")
        login = await client.post(LOGIN, **credentials("a@example.com", "x" * 8))

    assert (ready.status_code, detail(ready)) == (503, {"database": "refuses the connection"})
    assert login.status_code == 503
    assert capsys.readouterr().out.count("unsupported startup parameter: statement_timeout") == 2


async def test_a_database_that_does_not_exist_is_not_ready(
    app: FastAPI, client: AsyncClient, database_url: str
) -> None:
    url = make_url(database_url).set(database="nothing").render_as_string(hide_password=False)
    app.state.providers.database = Database(Settings(DATABASE_URL=url))

    ready = await client.get("/health/ready")
    login = await client.post(LOGIN, **credentials("a@example.com", "x" * 8))

    assert (ready.status_code, detail(ready)) == (503, {"database": "does not exist"})
    assert login.status_code == 503


async def test_it_is_said_once_that_bounds_were_lost(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(DATABASE_URL=database_url)
    configure_logging(settings)
    bounded, unbounded = Database(settings), create_migration_engine(settings)

    async with unbounded.connect() as connection:
        await ping(connection)
        await ping(connection)
    await unbounded.dispose()
    await bounded.ping()
    await bounded.close()

    assert capsys.readouterr().out.count("no statement is bounded") == 1


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
    # CREATE INDEX CONCURRENTLY waits until there is no snapshot left.
    while await connection.scalar(snapshots) > 0:
        assert replica.returncode is None, "it did not wait"
        await asyncio.sleep(0.05)
    await connection.execute(text(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})"))

    _, said = await replica.communicate()
    assert replica.returncode == 0, said


async def test_a_snapshot_is_one_moment_and_cannot_write(database_url: str) -> None:
    database = Database(Settings(DATABASE_URL=database_url))
    async with database.snapshot() as session:
        shown = [await session.scalar(text(f"SHOW transaction_{name}")) for name in ("isolation", "read_only")]
    await database.close()

    assert shown == ["repeatable read", "on"]


async def test_only_a_write_has_a_transaction_around_it(database_url: str) -> None:
    database = Database(Settings(DATABASE_URL=database_url))
    said: list[str] = []

    @event.listens_for(database._engine.sync_engine, "connect")
    def listen(connection: Any, _: object) -> None:
        connection.driver_connection.add_query_logger(lambda logged: said.append(logged.query.split()[0].rstrip(";")))

    async with database.reading() as session:
        await UserRepository(session).get(uuid4())
    said.clear()  # SQLAlchemy asks the server about itself on the first connection
    async with database.reading() as session:
        await UserRepository(session).get(uuid4())
    read = list(said)
    async with database.transaction() as session:
        await UserRepository(session).get(uuid4())
    await database.close()

    assert read == []
    assert said == ["BEGIN", "COMMIT"]


async def test_a_key_that_is_in_use_in_another_process_is_not_waited_for(settings: Settings) -> None:
    database, key = Database(settings), "f" * 64
    async with database.transaction() as first, database.transaction() as second:
        for session in (first, second):
            await StoredResponseRepository(session).claim(key, "", utc_now(), lambda _: None)
        await first.execute(text("SELECT 1"))

        with pytest.raises(ConflictError):
            await second.execute(text("SELECT 1"))
        await first.rollback()
        await second.rollback()
        await second.execute(text("SELECT 1"))
    await database.close()


async def test_a_connection_that_dies_while_it_is_set_up_is_an_outage(
    client: AsyncClient, app: FastAPI, database_url: str
) -> None:
    database = Database(Settings(DATABASE_URL=database_url))
    event.listen(database.transaction().get_bind(), "connect", cut_off, insert=True)
    app.state.providers.database = database

    response = await client.post(LOGIN, **credentials("ada@example.com", "correct horse battery"))

    await database.close()
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"


def cut_off(connection: Any, _: object) -> None:
    connection.driver_connection.terminate()
