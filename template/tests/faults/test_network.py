"""When the connection to the database is cut or falls silent, clients get quick refusals."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from scripts.ports import free_port
from tests.api import LOGIN, ME, USERS, credentials
from tests.database import Service
from tests.faults.conftest import ADMIN, LIMITS, PATIENCE, signed_in, user_named
from tests.faults.proxy import Moment, Proxy, running_proxy
from tests.faults.test_database import assert_unavailable, until_it_responds, until_they_wait
from tests.server import running_server


@pytest.fixture
def port() -> int:
    """Returns the port of the proxy."""
    return free_port()


@pytest.fixture
def socket(migrated: Service) -> str:
    """Returns the socket of the database."""
    return f"{make_url(migrated.url).query['host']}/.s.PGSQL.5432"


@pytest.fixture
def url(migrated: Service, port: int) -> str:
    """Returns the URL of the database through the proxy."""
    return make_url(migrated.url).set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)


@pytest.fixture
async def proxy(socket: str, port: int) -> AsyncIterator[Proxy]:
    async with running_proxy(socket, port) as proxy:
        yield proxy


@pytest.fixture
async def client(proxy: Proxy, url: str) -> AsyncIterator[AsyncClient]:
    with running_server(url, **LIMITS) as server:
        async with signed_in(server) as client:
            yield client


@pytest.fixture
async def patient_client(proxy: Proxy, url: str) -> AsyncIterator[AsyncClient]:
    with running_server(url, **LIMITS | {"DB_STATEMENT_TIMEOUT": str(PATIENCE)}) as server:
        async with signed_in(server) as client:
            yield client
        # Otherwise the server would close its connections through a silent proxy, and we would wait for that.
        proxy.cut()
        await asyncio.sleep(0.1)


async def test_a_line_that_is_cut_is_503_and_the_next_request_has_another(
    patient_client: AsyncClient, proxy: Proxy, engine: AsyncEngine
) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("BEGIN"))
        await connection.execute(text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
        waiting = [asyncio.create_task(patient_client.get(ME)) for _ in range(3)]
        await until_they_wait(engine, len(waiting))

        proxy.cut()

        for response in await asyncio.gather(*waiting):
            assert_unavailable(response)
    assert (await patient_client.get(ME)).status_code == 200


async def test_a_silent_line_is_503_in_time_and_health_stays_up(client: AsyncClient, proxy: Proxy) -> None:
    """The responses must come while the connection is silent, however long that takes."""
    proxy.silence()
    waiting = [asyncio.create_task(client.get(ME)) for _ in range(10)]

    assert (await client.get("/health")).status_code == 200
    for response in await asyncio.gather(*waiting):
        assert_unavailable(response)

    proxy.restore()
    await until_it_responds(client)


@pytest.mark.parametrize(("moment", "found"), [("asked", 0), ("confirmed", 1)])
async def test_a_commit_that_nobody_confirmed_is_never_a_2xx(
    client: AsyncClient, proxy: Proxy, moment: Moment, found: int
) -> None:
    body = user_named(f"commit-{moment}")
    proxy.cut_at_commit = moment
    response = await client.post(USERS, json=body)
    proxy.cut_at_commit = None

    assert_unavailable(response)
    # If only the confirmation was lost, the user exists, and a client that tries again gets a 409.
    assert (await client.get(USERS, params={"search": body["email"]})).json()["total"] == found


async def test_a_server_that_starts_before_its_database_recovers_by_itself(url: str, socket: str, port: int) -> None:
    with running_server(url) as server:
        async with AsyncClient(base_url=server.address, timeout=PATIENCE) as client:
            assert (await client.get("/health")).status_code == 200
            assert_unavailable(await client.get("/health/ready"))
            assert_unavailable(await client.post(LOGIN, **credentials(**ADMIN)))

            async with running_proxy(socket, port):
                await until_it_responds(client, "/health/ready")
                assert (await client.post(LOGIN, **credentials(**ADMIN))).status_code == 200
