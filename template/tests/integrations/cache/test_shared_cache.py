"""Two real servers share limits and cached users through the cache."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import randbytes

import pytest
from httpx2 import AsyncClient
from pydantic import SecretStr
from sqlalchemy import delete

from app.core.config import Settings
from app.core.database import Database
from app.domain.models.user import User
from scripts.seed import seed
from tests.api import LOGIN, ME, USERS, bearer, credentials
from tests.factories.user_factory import NAME, PASSWORD
from tests.server import running_server

pytestmark = pytest.mark.xdist_group("server")

ADMIN = {"email": "admin@example.com", "password": PASSWORD}


@pytest.fixture(scope="module")
async def clients(settings: Settings) -> AsyncIterator[tuple[AsyncClient, AsyncClient]]:
    """Yields an administrator's client of each of two servers."""
    admin = {"FIRST_ADMIN_EMAIL": ADMIN["email"], "FIRST_ADMIN_PASSWORD": SecretStr(ADMIN["password"])}
    await seed(settings.model_copy(update=admin))
    environment = {"CACHE_TIMEOUT": "30", "LOGIN_RATE_LIMIT": "3/minute", "JWT_SECRET_KEY": randbytes(32).hex()}
    async with AsyncExitStack() as stack:
        servers = [stack.enter_context(running_server(settings.database_url, **environment)) for _ in range(2)]
        one, other = [
            await stack.enter_async_context(AsyncClient(base_url=server.address, timeout=100)) for server in servers
        ]
        response = await one.post(LOGIN, **credentials(**ADMIN))
        for client in (one, other):
            client.headers |= bearer(response)
        yield one, other
    database = Database(settings)
    async with database.transaction() as session:
        await session.execute(delete(User))
    await database.close()


async def test_they_count_failed_sign_ins_together(clients: tuple[AsyncClient, AsyncClient]) -> None:
    one, other = clients
    # Proxies on this machine are trusted, so this counts as a new client.
    somebody = {"X-Forwarded-For": ".".join(map(str, randbytes(4)))}
    wrong = credentials("nobody@example.com", "wrong horse battery")

    turns = (one, one, other, one, other)
    responses = [await client.post(LOGIN, **wrong, headers=somebody) for client in turns]

    assert [response.status_code for response in responses] == [401, 401, 401, 429, 429]
    assert 1 <= int(responses[-1].headers["Retry-After"]) <= 60


async def test_no_answer_is_older_than_what_was_acknowledged(clients: tuple[AsyncClient, AsyncClient]) -> None:
    one, other = clients
    path = f"{USERS}/{(await one.get(ME)).json()['id']}"
    acknowledged = 0
    finished = False

    async def read(client: AsyncClient) -> None:
        while not finished:
            before = acknowledged
            response = await client.get(path)
            assert int(response.json()[NAME]) >= before

    await one.patch(path, json={NAME: "0"})
    async with asyncio.TaskGroup() as group:
        for client in (one, other) * 2:
            group.create_task(read(client))
        for number in range(1, 31):
            response = await other.patch(path, json={NAME: str(number)})
            assert response.status_code == 200
            acknowledged = number
        finished = True
