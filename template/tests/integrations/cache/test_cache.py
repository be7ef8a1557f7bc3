"""Single users are read through the cache, and nobody sees an old value after a change was acknowledged."""

import json
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from redis.asyncio import Redis
from sqlalchemy.orm.exc import DetachedInstanceError

from app.core.config import Settings
from app.core.database import Database
from app.domain.models.user import User
from app.integrations.cache.client import LEASE_LIFETIME, LIFETIME, Cache
from app.integrations.cache.user_repository import CachedUserRepository
from tests.api import ME, USERS
from tests.factories.user_factory import NAME, create_user

# A busy machine must not count as an outage.
PATIENT = {"CACHE_TIMEOUT": 30}


@pytest.fixture
async def cache(settings: Settings) -> AsyncIterator[Cache]:
    cache = Cache(settings.model_copy(update=PATIENT))
    yield cache
    await cache.close()


@pytest.fixture
async def valkey(settings: Settings) -> AsyncIterator[Redis]:
    """Yields a client that shows what is in the cache."""
    async with Redis.from_url(settings.cache_url) as client:
        yield client


@pytest.fixture
def app(app: FastAPI, cache: Cache) -> FastAPI:
    app.state.providers.user_repository = partial(CachedUserRepository, cache=cache)
    app.state.providers.reported_checks = {"cache": cache.ping}
    return app


@pytest.fixture
async def user(database: Database) -> User:
    async with database.transaction() as session:
        return await create_user(session)


async def change_in_the_database(database: Database, user: User) -> None:
    """Changes a user without invalidating the cache."""
    async with database.transaction() as session:
        setattr(await session.get_one(User, user.id), NAME, "Changed")


async def test_the_second_read_is_answered_by_the_cache(admin: AsyncClient, database: Database, user: User) -> None:
    first = await admin.get(f"{USERS}/{user.id}")
    await change_in_the_database(database, user)
    second = await admin.get(f"{USERS}/{user.id}")

    assert first.status_code == second.status_code == 200
    assert first.content == second.content


async def test_what_is_kept_is_what_clients_may_see_and_expires(
    admin: AsyncClient, database: Database, cache: Cache, valkey: Redis, user: User
) -> None:
    response = await admin.get(f"{USERS}/{user.id}")

    kept = await valkey.get(f"user:{user.id}")
    assert isinstance(kept, bytes)
    assert b"argon2" not in kept
    assert json.loads(kept) == response.json() | {"version": 1}
    assert response.headers["ETag"] == (await admin.get(f"{USERS}/{user.id}")).headers["ETag"]
    assert 0 < await valkey.ttl(f"user:{user.id}") <= LIFETIME
    async with database.reading() as session:
        found = await CachedUserRepository(session, cache).get(user.id)
    assert found is not None
    with pytest.raises(DetachedInstanceError):
        _ = found.password_hash


async def test_a_change_is_seen_at_once(admin: AsyncClient, user: User) -> None:
    path = f"{USERS}/{user.id}"
    assert (await admin.get(path)).json()[NAME] == getattr(user, NAME)

    changed = await admin.patch(path, json={NAME: "Changed"})
    assert (await admin.get(path)).json() == changed.json()
    assert changed.json()[NAME] == "Changed"

    await admin.delete(path)
    assert (await admin.get(path)).status_code == 404


async def test_a_change_of_oneself_is_seen_at_once(admin: AsyncClient) -> None:
    path = f"{USERS}/{(await admin.get(ME)).json()['id']}"
    await admin.get(path)

    changed = await admin.patch(ME, json={NAME: "Changed"})

    assert (await admin.get(path)).json() == changed.json()


async def test_what_does_not_exist_is_not_kept(admin: AsyncClient, valkey: Redis) -> None:
    user_id = uuid4()

    assert (await admin.get(f"{USERS}/{user_id}")).status_code == 404
    assert 0 < await valkey.ttl(f"user:{user_id}") <= LEASE_LIFETIME


class Text:
    """The simplest possible codec."""

    def dump(self, value: str) -> bytes:
        return value.encode()

    def load(self, kept: bytes) -> str:
        return kept.decode("ascii")


async def value(of: str) -> str:
    return of


async def test_a_reader_that_a_change_overtakes_keeps_nothing(cache: Cache) -> None:
    key = str(uuid4())

    async def read_and_be_overtaken() -> str:
        await cache.forget(key)
        return "old"

    assert await cache.read_through(key, Text(), read_and_be_overtaken) == "old"
    assert await cache.read_through(key, Text(), partial(value, "new")) == "new"


async def test_a_reader_that_is_overtaken_by_another_as_well_replaces_nothing(cache: Cache) -> None:
    key = str(uuid4())

    async def read_and_be_overtaken() -> str:
        await cache.forget(key)
        await cache.read_through(key, Text(), partial(value, "new"))
        return "old"

    assert await cache.read_through(key, Text(), read_and_be_overtaken) == "old"
    assert await cache.read_through(key, Text(), partial(value, "newer")) == "new"


async def test_what_another_version_of_us_has_kept_is_read_anew(cache: Cache, valkey: Redis) -> None:
    key = str(uuid4())
    await valkey.set(key, b"\xff")

    assert await cache.read_through(key, Text(), partial(value, "new")) == "new"


async def test_what_may_yet_be_rolled_back_is_not_kept(
    admin: AsyncClient, database: Database, cache: Cache, user: User
) -> None:
    async with database.transaction() as session:
        users = CachedUserRepository(session, cache)
        await users.update(user.id, **{NAME: "Never"})
        found = await users.get(user.id)
        assert found is not None
        assert getattr(found, NAME) == "Never"
        await session.rollback()

    assert (await admin.get(f"{USERS}/{user.id}")).json()[NAME] == getattr(user, NAME)


async def test_readiness_reports_the_cache(client: AsyncClient) -> None:
    response = await client.get("/health/ready")

    assert response.json() == {"status": "ready", "checks": {"database": "ok", "cache": "ok"}}
