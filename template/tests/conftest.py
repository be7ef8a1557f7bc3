"""The tests run on a database of their own: on TEST_DATABASE_URL, or else on a fresh server that is removed afterwards.

The settings of the shell and of `.env` are ignored, so that no test can reach a developer's data. Every worker creates
its own database there, migrates it, and drops it at the end; every test is rolled back.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.pool import NullPool
from uuid_utils.compat import uuid7

from app.api.deps import Providers
from app.core.config import ROOT, Settings
from app.core.database import Database, create_engine, migration_connection
from app.core.read_only import READ_ONLY, refuse_writes
from app.core.security import Identity, digest
from app.core.session import ReadOnlySession, ReadSession, SnapshotSession, WriteSession
from app.domain.models.base import utc_now
from app.domain.models.user import Role
from app.domain.schemas.user import UserCreate
from app.repository.outbox_repository import Outcome
from app.repository.refresh_token_repository import RefreshTokenRepository
from app.repository.user_repository import UserRepository
from scripts.local import ENDS, SERVICES
from tests import database as database_server
from tests.api import PREFIX
from tests.factories.user_factory import create_user, user_fields

_servers = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Starts the server once; with xdist, the workers find its address in their environment."""
    for number in ENDS:
        signal.signal(number, signal.default_int_handler)  # each signal ends what we started, as Ctrl-C does
    if not hasattr(config, "workerinput") and "TEST_DATABASE_URL" not in os.environ:
        os.environ["TEST_DATABASE_URL"] = database_server.start(_servers)
    for name, folder, start in SERVICES:
        if name != "DATABASE_URL":
            use_service(name, folder, start)


def use_service(name: str, folder: str, start: Callable[[Path], AbstractContextManager[str]]) -> None:
    """Uses the service of `TEST_`, or else a fresh one. Unlike the database, all workers share it."""
    if f"TEST_{name}" not in os.environ:
        directory = tempfile.mkdtemp(prefix=f"{folder}-")
        _servers.callback(shutil.rmtree, directory, ignore_errors=True)
        os.environ[f"TEST_{name}"] = _servers.enter_context(start(Path(directory)))
    os.environ[name] = os.environ[f"TEST_{name}"]


def pytest_unconfigure() -> None:
    _servers.close()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def database_url(anyio_backend: str, worker_id: str) -> AsyncIterator[str]:
    """Yields the URL of a migrated database that only this worker uses."""
    url = await database_server.create(worker_id)
    await migrate(url)
    yield url
    await database_server.drop(url)


async def migrate(url: str, revision: str = "head", ini: Path = ROOT / "alembic.ini") -> None:
    """Runs `alembic upgrade`, or `alembic downgrade` if the revision is `base` or a number of steps, such as `-1`."""
    move = command.downgrade if revision == "base" or revision.startswith("-") else command.upgrade
    config = Config(ini)

    def move_on(connection: Connection) -> None:
        config.attributes["connection"] = connection
        move(config, revision)

    async with migration_connection(Settings(DATABASE_URL=url)) as connection:
        await connection.run_sync(move_on)


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    return Settings(DATABASE_URL=database_url, CORS_ORIGINS=["https://app.example.com"])


@event.listens_for(ReadOnlySession, "do_orm_execute")
def _mark_statement(state: ORMExecuteState) -> None:
    """Marks each statement of a session that only reads, since the sessions of a test share one connection."""
    state.update_execution_options(**READ_ONLY)


class RolledBackDatabase(Database):
    """Returns sessions on one connection, whose transaction the test rolls back at its end."""

    def __init__(self, settings: Settings, connection: AsyncConnection) -> None:
        super().__init__(settings)
        joined: dict[str, Any] = {"expire_on_commit": False, "join_transaction_mode": "create_savepoint"}
        self._write_session = async_sessionmaker(connection, class_=WriteSession, **joined)
        self._read_session = async_sessionmaker(connection, class_=ReadSession, **joined)
        self._snapshot_session = async_sessionmaker(connection, class_=SnapshotSession, **joined)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    engine = create_engine(settings, poolclass=NullPool)
    refuse_writes(engine.sync_engine)
    async with engine.connect() as connection, connection.begin() as transaction:
        database = RolledBackDatabase(settings, connection)
        yield database
        await transaction.rollback()
        await database.close()


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.transaction() as session:
        yield session


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Yields a list that collects the statements that are sent to the database."""
    sent: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def users(session: AsyncSession) -> UserRepository:
    return UserRepository(session)


@pytest.fixture(scope="session")
def application(settings: Settings) -> FastAPI:
    from app.main import create_app  # noqa: PLC0415 (makes an application at import, from the settings above)

    return create_app(settings)


@pytest.fixture
def app(application: FastAPI, settings: Settings, database: Database) -> FastAPI:
    """Returns the application, and resets what an earlier test may have changed in it."""
    application.state.settings = settings
    application.state.providers = Providers(settings)
    application.state.providers.database = database
    return application


@pytest.fixture
def providers(app: FastAPI) -> Providers:
    """Returns what the requests of this test share; a test may replace any of it."""
    providers: Providers = app.state.providers
    return providers


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(app)
    async with AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        yield client


@pytest.fixture
def deliver(providers: Providers) -> Callable[[], Awaitable[list[Outcome]]]:
    """Returns a function that delivers what the outbox holds now, and returns the outcome of each message."""
    return providers.outbox.deliver


SignIn = Callable[[Role], Awaitable[AsyncClient]]


@pytest.fixture
async def sign_in(app: FastAPI, providers: Providers, database: Database) -> AsyncIterator[SignIn]:
    """Yields a function that creates a user with a role, and returns a client with the access token of that user."""
    async with AsyncExitStack() as clients:

        async def sign_in(role: Role) -> AsyncClient:
            token = providers.access_tokens.issue(await _begin_session(database, role))
            headers = {"Authorization": f"Bearer {token}"}
            client = AsyncClient(transport=ASGITransport(app), base_url=f"http://test{PREFIX}", headers=headers)
            return await clients.enter_async_context(client)

        yield sign_in


async def _begin_session(database: Database, role: Role) -> Identity:
    async with database.transaction() as session:
        user = await create_user(session, email=f"{role}@test.example", role=role)
        identity = Identity(user.id, uuid7())
        await RefreshTokenRepository(session).add(
            session_id=identity.session_id,
            user_id=user.id,
            token_hash=digest(str(identity.session_id)),
            expires_at=utc_now() + timedelta(days=1),
        )
    return identity


@pytest.fixture
async def admin(sign_in: SignIn) -> AsyncClient:
    return await sign_in(Role.ADMIN)


@pytest.fixture
def new_user() -> UserCreate:
    return UserCreate(**user_fields())
