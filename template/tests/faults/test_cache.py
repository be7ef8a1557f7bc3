"""When the cache stops responding, clients see nothing but what SECURITY.md says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import randbytes

import pytest
from httpx2 import AsyncClient

from app.core.config import Settings
from app.integrations.cache import client as client_module
from app.integrations.cache.client import Cache, CacheUnavailableError
from tests.api import LOGIN, ME, USERS, credentials
from tests.database import Service
from tests.factories.user_factory import NAME
from tests.faults.conftest import ADMIN, LIMITS, PATIENCE, signed_in
from tests.integrations.cache.valkey import Valkey
from tests.server import running_server

LOGIN_RATE_LIMIT = 3


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path / "valkey")
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Returns the path of the server's log."""
    return tmp_path / "server.log"


@pytest.fixture
async def client(migrated: Service, valkey: Valkey, log: Path) -> AsyncIterator[AsyncClient]:
    """Yields an administrator's client, with an address that no other test has used."""
    limits = {"LOGIN_RATE_LIMIT": f"{LOGIN_RATE_LIMIT}/hour", "CACHE_TIMEOUT": "1"}
    with (
        log.open("wb") as output,
        running_server(migrated.url, output, CACHE_URL=valkey.url, **LIMITS | limits) as server,
    ):
        somebody = {"X-Forwarded-For": ".".join(map(str, randbytes(4)))}
        async with signed_in(server, headers=somebody) as client:
            yield client


@pytest.fixture
async def cache(valkey: Valkey) -> AsyncIterator[Cache]:
    cache = Cache(Settings(CACHE_URL=valkey.url, CACHE_TIMEOUT=1))
    yield cache
    await cache.close()


async def until_readiness_says(client: AsyncClient, state: str) -> None:
    for _ in range(600):
        response = await client.get("/health/ready")
        assert response.status_code == 200
        if response.json()["checks"]["cache"] == state:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(response.text)


async def sign_in(client: AsyncClient, password: str) -> int:
    return (await client.post(LOGIN, **credentials(ADMIN["email"], password))).status_code


async def guess(client: AsyncClient) -> list[int]:
    return [await sign_in(client, "wrong") for _ in range(LOGIN_RATE_LIMIT + 1)]


REFUSED_AT_LAST = [401] * LOGIN_RATE_LIMIT + [429]


async def assert_all_is_served(client: AsyncClient) -> None:
    path = f"{USERS}/{(await client.get(ME)).json()['id']}"
    assert await sign_in(client, ADMIN["password"]) == 200
    changed = await client.patch(path, json={NAME: "Changed"})
    assert changed.status_code == 200
    assert (await client.get(path)).json() == changed.json()


def said_of_the_cache(log: Path) -> list[str]:
    written, _, _ = log.read_text(encoding="utf-8").rpartition("\n")
    messages = [json.loads(line)["message"] for line in written.splitlines()]
    return [message for message in messages if message.startswith("the cache")]


@pytest.mark.parametrize(("stop", "recover"), [(Valkey.stop, Valkey.start), (Valkey.freeze, Valkey.thaw)])
async def test_without_a_cache_all_is_served_and_guesses_are_limited(
    client: AsyncClient,
    valkey: Valkey,
    log: Path,
    stop: Callable[[Valkey], None],
    recover: Callable[[Valkey], None],
) -> None:
    await assert_all_is_served(client)
    stop(valkey)
    await until_readiness_says(client, "unavailable")

    await assert_all_is_served(client)
    assert await guess(client) == REFUSED_AT_LAST

    recover(valkey)
    await until_readiness_says(client, "ok")
    await assert_all_is_served(client)
    assert said_of_the_cache(log) == ["the cache is not available", "the cache is available again"]


async def test_a_server_that_starts_before_its_cache_serves_and_finds_it(migrated: Service, valkey: Valkey) -> None:
    valkey.stop()
    with running_server(migrated.url, CACHE_URL=valkey.url) as server:
        async with AsyncClient(base_url=server.address, timeout=PATIENCE) as client:
            assert await sign_in(client, ADMIN["password"]) == 200

            valkey.start()
            await until_readiness_says(client, "ok")


async def test_of_an_outage_the_first_takes_notice_and_the_next_do_not_wait(
    cache: Cache, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PAUSE", PATIENCE)
    valkey.freeze()
    try:
        with pytest.raises(CacheUnavailableError) as first:
            await cache.ping()
        with pytest.raises(CacheUnavailableError) as second:
            await cache.ping()
    finally:
        valkey.thaw()

    assert isinstance(first.value.__cause__, (OSError, TimeoutError))
    assert second.value.__cause__ is None, "it asked as well"


async def test_an_answer_that_came_too_late_is_never_taken_for_another(
    cache: Cache, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PAUSE", 0)
    async with cache.in_time() as client:
        await client.set("first", "1")
        await client.set("second", "2")
    valkey.freeze()
    with pytest.raises(CacheUnavailableError):
        async with cache.in_time() as client:
            await client.get("first")
    valkey.thaw()

    async with cache.in_time() as client:
        assert await client.get("second") == b"2"
