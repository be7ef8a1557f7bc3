"""Requests that were accepted are completed when the process stops, and committed data survives a kill."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from typing import Any, Self

from httpx2 import AsyncClient, Response, TransportError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.api import PREFIX, USERS
from tests.database import Service
from tests.errors import assert_error, detail
from tests.faults.conftest import PATIENCE, user_named
from tests.server import STOP_TIMEOUT, Server, running_server


class Accepted:
    """A request whose head the server has accepted, and whose body it has asked for."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, body: bytes) -> None:
        self._reader, self._writer, self._body = reader, writer, body

    @classmethod
    async def of(cls, server: Server, client: AsyncClient, data: dict[str, Any]) -> Self:
        """Begins a request that creates this user."""
        body = json.dumps(data).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = (
            f"POST {PREFIX}{USERS} HTTP/1.1",
            "Host: test",
            f"Authorization: {client.headers['Authorization']}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Expect: 100-continue",
        )
        writer.write("\r\n".join((*head, "", "")).encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        return cls(reader, writer, body)

    async def finish(self) -> bytes:
        """Sends the body, and returns the first line of the response."""
        self._writer.write(self._body)
        line = await self._reader.readline()
        self._writer.close()
        return line


async def test_sigterm_answers_every_accepted_request(client: AsyncClient, server: Server) -> None:
    accepted = [await Accepted.of(server, client, user_named(f"last-{number}")) for number in range(5)]

    server.process.terminate()
    status_lines = await asyncio.gather(*(request.finish() for request in accepted))

    assert set(status_lines) == {b"HTTP/1.1 201 Created\r\n"}
    assert await asyncio.to_thread(server.process.wait, STOP_TIMEOUT) == 0


async def test_readiness_fails_before_the_server_stops_listening(migrated: Service) -> None:
    with running_server(migrated.url, SHUTDOWN_DELAY=str(PATIENCE)) as server:
        server.process.terminate()

        async with AsyncClient(base_url=server.address, timeout=PATIENCE) as client:
            ready = await until_it_is_not_ready(client)
            assert detail(ready) == {"process": "stopping"}
        for _ in range(20):  # longer than a server without the delay takes to stop
            async with AsyncClient(base_url=server.address, timeout=PATIENCE) as new_connection:
                assert (await new_connection.get("/health")).status_code == 200
            await asyncio.sleep(0.1)
        server.process.terminate()  # a second signal ends the delay
        assert await asyncio.to_thread(server.process.wait, STOP_TIMEOUT) == 0


async def until_it_is_not_ready(client: AsyncClient) -> Response:
    for _ in range(600):
        response = await client.get("/health/ready")
        if response.status_code != 200:
            assert_error(response, 503)
            return response
        await asyncio.sleep(0.05)
    raise AssertionError("it stays ready")


async def test_sigkill_leaves_no_half_and_loses_no_word(
    client: AsyncClient, server: Server, engine: AsyncEngine
) -> None:
    acknowledged: set[str] = set()
    enough = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(100):
            body = user_named(f"killed-{writer}-{number}")
            try:
                response = await client.post(USERS, json=body)
            except TransportError:
                return
            if response.status_code == 201:
                acknowledged.add(body["email"])
            if len(acknowledged) == 10:
                enough.set()

    async with asyncio.TaskGroup() as group:
        for writer in range(10):
            group.create_task(write(writer))
        await enough.wait()
        server.process.kill()

    async with engine.connect() as connection:
        found = set((await connection.scalars(text("SELECT email FROM users"))).all())
    assert acknowledged
    assert acknowledged <= found
