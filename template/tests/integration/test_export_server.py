"""Exports of a real server use little memory, and end when their client leaves or their time is over."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.core.config import Settings
from app.core.database import Database
from app.domain.models.user import User
from scripts.seed import seed
from tests import database as database_server
from tests.api import LOGIN, ME, USERS, bearer, credentials
from tests.conftest import migrate
from tests.errors import assert_error
from tests.factories.user_factory import NAME, PASSWORD, user_row
from tests.server import Server, running_server

PATH = f"{USERS}/export"
NOBODY = {"search": "nobody"}
ADMIN = "admin@example.com"
# This is much more than the buffer of a socket holds.
COUNT = 100_000
ATTEMPTS = 300


@pytest.fixture(scope="module")
async def filled_url(anyio_backend: str, worker_id: str) -> AsyncIterator[str]:
    """Yields the URL of a database that holds many users."""
    url = await database_server.create(f"export_{worker_id}")
    await migrate(url)
    password = SecretStr(PASSWORD)
    settings = Settings(DATABASE_URL=SecretStr(url), FIRST_ADMIN_EMAIL=ADMIN, FIRST_ADMIN_PASSWORD=password)
    await seed(settings)
    database = Database(settings)
    for start in range(0, COUNT, 10_000):
        numbers = range(start, start + 10_000)
        rows = [user_row(**{"id": uuid7(), NAME: "A" * 100}) for _ in numbers]
        async with database.transaction() as session:
            await session.execute(insert(User), rows)
    await database.close()
    yield url
    await database_server.drop(url)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@contextmanager
def serving(url: str, log: Path, **settings: str) -> Iterator[tuple[Server, httpx2.Client]]:
    """Yields a server with these settings, and a client that is signed in as an administrator."""
    with (
        log.open("wb") as output,
        running_server(url, output, **settings) as server,
        httpx2.Client(base_url=server.address, timeout=30) as client,
    ):
        client.headers.update(bearer(client.post(LOGIN, **credentials(ADMIN, PASSWORD))))
        yield server, client


def until_it_succeeds(client: httpx2.Client, path: str) -> None:
    for _ in range(ATTEMPTS):
        response = client.get(path, params=NOBODY)
        if response.status_code == 200:
            return
        time.sleep(0.1)
    raise AssertionError(response.text)


def test_an_export_takes_little_memory_whatever_its_size(filled_url: str, log: Path) -> None:
    with serving(filled_url, log) as (server, client):
        client.get(PATH, params=NOBODY).raise_for_status()
        process = psutil.Process(server.process.pid)
        before, largest, lines = process.memory_info().rss, 0, 0

        with client.stream("GET", PATH) as response:
            for chunk in response.iter_bytes(1024 * 1024):
                largest = max(largest, process.memory_info().rss)
                lines += chunk.count(b"\n")

    assert lines == COUNT + 2
    assert largest - before < 30 * 1024 * 1024


def test_it_ends_when_its_client_goes(filled_url: str, log: Path) -> None:
    """The only connection, and the only slot, must then be free for the next request."""
    limits = {"EXPORT_CONCURRENCY": "1", "DB_POOL_SIZE": "1", "DB_POOL_TIMEOUT": "0.1"}
    with serving(filled_url, log, **limits) as (_, client):
        for _ in range(3):
            with client.stream("GET", PATH) as response:
                chunks = response.iter_bytes()
                assert next(chunks)
                assert client.get(ME).status_code == 503

            until_it_succeeds(client, PATH)
            assert client.get(ME).status_code == 200


def test_those_that_wait_for_their_client_leave_room_for_other_requests(filled_url: str, log: Path) -> None:
    with serving(filled_url, log, EXPORT_CONCURRENCY="1") as (_, client):
        with client.stream("GET", PATH) as response:
            chunks = response.iter_bytes()
            assert next(chunks)
            assert_error(client.get(PATH), 503)
            assert client.get(USERS).json()["total"] == COUNT + 1

        until_it_succeeds(client, PATH)


def test_it_may_take_longer_than_a_statement(filled_url: str, log: Path) -> None:
    with serving(filled_url, log, DB_STATEMENT_TIMEOUT="1") as (_, client), client.stream("GET", PATH) as response:
        chunks = response.iter_bytes()
        lines = next(chunks).count(b"\n")
        time.sleep(2)
        assert lines + sum(chunk.count(b"\n") for chunk in chunks) == COUNT + 2


def test_one_that_takes_too_long_is_cut_and_never_looks_whole(filled_url: str, log: Path) -> None:
    limits = {"EXPORT_TIMEOUT": "5", "EXPORT_CONCURRENCY": "1"}
    with serving(filled_url, log, **limits) as (_, client), client.stream("GET", PATH) as response:
        chunks = response.iter_bytes()
        next(chunks)
        until_it_succeeds(client, PATH)
        with pytest.raises(httpx2.RemoteProtocolError, match="incomplete"):
            list(chunks)

    lines = log.read_text().splitlines()
    assert len([line for line in lines if "an export was cut" in line]) == 1
    assert "Traceback" not in log.read_text()
