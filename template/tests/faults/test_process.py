"""What happens to requests when the process is told to stop, or is killed."""

import asyncio

from httpx2 import AsyncClient, TransportError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api import USERS
from tests.database import Service
from tests.errors import assert_error, detail
from tests.faults.conftest import user_named
from tests.server import Server, running_server


async def test_sigterm_answers_every_accepted_request(client: AsyncClient, server: Server, engine: AsyncEngine) -> None:
    # On connections that are open, so that the server has accepted whatever was written.
    await asyncio.gather(*(client.get("/health") for _ in range(5)))
    accepted = [asyncio.create_task(client.post(USERS, json=user_named(f"last-{n}"))) for n in range(5)]
    await asyncio.sleep(0.05)

    server.process.terminate()
    answers = await asyncio.gather(*accepted)

    assert {answer.status_code for answer in answers} == {201}
    assert await asyncio.to_thread(server.process.wait, 20) == 0


async def test_readiness_fails_before_the_server_stops_listening(migrated: Service) -> None:
    with running_server(migrated.url, SHUTDOWN_DELAY="1") as server:
        server.process.terminate()
        await asyncio.sleep(0.3)

        async with AsyncClient(base_url=server.address) as new_connection:
            ready = await new_connection.get("/health/ready")
            assert_error(ready, 503)
            assert detail(ready) == {"process": "stopping"}
            assert (await new_connection.get("/health")).status_code == 200
        assert await asyncio.to_thread(server.process.wait, 20) == 0


async def test_sigkill_leaves_no_half_and_loses_no_word(
    client: AsyncClient, server: Server, engine: AsyncEngine
) -> None:
    acknowledged: set[str] = set()
    enough = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(100):
            body = user_named(f"killed-{writer}-{number}")
            try:
                answer = await client.post(USERS, json=body)
            except TransportError:
                return
            if answer.status_code == 201:
                acknowledged.add(body["email"])
            if len(acknowledged) == 10:
                enough.set()

    async with asyncio.TaskGroup() as group:
        for writer in range(10):
            group.create_task(write(writer))
        async with asyncio.timeout(30):
            await enough.wait()
        server.process.kill()

    async with engine.connect() as connection:
        found = set((await connection.scalars(text("SELECT email FROM users"))).all())
    assert acknowledged
    assert acknowledged <= found
