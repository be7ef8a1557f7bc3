"""Starts a server and a database that a test may stop, freeze and kill."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx2 import AsyncClient, Limits
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool

from app.core.config import Settings
from app.core.database import create_engine
from scripts.seed import seed
from tests.api import LOGIN, bearer, credentials
from tests.conftest import migrate
from tests.database import Service, service
from tests.factories.user_factory import PASSWORD, user_fields
from tests.server import Server, running_server

ADMIN = {"email": "admin@example.com", "password": PASSWORD}
PATIENCE = 100
LIMITS = {"DB_POOL_SIZE": "5", "DB_POOL_TIMEOUT": "1", "DB_STATEMENT_TIMEOUT": "1"}


@pytest.fixture(scope="session")
async def migrated(anyio_backend: str) -> AsyncIterator[Service]:
    with service() as database:
        await migrate(database.url)
        admin = Settings(
            DATABASE_URL=SecretStr(database.url),
            FIRST_ADMIN_EMAIL=ADMIN["email"],
            FIRST_ADMIN_PASSWORD=SecretStr(ADMIN["password"]),
        )
        await seed(admin)
        yield database


@pytest.fixture
async def engine(migrated: Service) -> AsyncIterator[AsyncEngine]:
    settings = Settings(DATABASE_URL=SecretStr(migrated.url))
    engine = create_engine(settings, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    yield engine
    await engine.dispose()


@pytest.fixture
def server(migrated: Service) -> Iterator[Server]:
    with running_server(migrated.url, **LIMITS) as server:
        yield server


@asynccontextmanager
async def signed_in(server: Server, **options: Any) -> AsyncIterator[AsyncClient]:
    """Yields an administrator's client without a limit of connections, and with long timeouts for busy machines."""
    options |= {"timeout": PATIENCE, "limits": Limits(max_connections=None)}
    async with AsyncClient(base_url=server.address, **options) as client:
        client.headers |= bearer(await client.post(LOGIN, **credentials(**ADMIN)))
        yield client


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncClient]:
    async with signed_in(server) as client:
        yield client


@pytest.fixture
async def patient_client(migrated: Service) -> AsyncIterator[AsyncClient]:
    """Yields a client of a server that lets statements wait for longer than any test does."""
    limits = LIMITS | {"DB_STATEMENT_TIMEOUT": str(PATIENCE)}
    with running_server(migrated.url, **limits) as server:
        async with signed_in(server) as client:
            yield client


def user_named(name: str) -> dict[str, Any]:
    """Returns what a client sends to create this user."""
    return user_fields(email=f"{name}@example.com")
