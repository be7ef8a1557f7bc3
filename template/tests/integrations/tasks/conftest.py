"""Provides a broker for these tests only, since a worker runs every task that it finds."""

from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import delete

from app.core.config import Settings
from app.core.database import Database
from app.core.logging import configure_logging
from app.domain.models.user import User
from app.integrations.tasks import broker as broker_module
from app.integrations.tasks import middleware, sending
from app.integrations.tasks.discovery import discover_tasks
from app.integrations.tasks.stream import StreamBroker
from tests.integrations.cache.valkey import Valkey

# A busy machine must not count as an outage.
PATIENT = {"CACHE_TIMEOUT": 30}


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path_factory.mktemp("broker"))
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    """Yields a client of the broker, which is empty at first."""
    async with Redis.from_url(valkey.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def broker_settings(settings: Settings, valkey: Valkey) -> Settings:
    return settings.model_copy(update=PATIENT | {"CACHE_URL": SecretStr(valkey.url), "JOB_TIMEOUT": 10})


@pytest.fixture
async def broker(
    broker_settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StreamBroker]:
    """Yields the broker of the application, with these settings."""
    broker = broker_module.broker
    monkeypatch.setattr(broker, "_settings", lambda: broker_settings)
    for module in (middleware, sending):
        monkeypatch.setattr(module, "get_settings", lambda: broker_settings)
    vars(broker).pop("connection_pool", None)
    configure_logging(broker_settings)
    discover_tasks()
    yield broker
    await broker.connection_pool.disconnect()
    del broker.connection_pool


@pytest.fixture
async def committed(settings: Settings) -> AsyncIterator[Database]:
    """Yields a database whose changes other processes see."""
    database = Database(settings)
    yield database
    async with database.transaction() as session:
        await session.execute(delete(User))
    await database.close()
